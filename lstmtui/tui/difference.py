"""Only the characters that changed are sent to the terminal.

Textual sends a changed region again as a whole, and with it everything in the same widget to its left
(Textualize/textual#5625). On a slow link that is what a step costs, so the app keeps what the terminal
shows and sends the difference. `LSTMTUI_DIFFERENCE=0` switches this off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip

Character: TypeAlias = tuple[str, Style | None]
"""What one cell of the terminal shows; "" after a character of two cells."""

_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}
_GAP = 3
"""Unchanged characters that are cheaper to send again than to jump over."""


def enabled() -> bool:
    """Whether the environment leaves the difference on."""
    return os.environ.get("LSTMTUI_DIFFERENCE", "1") != "0"


class Frame:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._rows: list[list[Character | None]] = []

    def forget(self) -> None:
        """The terminal may show anything: the next update sends everything it has."""
        self._rows = []

    def encode(self, update: CompositorUpdate, console: Console) -> str:
        """The terminal sequences for what an update changes; takes the update as shown."""
        if isinstance(update, LayoutUpdate):
            self._fit(update.region.width, update.region.height)
        pen = Pen(_SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR))
        for y, x, characters in _pieces(update):
            for start, stop in self._changes(y, x, characters):
                _write(pen, y, x, characters, start, stop)
        return pen.finish()

    def _fit(self, width: int, height: int) -> None:
        if len(self._rows) != height or (self._rows and len(self._rows[0]) != width):
            self._rows = [[None] * width for _ in range(height)]

    def _changes(self, y: int, x: int, characters: list[Character]) -> Iterator[tuple[int, int]]:
        """The runs, from `start` to before `stop`, to send; takes the characters as shown."""
        if y >= len(self._rows):
            self._rows += [[None] * (x + len(characters)) for _ in range(y + 1 - len(self._rows))]
        row = self._rows[y]
        row += [None] * (x + len(characters) - len(row))
        old = row[x : x + len(characters)]
        if old == characters:
            return
        changed = [at for at, (a, b) in enumerate(zip(old, characters, strict=True)) if a != b]
        row[x : x + len(characters)] = characters
        start = previous = changed[0]
        for at in [*changed[1:], -1]:
            if at != -1 and at - previous <= _GAP + 1:
                previous = at
                continue
            yield start, previous + 1
            start = previous = at


def _pieces(update: CompositorUpdate) -> Iterator[tuple[int, int, list[Character]]]:
    """(y, x, characters) of everything an update wants shown."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                characters = _characters(strip)
                yield y, x, characters
                x += len(characters)
    elif isinstance(update, ChopsUpdate):
        for y, x1, x2 in update.spans:
            for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                start, stop = max(x, x1), min(end, x2)
                if chop is not None and start < stop:
                    yield y, start, _characters(chop)[start - x : stop - x]


def _characters(strip: Strip) -> list[Character]:
    characters: list[Character] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii() or cell_len(text) == len(text):
            characters.extend((character, style) for character in text)
            continue
        for character in text:
            size = cell_len(character)
            if size == 0 and characters:
                characters[-1] = (characters[-1][0] + character, characters[-1][1])
            else:
                characters.append((character, style))
                characters.extend([("", style)] * (size - 1))
    return characters


class Pen:
    """Writes styled text; a change of style names only the colours and attributes that change."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._style = Style.null()
        self._parts: list[str] = []

    def move(self, y: int, x: int) -> None:
        """Go on at a row and a column, both from 0."""
        self._parts.append(f"\x1b[{y + 1};{x + 1}H")

    def write(self, text: str, style: Style | None) -> None:
        """Write text."""
        style = style or Style.null()
        if style is not self._style:
            self._parts.append(_transition(self._style, style, self._system))
            self._style = style
        self._parts.append(text)

    def finish(self) -> str:
        """Everything that was written; the terminal's style is the plain one again."""
        self.write("", None)
        return "".join(self._parts)


def _write(pen: Pen, y: int, x: int, characters: list[Character], start: int, stop: int) -> None:
    """A run of characters at its place, with as few changes of style as it has."""
    while start > 0 and characters[start][0] == "":
        start -= 1
    pen.move(y, x + start)
    group, style = "", characters[start][1]
    for character, its_style in characters[start:stop]:
        if its_style is not style and its_style != style:
            pen.write(group, style)
            group, style = "", its_style
        group += character
    pen.write(group, style)


@lru_cache(maxsize=16384)
def _transition(before: Style, after: Style, system: ColorSystem) -> str:
    """The sequence that changes one style into another."""
    old, new = _codes(before, system), _codes(after, system)
    codes = [code for was, code in zip(old, new, strict=True) if code != was]
    if old[0] and old[0] != new[0]:
        codes = ["0", *(code for code in new if code not in ("", "39", "49"))]
    if new == _PLAIN and codes:
        codes = ["0"]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


_PLAIN = ("", "39", "49")


@lru_cache(maxsize=4096)
def _codes(style: Style, system: ColorSystem) -> tuple[str, str, str]:
    """The codes for the attributes, the colour and the background of a style."""
    attributes = style.without_color.update_link(None)
    paints = (attributes, Style.from_color(style.color), Style.from_color(None, style.bgcolor))
    found = [s.render("\0", color_system=system).split("\0")[0].strip("\x1b[m") for s in paints]
    return found[0], found[1] or "39", found[2] or "49"


class Difference(CompositorUpdate):
    """An update of which only the changes reach the terminal."""

    def __init__(self, frame: Frame, update: CompositorUpdate) -> None:
        self._frame, self._update = frame, update

    def render_segments(self, console: Console) -> str:
        """Terminal sequences for what changed."""
        return self._frame.encode(self._update, console)


class DifferenceApp(App[None]):
    """An app whose updates reach the terminal as differences."""

    def __init__(self, driver_class: type[Driver] | None = None, *, ansi_color: bool | None = None) -> None:
        super().__init__(driver_class, ansi_color=ansi_color)
        self.frame = Frame() if enabled() else None
        self._told_size: Size | None = None

    def on_resize(self, event: Resize) -> None:
        """Draw everything again where the size is the old one: Textual would not.

        The terminal was made smaller and larger again, or the program was stopped and continued.
        """
        if event.size == self._told_size:
            self.action_redraw()
        self._told_size = event.size

    def action_redraw(self) -> None:
        """Send the whole screen again, for a terminal that something else has written on."""
        if self.frame is not None:
            self.frame.forget()
        self.refresh(layout=True)

    def _display(self, screen: Screen[object], renderable: RenderableType | CompositorUpdate | None) -> None:
        if self.frame is not None and isinstance(renderable, CompositorUpdate) and not self.is_inline:
            renderable = Difference(self.frame, renderable)
        super()._display(screen, renderable)  # type: ignore[arg-type]

"""Sends only the characters that changed to the terminal.

Textual sends a changed region again as a whole, and with it everything in the same widget to its left
(Textualize/textual#5625). On a slow link that is what a step costs, so the app keeps what the terminal
shows and sends the difference. `LSTMTUI_DIFFERENCE=0` switches this off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.strip import Strip

from lstmtui.tui.compat import ChopsUpdate, CompositorUpdate, LayoutUpdate, UpdatesApp
from lstmtui.tui.pen import Ink, Pen, ink_of

Character: TypeAlias = tuple[str, Ink]
"""One cell of the terminal: a character ("" after one of two cells), and what it is written with."""

_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}
_MOST = ColorSystem.TRUECOLOR
_GAP = 4
"""Unchanged characters that are cheaper to send again than to jump over."""


def enabled() -> bool:
    """Whether the environment leaves the difference on."""
    return os.environ.get("LSTMTUI_DIFFERENCE", "1") != "0"


class Frame:
    """What the terminal shows, as far as that is known."""

    def __init__(self) -> None:
        self._rows: list[list[Character | None]] = []

    def forget(self) -> None:
        """The terminal may show anything: the next update sends everything it has."""
        self._rows = []

    def encode(self, update: CompositorUpdate, console: Console) -> str:
        """The terminal sequences for what an update changes; takes the update as shown."""
        if isinstance(update, LayoutUpdate):
            self._fit(update.region.width, update.region.height)
        runs: list[Run] = []
        in_order: list[Run] = []
        for y, x, characters in _pieces(update, _SYSTEMS.get(console.color_system or "", _MOST)):
            changes = self._changes(y, x, characters)
            if not changes:
                continue
            changed = _runs(y, x, characters, changes)
            # Terminals do not agree on the width of some characters. What follows them comes after them.
            (runs if all(len(character) == 1 for character, _ in characters) else in_order).extend(changed)
        # By ink: a jump takes fewer bytes than another colour.
        runs.sort(key=lambda run: (run.ink, run.y, run.x))
        pen = Pen()
        for run in (*runs, *in_order):
            pen.write(*run)
        return pen.finish()

    def _fit(self, width: int, height: int) -> None:
        if len(self._rows) != height or (self._rows and len(self._rows[0]) != width):
            self._rows = [[None] * width for _ in range(height)]

    def _changes(self, y: int, x: int, characters: list[Character]) -> list[int]:
        """Which of these characters the terminal does not show yet; takes them as shown."""
        if y >= len(self._rows):
            self._rows += [[None] * (x + len(characters)) for _ in range(y + 1 - len(self._rows))]
        row = self._rows[y]
        row += [None] * (x + len(characters) - len(row))
        old = row[x : x + len(characters)]
        if old == characters:
            return []
        row[x : x + len(characters)] = characters
        return [at for at, (a, b) in enumerate(zip(old, characters, strict=True)) if a != b]


class Run(NamedTuple):
    """Text in one ink at its place."""

    y: int
    x: int
    text: str
    ink: Ink


def _runs(y: int, x: int, characters: list[Character], changed: list[int]) -> Iterator[Run]:
    """The changed characters as runs; across a gap where that takes fewer bytes than a jump."""
    start = changed[0]
    while start > 0 and characters[start][0] == "":
        start -= 1
    stop, ink = start, characters[start][1]
    for at in changed:
        its_ink = characters[at][1]
        if at == stop and (its_ink is ink or ink.shows(its_ink)):
            stop = at + 1
        elif at == stop and its_ink.shows(ink):
            stop, ink = at + 1, its_ink
        elif 0 <= at - stop <= _GAP and all(ink.shows(other) for _, other in characters[stop : at + 1]):
            stop = at + 1
        elif at >= stop:
            yield Run(y, x + start, "".join(text for text, _ in characters[start:stop]), ink)
            start, stop, ink = at, at + 1, its_ink
    yield Run(y, x + start, "".join(text for text, _ in characters[start:stop]), ink)


def _pieces(update: CompositorUpdate, system: ColorSystem) -> Iterator[tuple[int, int, list[Character]]]:
    """(y, x, characters) of everything an update wants shown."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                characters = _characters(strip, system)
                yield y, x, characters
                x += len(characters)
    elif isinstance(update, ChopsUpdate):
        for y, x1, x2 in update.spans:
            for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                start, stop = max(x, x1), min(end, x2)
                if chop is not None and start < stop:
                    yield y, start, _characters(chop, system)[start - x : stop - x]


def _characters(strip: Strip, system: ColorSystem) -> list[Character]:
    characters: list[Character] = []
    for text, style, control in strip:
        if control:
            continue
        ink, space = ink_of(style, system), (" ", ink_of(style, system, True))
        if text.isascii() or cell_len(text) == len(text):
            characters.extend(space if character == " " else (character, ink) for character in text)
            continue
        for character in text:
            size = cell_len(character)
            if size == 0 and characters:
                characters[-1] = (characters[-1][0] + character, characters[-1][1])
            else:
                characters.append(space if character == " " else (character, ink))
                characters.extend([("", ink)] * (size - 1))
    return characters


class Difference(CompositorUpdate):
    """An update of which only the changes reach the terminal."""

    def __init__(self, frame: Frame, update: CompositorUpdate) -> None:
        self._frame, self._update = frame, update

    def render_segments(self, console: Console) -> str:
        """Terminal sequences for what changed."""
        return self._frame.encode(self._update, console)


class DifferenceApp(UpdatesApp):
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

    def outgoing(self, update: CompositorUpdate) -> CompositorUpdate:
        """The part of an update that changes what the terminal shows."""
        return update if self.frame is None else Difference(self.frame, update)

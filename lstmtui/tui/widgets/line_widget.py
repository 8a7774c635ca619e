"""The base of all drawing widgets: lines by key, so that only what changed is drawn and sent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import takewhile

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import segments


class ColumnClicked(Message):
    """A column of a page of timesteps was clicked."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column


class LineWidget(Widget):
    """A widget that says of each line what it depends on (its key) and how to draw it from that.

    A line whose key stays equal keeps its Strip, and is not refreshed. A line that changed is refreshed
    only from its first to its last changed character.
    """

    def __init__(self, look: Look | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look = look or Look()
        self._extent = Size(0, 0)
        self._keys: list[Hashable] = []
        self._strips: list[Strip | None] = []

    @property
    def look(self) -> Look:
        """What the terminal can show; setting it draws everything anew."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        if look != self._look:
            self._look = look
            self._forget()
            self.update()
            self.refresh()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        """What each line depends on; shorter than `height` leaves the lines below blank."""
        raise KeyError(type(self).__name__)

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        """A line as styled segments; here of spans, which are its key."""
        return segments(key, self.look)  # type: ignore[arg-type]

    def clicked(self, x: int, y: int) -> Message | None:
        """The message for a click on a character, or None."""
        return None

    def lay_out(self, width: int, height: int) -> None:
        """Take a size; called by Textual's resizing, or directly where there is no app."""
        if (width, height) != self._extent:
            self._extent = Size(width, height)
            self._forget()

    def update(self) -> None:
        """Work out the keys again and refresh the lines whose key changed."""
        self._take_size()
        width, height = self._extent
        keys = list(self.line_keys(width, height))[:height] if width > 0 and height > 0 else []
        old_keys, old_strips = self._keys, self._strips
        self._keys = keys
        self._strips = [None] * len(keys)
        for y in range(max(len(keys), len(old_keys))):
            if y < len(keys) and y < len(old_keys) and keys[y] == old_keys[y]:
                self._strips[y] = old_strips[y]
                continue
            before = old_strips[y] if y < len(old_strips) else None
            span = _changed_span(before, self._strip(y)) if before is not None else (0, width)
            if span is not None:
                self.refresh(Region(span[0], y, span[1] - span[0], 1))
            elif y < len(keys):
                self._strips[y] = before

    def render_line(self, y: int) -> Strip:
        """Textual's Line API: one line of the content."""
        self._take_size()
        strip = self._strip(y)
        if not self.is_attached:
            return strip
        background = self.background_colors[1].rich_color
        return strip if background.is_default else strip.apply_style(Style.from_color(None, background))

    def on_click(self, event: Click) -> None:
        """Turn a click on the content into the widget's own message."""
        # from the screen, because an event that bubbled up has the offset within the child
        if self.content_region.contains_point(event.screen_offset):
            offset = event.screen_offset - self.content_region.offset
            message = self.clicked(offset.x, offset.y)
            if message is not None:
                self.post_message(message)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._take_size()

    def _take_size(self) -> None:
        """The size that it has by now: Textual tells it later."""
        if self.is_attached and self.size != self._extent:
            self.lay_out(*self.size)

    def _forget(self) -> None:
        self._keys, self._strips = [], []
        width, height = self._extent
        if width > 0 and height > 0:
            self._keys = list(self.line_keys(width, height))[:height]
            self._strips = [None] * len(self._keys)

    def _strip(self, y: int) -> Strip:
        width = self._extent.width
        if not 0 <= y < len(self._keys):
            return Strip.blank(width, Style.null())
        strip = self._strips[y]
        if strip is None:
            strip = Strip(self.draw_line(self._keys[y], width)).adjust_cell_length(width, Style.null())
            self._strips[y] = strip
        return strip


def _changed_span(before: Strip, after: Strip) -> tuple[int, int] | None:
    """From the first to past the last character that differs, or None; both strips of equal length."""
    old, new = list(before), list(after)
    if old == new:
        return None
    start = _common(old, new)
    tail = _common(old[::-1], new[::-1], backwards=True)
    length = max(before.cell_length, after.cell_length)
    return (start, max(start + 1, length - tail))


def _common(old: list[Segment], new: list[Segment], *, backwards: bool = False) -> int:
    """How many cells two lists of segments begin with in common."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    cells = sum(segment.cell_length for segment in old[:same])
    if same < len(old) and same < len(new) and old[same].style == new[same].style:
        a, b = old[same].text, new[same].text
        if len(a) == cell_len(a) and len(b) == cell_len(b):
            pairs = zip(a[::-1], b[::-1], strict=False) if backwards else zip(a, b, strict=False)
            cells += sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return cells

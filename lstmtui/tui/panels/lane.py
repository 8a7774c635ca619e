"""A panel over time: it shares its window of timesteps, and their columns, with all others of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.events import MouseMove
from textual.widget import Widget

from lstmtui.session import Session
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.lane_head import Key, LaneHead
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.line_widget import ColumnClicked

_SIGN = "▸ "
"""Before the title of what a lesson is about."""


@dataclass(frozen=True)
class LanePlace:
    """The place of a lane on the screen."""

    content: int
    """Rows below its title."""
    head: bool
    """Whether it has a line for its title."""
    names: tuple[str, ...] = ()
    """The quantities that have a map, from top to bottom."""
    below: int = 0
    """Rows of the content that stand below the maps."""

    @property
    def rows(self) -> int:
        """All of them."""
        return self.content + self.head


class Lane(Panel):
    """A panel without a border, under a line that has its title and the cursor's column."""

    DEFAULT_CSS = """
    Lane, Lane:focus, Lane:focus-within, Lane.-marked { layout: vertical; border: none; }
    """

    def __init__(self, look: Look) -> None:
        self.axis = TimeAxis()
        """That of its panel set, once it belongs to one."""
        self.head = LaneHead(look)
        self._keys: tuple[Key, ...] = ()
        super().__init__(look)

    def compose(self) -> ComposeResult:
        yield self.head
        yield from self.contents()

    def contents(self) -> Sequence[Widget]:
        """The widgets below the title."""
        return ()

    @property
    def plots(self) -> Sequence[LinePlot]:
        """The plots among its contents."""
        return [content for content in self.contents() if isinstance(content, LinePlot)]

    def set_keys(self, *keys: Key) -> None:
        """Set the keys to its colours or lines, beside the title, in several forms, the longest first."""
        if keys != self._keys:
            self._keys = keys
            self._write_titles()

    def has_room_for(self, key: Key, title: str) -> bool:
        """Whether there is room beside the title's shortest form, whether or not a lesson is about it."""
        shortest = f"{_SIGN}{self.key} {self.title_forms(title)[-1]}"
        return self.head.has_room(shortest, key, self.axis.place.width)

    def rows_below(self, session: Session) -> int:
        """How many rows it wants below its maps."""
        return 0

    def take_place(self, place: LanePlace, session: Session) -> None:
        """Take its rows of the screen, before anything is drawn there."""
        self.styles.height, self.head.display = place.rows, place.head

    def show_cursor(self, session: Session) -> None:
        """Mark the column of the cursor."""
        column = self.axis.cursor_column(session.cursor.t)
        self.head.set_cursor(column)
        for plot in self.plots:
            plot.set_cursor(column)

    def on_focus(self) -> None:
        """Show the focus in the title."""
        self.head.set_focused(True)

    def on_blur(self) -> None:
        """Show in the title that the focus is gone."""
        self.head.set_focused(False)

    @on(ColumnClicked)
    def _pick_timestep(self, event: ColumnClicked) -> None:
        event.stop()
        self.post_message(self.Picked(t=self.axis.timestep_at(event.column)))

    def on_mouse_move(self, event: MouseMove) -> None:
        """Move the cursor with the mouse while its button is held."""
        column = self.axis.columns.column_at(int(event.screen_x) - self.region.x - self.axis.gutter)
        if event.button == 1 and column is not None:
            self.post_message(self.Picked(t=self.axis.timestep_at(column)))

    async def on_mouse_scroll_down(self) -> None:
        """Go one page on, as the key does."""
        await self.run_action("screen.page(1)")

    async def on_mouse_scroll_up(self) -> None:
        """Go one page back, as the key does."""
        await self.run_action("screen.page(-1)")

    def _write_titles(self) -> None:
        text, detail = self._titles
        mark = "…" if self._waits else ""
        sign = _SIGN if self.is_marked else ""
        titles = [f"{sign}{self.key}{mark} {form}" for form in self.title_forms(text)]
        self.head.set_text(titles, self._keys, detail)

    def title_forms(self, title: str) -> Sequence[str]:
        """The title in full, and shorter forms for less room."""
        return (title,)

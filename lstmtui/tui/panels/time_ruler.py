"""The line below all lanes: timesteps, the cursor, breakpoints and their hits."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from lstmtui.session import Session
from lstmtui.session.breakpoint_hits import marks
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.line_widget import ColumnClicked
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.tui.widgets.status import StatusLine


class TimeRuler(Horizontal):
    """One ruler for all lanes, which are over the same timesteps.

    Args:
        look: what the terminal can show.
        axis: what the lanes share.
    """

    DEFAULT_CSS = "TimeRuler { height: 1; }"

    def __init__(self, look: Look, axis: TimeAxis) -> None:
        super().__init__(id="time")
        self._axis = axis
        self.waits = False
        """Whether it shows an earlier place, which it does not mark."""
        self.label, self.ruler = StatusLine(look), Ruler(look)

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.ruler

    @property
    def on_screen(self) -> bool:
        """Whether it has a place on the screen as it is."""
        return self.display and self.size.area > 0

    def take_place(self) -> None:
        """Begin where all lanes do."""
        self.label.styles.width = self._axis.gutter

    def show(self, session: Session) -> None:
        """Draw where the cursor is, on which timesteps."""
        axis = self._axis
        page = axis.page
        seen = marks(session, page.start, page.stop)
        self.label.set_spans([(" t", "muted")])
        # It leaves half of the ruler free.
        text = page.text if 2 * len(page.text) < self.ruler.size.width else page.shared
        self.ruler.set(
            page.start,
            page.stop,
            axis.columns,
            session.cursor.t,
            seen.breakpoints,
            seen.hits,
            text,
            page.per_column,
        )

    @on(ColumnClicked)
    def _pick_timestep(self, event: ColumnClicked) -> None:
        event.stop()
        self.post_message(Panel.Picked(t=self._axis.timestep_at(event.column)))

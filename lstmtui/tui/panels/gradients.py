"""Panel 6: the norms of the total derivatives by h and c over the whole run, on a log scale."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from lstmtui.session import Session, gradient_norms
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_plot import LinePlot, Series
from lstmtui.tui.widgets.ruler import Ruler

GUTTER = 8


class GradientPanel(Panel):
    """‖∂L/∂h_t‖ of every model, and ‖∂L/∂c_t‖ of the selected one."""

    DEFAULT_CSS = f"""
    GradientPanel {{ layout: vertical; }}
    GradientPanel Ruler {{ padding-left: {GUTTER}; }}
    """

    NUMBER = 6
    TITLE = "Gradient norms ‖∂L/∂h‖ ‖∂L/∂c‖ total, log scale"
    HELP = "How much the loss depends on the state at each timestep, every later timestep included."

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.plot, self.ruler = LinePlot(look), Ruler(look)
        self.steps = 1

    def compose(self) -> ComposeResult:
        yield self.plot
        yield self.ruler

    def show(self, session: Session) -> None:
        cursor = session.cursor
        width = self.content_size.width - GUTTER - 2
        if width <= 0:
            return
        self.steps = session.trace.steps
        columns = ColumnMap(min(self.steps, width), width)
        if self.changed(cursor.model, cursor.layer, cursor.direction, cursor.batch, self.content_size):
            self.plot.set_series(_series(session), self.steps, columns, gutter=GUTTER, log=True)
        self.ruler.set(0, self.steps, columns, cursor.t)

    @on(Ruler.Clicked)
    @on(LinePlot.Clicked)
    def _pick_timestep(self, event: Ruler.Clicked | LinePlot.Clicked) -> None:
        event.stop()
        columns = min(self.steps, self.content_size.width - GUTTER - 2)
        self.post_message(self.Picked(t=event.column * self.steps // max(1, columns)))


def _series(session: Session) -> list[Series]:
    """The selected model's c and h first, then h of every other model, each in its own colour."""
    lines = []
    if "c" in session.cell.states:
        lines.append(Series("c", gradient_norms(session, "c"), 0, "c", tag="c"))
    selected, several = session.cursor.model, len(session.traces) > 1
    for at, name in sorted(enumerate(session.traces), key=lambda item: item[1] != selected):
        norms = gradient_norms(session, "h", session.traces[name])
        role, tag = ("h", "h") if name == selected else (f"series{(at + 2) % 6}", chr(ord("A") + at % 26))
        lines.append(Series(f"h {name}" if several else "h", norms, at + 1, role, tag=tag))
    return lines

"""Panel 6: the norms of the total derivatives by h and c over the whole run, on a log scale."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from lstmtui.errors import UserError
from lstmtui.session import Session, gradient_norms
from lstmtui.trace import Trace
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
        runs = (id(session.trace), id(session.other))
        if self.changed(cursor.model, cursor.layer, cursor.direction, cursor.batch, self.content_size, runs):
            self.plot.set_series(_series(session), self.steps, columns, gutter=GUTTER, log=True)
        self.ruler.set(0, self.steps, columns, cursor.t)

    @on(Ruler.Clicked)
    @on(LinePlot.Clicked)
    def _pick_timestep(self, event: Ruler.Clicked | LinePlot.Clicked) -> None:
        event.stop()
        columns = min(self.steps, self.content_size.width - GUTTER - 2)
        self.post_message(self.Picked(t=event.column * self.steps // max(1, columns)))


def _series(session: Session) -> list[Series]:
    """The selected run's c and h first, then h of what it is held against and of every other model."""
    lines = []
    if "c" in session.cell.states:
        lines += _line(session, "c", session.trace, "c", 0, "c", "c")
    selected, several = session.cursor.model, len(session.traces) > 1
    lines += _line(session, f"h {selected}" if several else "h", session.trace, "h", 1, "h", "h")
    other = session.other
    if other is not None and other not in session.traces.values():
        lines += _line(session, f"h {other.name}, saved", other, "h", 2, "series1", "H")
    elif other is session.baseline:
        lines += _line(session, "h as recorded", other, "h", 2, "series1", "H")
    for at, (name, trace) in enumerate(session.traces.items()):
        if name != selected:
            role, tag = f"series{(at + 2) % 6}", chr(ord("A") + at % 26)
            lines += _line(session, f"h {name}", trace, "h", at + 1, role, tag)
    return lines


def _line(
    session: Session, name: str, trace: Trace, state: str, style: int, role: str, tag: str
) -> list[Series]:
    """The norms of a run; none where its loss cannot be differentiated again."""
    try:
        return [Series(name, gradient_norms(session, state, trace), style, role, tag=tag)]
    except UserError:
        return []

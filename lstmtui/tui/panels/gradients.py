"""Panel 6: the norms of the total derivatives by h and c over the whole run, on a log scale."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual import on
from textual.app import ComposeResult

from lstmtui.analysis.norm_plot import gradient_norm_plot
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_plot import LinePlot, Series
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.view.query import together

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
        steps = session.trace.steps
        columns = ColumnMap(min(steps, width), width)
        runs = (id(session.trace), id(session.other))
        if self.changed(cursor.model, cursor.layer, cursor.direction, cursor.batch, self.content_size, runs):
            pixels = columns.used if self.look.ascii else 2 * columns.used
            series = _series(session, pixels, columns.used)
            self.plot.set_series(series, steps, columns, gutter=GUTTER, log=True)
            has_derivatives = "dh" in session.trace.quantities(cursor.layer)
            why = "" if has_derivatives else session.trace.absent(cursor.layer)
            self.set_title(self.TITLE, f"no derivatives: {printable(why)}" if why else "")
            self.drawn()
        self.steps = steps
        self.ruler.set(0, steps, columns, cursor.t)

    @on(Ruler.Clicked)
    @on(LinePlot.Clicked)
    def _pick_timestep(self, event: Ruler.Clicked | LinePlot.Clicked) -> None:
        event.stop()
        columns = min(self.steps, self.content_size.width - GUTTER - 2)
        self.post_message(self.Picked(t=event.column * self.steps // max(1, columns)))


def _runs(session: Session) -> Iterator[tuple[str, Trace, str, int, str, str]]:
    """(name, run, state, style, role, tag) of each line.

    The selected run's states come first, h last of them; then h of what it is held against and of every
    other model.
    """
    for state in session.cell.states[1:]:
        yield state, session.trace, state, 0, state, state[0]
    selected, several = session.cursor.model, len(session.traces) > 1
    yield f"h {selected}" if several else "h", session.trace, "h", 1, "h", "h"
    other = session.other
    if other is not None and other not in session.traces.values():
        yield f"h {other.name}, saved", other, "h", 2, "series1", "H"
    elif other is not None and other is session.baseline:
        yield "h as recorded", other, "h", 2, "series1", "H"
    for at, (name, trace) in enumerate(session.traces.items()):
        if name != selected:
            yield f"h {name}", trace, "h", at + 1, f"series{(at + 2) % 6}", chr(ord("A") + at % 26)


def _series(session: Session, pixels: int, cells: int) -> list[Series]:
    """A line for each run, but none for one whose loss cannot be differentiated again."""
    runs, view, steps = list(_runs(session)), session.view, session.trace.steps
    plots = together(
        *(
            partial(gradient_norm_plot, view.fitted_to(trace), state, steps, pixels, cells)
            for _, trace, state, *_ in runs
        )
    )
    return [
        Series(name, plot, style, role, tag=tag)
        for (name, _, _, style, role, tag), plot in zip(runs, plots, strict=True)
        if plot is not None
    ]

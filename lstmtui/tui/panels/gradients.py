"""Panel 6: the norms of the total derivatives by h and c over time, on a log scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from string import ascii_uppercase

from textual.widget import Widget

from lstmtui.analysis.norm_plot import gradient_norm_plot
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.tui.palette import MARKS
from lstmtui.tui.panels.lane import Lane, LanePlace
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.tui.widgets.lane_head import Key
from lstmtui.tui.widgets.line_plot import LinePlot, most_legend_lines
from lstmtui.tui.widgets.series import Series, distinct, legend_lines, legends, tell_apart
from lstmtui.view.query import together

MOST_STATES = 4
"""Of recorded code that have a line."""
MOST_MODELS = 7
"""Of more, only the selected one and what it is held against: there are as many colours."""
_HOW, _ON_AXIS = " total", ", log scale"


class GradientPanel(Lane):
    """‖∂L/∂h_t‖ of every model as far as they are few, and of the selected one that by its other states.

    Of recorded code, of its states; where it carries none on, of the names it binds last.
    """

    NUMBER = 6
    TITLE = "Gradient norms total, log scale"
    HELP = "How much the loss depends on each state. Total: through every later timestep."

    def __init__(self, look: Look) -> None:
        self.plot = LinePlot(look)
        self._rows = 0
        """Of the plot."""
        super().__init__(look)

    def contents(self) -> Sequence[Widget]:
        return (self.plot,)

    def shows(self, session: Session, quantity: str) -> bool:
        return quantity.startswith("d") and quantity in session.trace.quantities(session.cursor.layer)

    def show(self, session: Session) -> None:
        cursor, axis = session.cursor, self.axis
        if axis.plot <= 0:
            return
        runs = (id(session.trace), id(session.other))
        place = (cursor.model, cursor.layer, cursor.direction, cursor.batch)
        if self.changed(*place, axis.page, axis.columns, axis.place, self._rows, runs):
            series = distinct(_series(session, axis, axis.pixels(self.look)))
            name = _name_of(session)
            keys = self._keys_above(series, name)
            self.set_keys(*keys)
            self.plot.set_series(
                series, axis.plotted, axis.columns, gutter=axis.gutter, log=True, legend=not keys
            )
            others = len(session.traces) - 1
            self.set_title(name, f"{others} others: compare" if others >= MOST_MODELS else "")
            self.drawn()
        self.show_cursor(session)

    def take_place(self, place: LanePlace, session: Session) -> None:
        super().take_place(place, session)
        self._rows = place.content

    def title_forms(self, title: str) -> Sequence[str]:
        return (title, title.removesuffix(_ON_AXIS), title.removesuffix(_HOW + _ON_AXIS))

    def _keys_above(self, series: Sequence[Series], title: str) -> Sequence[Key]:
        """The legend for the line above; none where the plot has room for names that it has not."""
        forms = legends(series, self.look)
        clear = [form for form in forms if tell_apart(series, form)]
        if any(self.has_room_for(form, title) for form in clear):
            return clear
        lines = legend_lines(series, self.axis.place.width, most_legend_lines(self._rows), self.look)
        return () if lines else forms


def plotted(session: Session) -> tuple[str, ...]:
    """The quantities of the selected run whose derivatives are shown, that which others are held to last."""
    states, source = session.cell.states, session.layer.source
    if source is None:
        return (*states[1:], states[0])
    derived = states or tuple(v.name for v in source.variables if not v.absent)
    return derived[-MOST_STATES:]


def _name_of(session: Session) -> str:
    """What the panel shows, or why that is nothing."""
    trace, layer, states = session.trace, session.cursor.layer, plotted(session)
    if any("d" + state in trace.quantities(layer) for state in states):
        return title(states)
    reasons = (trace.absent(layer), *(trace.absent(layer, state) for state in states))
    why = next((why for why in reasons if why), "")
    return f"No gradient norms: {printable(why)}" if why else title(states)


def tags_of(names: Sequence[str]) -> list[str]:
    """A letter for each name: of its last word or any of its own, but no mark of what is not on the axis."""
    tags: list[str] = []
    for name in names:
        own = name.rpartition("_")[2] + name + name.upper() + ascii_uppercase
        tags.append(next(a for a in own if a.isascii() and a.isalpha() and a not in (*tags, *MARKS.values())))
    return tags


def title(quantities: Sequence[str]) -> str:
    """What the panel shows, in symbols."""
    norms = " ".join(f"‖∂L/∂{name}‖" for name in reversed(quantities))
    return f"{norms}{_HOW}{_ON_AXIS}"


def _runs(session: Session) -> Iterator[tuple[str, Trace, str, int, str, str]]:
    """Those of `_every_run` whose derivative is not hidden."""
    return (run for run in _every_run(session) if "d" + run[2] not in session.unseen)


def _every_run(session: Session) -> Iterator[tuple[str, Trace, str, int, str, str]]:
    """(name, run, quantity, style, role, tag) of each line.

    The selected run's come first; then the last of these of what it is held against and of every other
    model, where these are not too many.
    """
    quantities = plotted(session)
    if not quantities:
        return
    *others, last = quantities
    tags = tags_of(quantities)
    for at, name in enumerate(others):
        yield name, session.trace, name, 2 * at, quantity_role(name), tags[at]
    selected, several = session.cursor.model, len(session.traces) > 1
    role = quantity_role(last)
    of = f"{last} " if others else ""  # the title says of what, where it is of one quantity
    yield f"{of}{selected}" if several else last, session.trace, last, 1, role, tags[-1]
    other = session.other
    if other is not None and other not in session.traces.values():
        yield f"{of}{other.name}, saved", other, last, 2, "series1", last[0].upper()
    elif other is not None and other is session.baseline:
        yield f"{of}as recorded", other, last, 2, "series1", last[0].upper()
    are_few = len(session.traces) <= MOST_MODELS
    for at, (name, trace) in enumerate(session.traces.items()):
        if name != selected and (are_few or trace is other):
            tag = chr(ord("A") + at % 26)
            yield f"{of}{name}", trace, last, at + 1, f"series{(at + 2) % 6}", tag


def _series(session: Session, axis: TimeAxis, pixels: int) -> list[Series]:
    """A line for each run, but none for one whose loss cannot be differentiated again."""
    runs, view, page, columns = list(_runs(session)), session.view, axis.page, axis.columns
    plots = together(
        *(
            partial(
                gradient_norm_plot,
                view.fitted_to(trace),
                state,
                page.start,
                page.stop,
                axis.plotted,
                pixels,
                columns.used,
            )
            for _, trace, state, *_ in runs
        )
    )
    return [
        Series(name, plot, style, role, tag=tag)
        for (name, _, _, style, role, tag), plot in zip(runs, plots, strict=True)
        if plot is not None
    ]

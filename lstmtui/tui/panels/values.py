"""Panel 9: every quantity of one unit at this timestep, with the total derivative by it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import BindingType

from lstmtui.analysis.reach import Horizon, Reach, horizon
from lstmtui.analysis.unit_values import Numbers, Survivals, numbers_at, survivals_at
from lstmtui.cells.notation import ASCII, UNICODE, Notation, percent
from lstmtui.session import Session
from lstmtui.tui.panels.hiding import MARK
from lstmtui.tui.panels.panel import SCROLL_BINDINGS, Panel
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines
from lstmtui.view.query import together
from lstmtui.wording import counted

_LEAST_NAME = 5
_NUMBERS_WIDTH = 27
"""Columns of a name, and of the three numbers beside it."""

_WITHOUT_GRADIENT = {"requires none": ("  requires no gradient",)}
"""What is said of a reason that would not be understood alone."""


class ValuesPanel(Panel):
    """A table of numbers: the unit's value, ∂L by it in total, and the norm of the whole vector."""

    NUMBER = 9
    TITLE = "Values"
    HELP = "Numbers of the selected unit. Total: through every later timestep. ↓ ↑ PgDn PgUp scroll it."
    BINDINGS: ClassVar[list[BindingType]] = SCROLL_BINDINGS
    SCROLLS = True

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.lines = TextLines(look, wraps=True)
        self.notation = ASCII if look.ascii else UNICODE
        self._unit, self._origin = 0, ""
        self._scrolled_at: object = None
        """The cell and its stage for which it may have been scrolled."""
        self._horizon: tuple[object, Horizon] | None = None

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.lines

    def show(self, session: Session) -> None:
        cursor = session.cursor
        source, width = session.layer.source, self.lines.size.width
        if not self.changed(cursor, self.lines.size):
            return
        numbers, survivals, reach = together(
            lambda: numbers_at(session.view),
            lambda: survivals_at(session.view, self.notation) if source is None else Survivals(()),
            lambda: self._remembered(session),
        )
        changed = session.trace is not session.baseline
        reasons = {} if source is None else {v.name: v.absent for v in source.variables}
        hidden = session.unseen
        lines = value_lines(numbers, self.notation, width, reasons, changed=changed, hidden=hidden)
        if not hidden:  # what is said of a whole run says much of each of its numbers
            lines += route_lines(survivals, cursor.unit, self.notation)
            lines += reach_lines(reach, cursor.unit, self.notation)
        self.lines.set_lines(lines)
        if (place := (cursor.model, cursor.layer, cursor.stage)) != self._scrolled_at:
            self._scrolled_at = place
            self.lines.scroll_to_row(0)
        if source is not None and cursor.stage is not None:
            name = session.cell.stages[cursor.stage]
            at = next((at for at, row in enumerate(numbers, start=1) if row.quantity == name), 0)
            self.lines.scroll_to_line(at)
        self._origin = session.layer.state_origin(cursor.direction)
        self._write_title(cursor.unit)
        self.drawn()

    def _write_title(self, unit: int) -> None:
        """The title, and below how many rows are out of sight."""
        self._unit = unit
        more = self.lines.row_count - self.lines.top - self.lines.size.height
        below = f"{counted(more, 'more row')} ↓" if more > 0 else ""
        self.set_title(f"Values: unit {unit}", "  ".join(filter(None, (self._origin, below))))

    def scroll_rows(self, rows: int) -> None:
        self.lines.scroll_to_row(self.lines.top + rows)
        self._write_title(self._unit)

    def _remembered(self, session: Session) -> Horizon:
        """How long this sequence is remembered; worked out once for each run, layer and sequence."""
        cursor = session.cursor
        run = (id(session.trace), cursor.layer, cursor.direction, cursor.batch)
        if self._horizon is None or self._horizon[0] != run:
            self._horizon = (run, horizon(session.view))
        return self._horizon[1]


def value_lines(
    numbers: Sequence[Numbers],
    notation: Notation,
    width: int,
    reasons: Mapping[str, str],
    *,
    changed: bool,
    hidden: Collection[str] = (),
) -> list[Spans]:
    """The header, then a line for each quantity; of a changed run with what was recorded.

    Names give way where there are fewer than `width` columns for all. Behind a number stands why it has no
    derivative, where `reasons` has a reason.
    """
    was = f" {'was':>8}" if changed else ""
    number = partial(notation.number, width=8)
    room = max(_LEAST_NAME, width - _NUMBERS_WIDTH - len(was))
    names = max(_LEAST_NAME, min(room, max((len(row.quantity) for row in numbers), default=0)))
    lines: list[Spans] = [((f"{'':{names}} {'value':>8}{was} {'∂L total':>8} {'‖·‖':>8}", "muted"),)]
    for row in numbers:
        is_hidden = row.quantity in hidden
        recorded = "" if row.recorded is None else f" {MARK if is_hidden else number(row.recorded):>8}"
        none = "-" if notation.ascii else "–"
        derivative = none if row.derivative is None else number(row.derivative)
        derivative = MARK if "d" + row.quantity in hidden else derivative
        value, norm = (MARK, MARK) if is_hidden else (number(row.value), number(row.norm))
        text = f" {value:>8}{recorded} {derivative:>8} {norm:>8}"
        name = row.quantity if len(row.quantity) <= names else row.quantity[: names - 1] + "…"
        lines.append(((f"{name:{names}}", quantity_role(row.quantity)), (text, "number")))
        if not row.is_bound:
            lines[-1] = (lines[-1][0], (" not bound", "muted"))
        elif row.derivative is None and (why := reasons.get(row.quantity)):
            left = width - names - len(text)
            forms = _WITHOUT_GRADIENT.get(why, (f"  no gradient: {why}", f"  {why}"))
            said = next((form for form in forms if len(form) <= left), "  no gradient")
            lines[-1] = (*lines[-1], (said, "muted"))
    return lines


def route_lines(survivals: Survivals, unit: int, notation: Notation) -> list[Spans]:
    """Why the gradient survived or died on its way back to the timestep before.

    Below, the share of each route in the whole vector, and what came by it to the unit: of another unit it
    may be a very different part.
    """
    if survivals.refusal:  # a run whose loss cannot be differentiated again has values only
        return [((survivals.refusal, "muted"),)]
    lines: list[Spans] = []
    for state in survivals.states:
        lines.append(((state.sentence, "text"),))
        shares = [(part.name, percent(part.share)) for part in state.parts if math.isfinite(part.share)]
        values = [(part.name, notation.number(part.value)) for part in state.parts if part.value is not None]
        if len(shares) > 1:
            lines.append(_route_line("all units", shares, "muted"))
        if values:
            lines.append(_route_line(f"unit {unit}", values, "number"))
    return lines


def reach_lines(horizon: Horizon, unit: int, notation: Notation) -> list[Spans]:
    """How far memory goes: of the unit, and of the gradient."""
    lines: list[Spans] = []
    halves, reach = horizon.half_lives, horizon.reach
    if halves is not None and unit < len(halves):
        lines.append(((_half_life_text(unit, float(halves[unit]), notation), "text"),))
    if reach is not None:
        lines.append(((_reach_text(reach, notation), "text"),))
    return lines


def _half_life_text(unit: int, steps: float, notation: Notation) -> str:
    """How long a unit remembers, also where that is for ever, or cannot be told."""
    if math.isnan(steps):
        return f"unit {unit}: what keeps its memory is on average negative or NaN, which has no half-life"
    if math.isinf(steps):
        return f"unit {unit} forgets nothing: what keeps its memory is on average 1 or more"
    return f"unit {unit} forgets half in {_timesteps(steps, notation)}"


def _reach_text(reach: Reach, notation: Notation) -> str:
    """How far back a norm stays above 1/e of its largest, also where it never falls or there is none."""
    norm, place = f"‖∂L/∂{reach.state}‖", f"t={reach.start}"
    if math.isnan(reach.steps):
        return f"{norm} is 0 or not finite at {place}, so that there is no falling to 1/e"
    if math.isinf(reach.steps):
        return f"{norm} never falls to 1/e, back from {place}"
    return f"{norm} falls to 1/e within {_timesteps(reach.steps, notation)} back from {place}"


def _timesteps(steps: float, notation: Notation) -> str:
    return f"{notation.number(steps)} timestep{'' if steps == 1 else 's'}"


def _route_line(whose: str, routes: Sequence[tuple[str, str]], role: str) -> Spans:
    spans: Spans = ((f"  {whose}: ", "muted"),)
    for at, (name, number) in enumerate(routes):
        spans = (*spans, (f"{'  ' * (at > 0)}{name} ", "muted"), (number, role))
    return spans

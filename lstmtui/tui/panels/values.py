"""Panel 9: every quantity of one unit at this timestep, with the total derivative by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.errors import UserError
from lstmtui.session import Session, vector
from lstmtui.session.horizon import Reach, gradient_reach, half_lives
from lstmtui.session.routes import routes_at
from lstmtui.session.split import Split, survival
from lstmtui.trace.trace import Array
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines


class ValuesPanel(Panel):
    """A table of numbers: the unit's value, ∂L by it in total, and the norm of the whole vector."""

    NUMBER = 9
    TITLE = "Values"
    HELP = "Numbers of the selected unit. Total: through every later timestep as well."

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.lines = TextLines(look, wraps=True)
        self.notation = ASCII if look.ascii else UNICODE
        self._memory: tuple[object, Memory] | None = None

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.lines

    def _remembered(self, session: Session) -> Memory:
        """How long this sequence is remembered; worked out once for each run, layer and sequence."""
        cursor = session.cursor
        run = (id(session.trace), cursor.layer, cursor.direction, cursor.batch)
        if self._memory is None or self._memory[0] != run:
            self._memory = (run, memory_of(session))
        return self._memory[1]

    def show(self, session: Session) -> None:
        if self.changed(session.cursor):
            lines = value_lines(session, self.notation)
            self.lines.set_lines(lines + reason_lines(session, self._remembered(session), self.notation))
            self.set_title(f"Values: unit {session.cursor.unit}")


def value_lines(session: Session, notation: Notation) -> list[Spans]:
    """The header, then a line for each quantity in order of evaluation, states first."""
    cell, unit = session.cell, session.cursor.unit
    ordered = [*cell.states, *(q for q in cell.quantities if q not in cell.states)]
    changed = session.trace is not session.baseline
    was = f" {'was':>8}" if changed else ""
    lines: list[Spans] = [((f"{'':5} {'value':>8}{was} {'∂L total':>8} {'‖·‖':>8}", "muted"),)]
    for quantity in ordered:
        values = vector(session, quantity)
        if unit >= len(values):
            continue
        with np.errstate(all="ignore"):
            norm = float(np.linalg.norm(values.astype(np.float64)))
        value, derivative = notation.number(float(values[unit])), _derivative(session, quantity, notation)
        recorded = f" {notation.number(_recorded(session, quantity)):>8}" if changed else ""
        numbers = f" {value:>8}{recorded} {derivative:>8} {notation.number(norm):>8}"
        lines.append(((f"{quantity:5}", quantity), (numbers, "number")))
    return lines


@dataclass(frozen=True)
class Memory:
    """How long one sequence is remembered."""

    half_lives: Array | None
    """Timesteps, (units,); None in a cell without a gate that keeps."""
    reach: Reach | None
    """How far back the gradient goes; None for a run that has none."""


def memory_of(session: Session) -> Memory:
    """Of the selected run, layer, direction and sequence; reads all of it."""
    try:
        reach = gradient_reach(session)
    except UserError:
        reach = None
    return Memory(half_lives(session), reach)


def reason_lines(session: Session, memory: Memory, notation: Notation) -> list[Spans]:
    """Why the gradient survived or died on its way back to the timestep before, and how far memory goes."""
    lines: list[Spans] = []
    unit, halves, reach = session.cursor.unit, memory.half_lives, memory.reach
    try:
        for split in routes_at(session, notation):
            lines += [((survival(split, notation), "text"),), route_line(split, unit, notation)]
    except UserError as error:  # a run whose loss cannot be differentiated again has values only
        lines.append(((str(error), "muted"),))
    if halves is not None and unit < len(halves):
        steps = notation.number(float(halves[unit]))
        lines.append(((f"unit {unit} forgets half in {steps} timesteps", "text"),))
    if reach is not None:
        steps = notation.number(reach.steps)
        text = f"‖∂L/∂{reach.state}‖ falls to 1/e within {steps} timesteps back from t={reach.start}"
        lines.append(((text, "text"),))
    return lines


def route_line(split: Split, unit: int, notation: Notation) -> Spans:
    """Every route of a derivative: its part at the unit, and its share of the whole vector."""
    spans: Spans = ()
    for route, share in zip(split.routes, split.shares, strict=True):
        part = notation.number(float(route.values[unit])) if unit < len(route.values) else ""
        percent = f" {share:.0%}" if np.isfinite(share) else ""
        spans = (*spans, (f"  {route.name} ", "muted"), (part, "number"), (percent, "muted"))
    return spans


def _derivative(session: Session, quantity: str, notation: Notation) -> str:
    """The total derivative, or a dash where the run has none."""
    try:
        return notation.number(float(vector(session, "d" + quantity)[session.cursor.unit]))
    except UserError:
        return "-" if notation.ascii else "–"


def _recorded(session: Session, quantity: str) -> float:
    cursor = session.cursor
    every = session.baseline.values(quantity, cursor.layer, cursor.direction)
    return float(every[cursor.t, cursor.batch, cursor.unit])

"""Panel 9: every quantity of one unit at this timestep, with the total derivative by it."""

from __future__ import annotations

import numpy as np

from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.errors import UserError
from lstmtui.session import Session, vector
from lstmtui.session.horizon import half_lives
from lstmtui.session.routes import routes_at
from lstmtui.session.split import survival
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
        self._half_lives: tuple[object, Array | None] | None = None

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.lines

    def _half_life(self, session: Session) -> float | None:
        """Of the selected unit; those of all units are worked out once for each run and sequence."""
        cursor = session.cursor
        run = (id(session.trace), cursor.layer, cursor.direction, cursor.batch)
        if self._half_lives is None or self._half_lives[0] != run:
            self._half_lives = (run, half_lives(session))
        every = self._half_lives[1]
        return None if every is None or cursor.unit >= len(every) else float(every[cursor.unit])

    def show(self, session: Session) -> None:
        if self.changed(session.cursor):
            lines = value_lines(session, self.notation)
            self.lines.set_lines(lines + reason_lines(session, self._half_life(session), self.notation))
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


def reason_lines(session: Session, half_life: float | None, notation: Notation) -> list[Spans]:
    """Why the gradient survived or died on its way back to the timestep before, and the unit's memory."""
    lines: list[Spans] = []
    try:
        lines += [((survival(split, notation), "text"),) for split in routes_at(session, notation)]
    except UserError as error:  # a run whose loss cannot be differentiated again has values only
        lines.append(((str(error), "muted"),))
    if half_life is not None:
        text = f"unit {session.cursor.unit} forgets half in {notation.number(half_life)} timesteps"
        lines.append(((text, "text"),))
    return lines


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

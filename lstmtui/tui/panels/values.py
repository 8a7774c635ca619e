"""Panel 9: every quantity of one unit at this timestep, with the total derivative by it."""

from __future__ import annotations

import numpy as np

from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.session import Session, vector
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
        self.lines = TextLines(look)
        self.notation = ASCII if look.ascii else UNICODE

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.lines

    def show(self, session: Session) -> None:
        if self.changed(session.cursor):
            self.lines.set_lines(value_lines(session, self.notation))
            self.set_title(f"Values: unit {session.cursor.unit}")


def value_lines(session: Session, notation: Notation) -> list[Spans]:
    """The header, then a line for each quantity in order of evaluation, states first."""
    cell, unit = session.cell, session.cursor.unit
    ordered = [*cell.states, *(q for q in cell.quantities if q not in cell.states)]
    lines: list[Spans] = [((f"{'':5} {'value':>8} {'∂L total':>8} {'‖·‖':>8}", "muted"),)]
    for quantity in ordered:
        values = vector(session, quantity)
        derivatives = vector(session, "d" + quantity)
        if unit >= len(values):
            continue
        with np.errstate(all="ignore"):
            norm = float(np.linalg.norm(values.astype(np.float64)))
        value, derivative = (notation.number(float(v[unit])) for v in (values, derivatives))
        numbers = f" {value:>8} {derivative:>8} {notation.number(norm):>8}"
        lines.append(((f"{quantity:5}", quantity), (numbers, "number")))
    return lines

"""The chain rule with the numbers of one timestep: what a derivative becomes on a way back."""

from __future__ import annotations

import numpy as np

from lstmtui.analysis.equations import state_before
from lstmtui.analysis.passages import passed
from lstmtui.analysis.term_values import parameter_block, why_missing
from lstmtui.arrays import Vector
from lstmtui.cells.chain_rule import Way
from lstmtui.cells.terms import Term, evaluate
from lstmtui.trace import Trace


class Timestep:
    """One timestep of one sequence: its values and total derivatives in float64.

    Args:
        trace: the run.
        place: layer, direction and sequence.
        t: the timestep.
    """

    def __init__(self, trace: Trace, place: tuple[int, str, int], t: int) -> None:
        self._trace, self._place, self.t = trace, place, t
        self._parameters = trace.layer_parameters(*place[:2], t)

    def derivative(self, quantity: str) -> Vector:
        """The total derivative by a quantity, (units,)."""
        layer, direction, batch = self._place
        return np.asarray(self._trace.values("d" + quantity, layer, direction)[self.t, batch], np.float64)

    def value(self, term: Term) -> Vector:
        """A term of this timestep's equations, (units,); a matrix as it is.

        Raises:
            UserError: the trace does not hold a parameter.
        """
        return np.asarray(evaluate(term, self._value_of), np.float64)

    def back(self, quantity: str, way: Way) -> Vector:
        """What the derivative by a quantity becomes along a way back through its equation, (units,)."""
        values = self.derivative(quantity)
        for passage in way:
            values = np.asarray(passed(values, passage, self.value), np.float64)
        return values

    def _value_of(self, symbol: Term) -> Vector:
        layer, direction, batch = self._place
        if symbol.role == "parameter":
            cell = self._trace.cell(layer)
            why = why_missing(self._trace, layer)
            return parameter_block(symbol.text, cell, self._parameters, "the routes of the gradient", why)
        if symbol.definition is None and symbol.role != "x":
            return np.asarray(state_before(self._trace, *self._place, symbol.role, self.t), np.float64)
        values: Vector = self._trace.values(symbol.role, layer, direction)[self.t, batch]
        return np.asarray(values, np.float64)

"""The chain rule with the numbers of one timestep: what a derivative becomes on a way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstmtui.analysis.equations import state_before, timestep_before
from lstmtui.analysis.passages import passed
from lstmtui.analysis.term_values import parameter_block, why_missing
from lstmtui.arrays import Vector
from lstmtui.cells.chain_rule import Way, slope_text
from lstmtui.cells.notation import Notation
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term, evaluate
from lstmtui.trace import Trace


class Timestep:
    """One timestep of one sequence: its values and total derivatives in float64, and how they are written.

    Args:
        trace: the run.
        place: layer, direction and sequence.
        t: the timestep.
        notation: Unicode or ASCII signs.
    """

    def __init__(self, trace: Trace, place: tuple[int, str, int], t: int, notation: Notation) -> None:
        self._trace, self._place, self.t, self.notation = trace, place, t, notation
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

    def text(self, term: Term) -> str:
        """A term as it is written, with the timestep of each value; in brackets where it is a sum."""
        written = text(render(self._timed(term), self.notation, numeric=False, expand=False))
        return f"({written})" if term.kind in ("+", "-") else written

    def back(self, quantity: str, way: Way) -> tuple[str, Vector]:
        """How the derivative by a quantity goes back along a way through its equation: text, values."""
        values, texts = self.derivative(quantity), [self.notation.at("d" + quantity, self.t)]
        join = self.notation.times.join
        for number, passage in enumerate(way, 1):
            kind, term, position = passage
            values = np.asarray(passed(values, passage, self.value), np.float64)
            inside = f"({join(texts)})" if len(texts) > 1 else texts[0]
            if kind == "minus":
                texts = [self.notation.minus + texts[0], *texts[1:]]
            elif kind == "matrix":
                texts = [term.text + ("^T" if self.notation.ascii else "ᵀ"), inside]
            elif kind == "slope":
                texts = [*texts, self._slope_text(term, position)]
            elif kind == "over":
                texts = [f"{inside}/{self.text(term)}"]
            elif kind == "layer_norm":
                texts = ["LN" + ("'^T" if self.notation.ascii else "′ᵀ"), inside]
            else:
                # What is multiplied last stands first, as it does in a product with a matrix.
                texts = [self.text(term), *texts] if number == len(way) else [*texts, self.text(term)]
        return join(texts), values

    def _slope_text(self, term: Term, position: int) -> str:
        return slope_text(term, position, self.text, self.text(term), self.notation)

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

    def _timed(self, term: Term) -> Term:
        if term.kind == "symbol" and term.role not in ("parameter", "x"):
            t = timestep_before(self.t, self._place[1]) if term.definition is None else self.t
            return replace(term, text=self.notation.at(term.role, t))
        return replace(term, parts=tuple(self._timed(part) for part in term.parts))

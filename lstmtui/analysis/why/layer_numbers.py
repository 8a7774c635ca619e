"""The numbers of one layer and direction in one sequence, in float64: what terms of its equations come to."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from lstmtui.analysis.term_values import parameter_block, why_missing
from lstmtui.arrays import Array, Vector
from lstmtui.cells.arithmetic import OPERATIONS, dense
from lstmtui.cells.terms import Term, evaluate
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of


class LayerNumbers:
    """The recorded numbers of a layer, by place in the order in which the layer saw time.

    Place 0 is the first timestep that it saw: t = 0, or the last one in the backward direction. Of arrays on
    disk no more is read than what is asked for.

    Args:
        trace: the run.
        layer: which.
        direction: "forward" or "backward".
        batch: the sequence.
        t: the timestep whose parameters are meant, where they changed within the run; None: those of all.
    """

    def __init__(self, trace: Trace, layer: int, direction: str, batch: int, t: int | None = None) -> None:
        self.trace, self.place, self.batch, self._t = trace, (layer, direction), batch, t
        self.layer, self.cell = trace.layers[layer], trace.cell(layer)
        self.length = int(lengths_of(trace, layer)[batch])
        self.is_backward = direction == "backward"
        self._blocks: dict[str, Array] = {}

    @cached_property
    def definitions(self) -> dict[str, Term]:
        """The term that defines each quantity, in order of evaluation."""
        return self.cell.definitions(projected=bool(self.layer.proj_size))

    def time(self, at: int) -> int:
        """The timestep at a place, and the other way round."""
        return self.length - 1 - at if self.is_backward else at

    # One unit over time.

    def recorded(self, quantity: str, first: int, stop: int, unit: int) -> Vector:
        """A quantity of one unit at the places from `first` to before `stop`."""
        return self._one_unit(self.trace.values(quantity, *self.place), first, stop, unit)

    def state_before(self, state: str, first: int, stop: int, unit: int) -> Vector:
        """A state as each of the places began from it."""
        began = self._began(state)
        if began is not None:
            return self._one_unit(began, first, stop, unit)
        earlier = self.recorded(state, max(0, first - 1), stop - 1, unit)
        return earlier if first else np.concatenate([[self.initial(state, unit)], earlier])

    def initial(self, state: str, unit: int) -> float:
        """A state before the first timestep."""
        values = self.trace.initial(state, *self.place)[self.batch]
        return float(values[unit if len(values) > 1 else 0])

    def was_changed(self, state: str, at: int) -> bool:
        """Whether the model's own loop changed a state, in any unit, before a place."""
        began = self._began(state)
        if began is None or at == 0:
            return False
        before = np.asarray(began[self.time(at), self.batch])
        ended = np.asarray(self.trace.values(state, *self.place)[self.time(at - 1), self.batch])
        return not np.array_equal(before, ended, equal_nan=True)

    # What was put in place of what the equations make.

    def set_units(self, quantity: str, first: int, stop: int) -> Array:
        """Where a what-if has put a quantity in place, at the places from `first` to before `stop`.

        Returns:
            Truths, (places, units).
        """
        result = np.zeros((stop - first, self.layer.size(quantity)), bool)
        for edit in self._edits:
            if edit.quantity == quantity:
                ends = sorted((self.time(edit.start), self.time(edit.stop)))
                span = slice(max(0, ends[0] - first), max(0, ends[1] + 1 - first))
                result[span, slice(None) if edit.unit is None else edit.unit] = True
        return result

    def is_set(self, quantity: str, at: int, unit: int) -> bool:
        """Whether a what-if has put one number in place."""
        units = self.set_units(quantity, at, at + 1)[0] if self._edits else ()
        return bool(len(units) and units[unit if len(units) > 1 else 0])

    @property
    def edited(self) -> frozenset[str]:
        """The quantities that what-ifs have put in place somewhere."""
        return frozenset(edit.quantity for edit in self._edits)

    @cached_property
    def _edits(self) -> tuple[Edit, ...]:
        return tuple(
            edit
            for edit in self.trace.header.edits
            if edit.batch == self.batch
            and edit.layer == self.place[0]
            and (edit.direction == self.place[1] or edit.quantity == "x")
        )

    def column(self, term: Term, first: int, stop: int, unit: int) -> Vector:
        """A term at one unit, at the places from `first` to before `stop`.

        Raises:
            UserError: the trace does not hold a parameter.
        """
        with np.errstate(all="ignore"):
            values = self._column(term, first, stop, unit)
        return np.broadcast_to(np.asarray(values, np.float64), (stop - first,))

    def _column(self, term: Term, first: int, stop: int, unit: int) -> Array | float:
        if term.kind == "number":
            return term.value
        if term.kind == "symbol" and term.role == "parameter":
            block = self.parameter(term.text)
            return float(block[unit] if block.ndim and len(block) > 1 else block.ravel()[0])
        if term.kind == "symbol":
            is_old = term.definition is None and term.role != "x"
            read = self.state_before if is_old else self.recorded
            return read(term.role, first, stop, unit)
        if term.kind == "@":
            matrix, operand = term.parts
            return np.asarray(self.whole(operand, first, stop) @ self.matrix(matrix.text)[unit])
        if term.kind == "layer_norm":
            return np.asarray(self.whole(term, first, stop)[:, unit])
        parts = [self._column(part, first, stop, unit) for part in term.parts]
        return np.asarray(OPERATIONS[term.kind](*parts))

    # All units.

    def whole(self, term: Term, first: int, stop: int) -> Array:
        """A term at every unit, (places, units); a matrix as it is."""

        def value_of(symbol: Term) -> Array:
            if symbol.role == "parameter":
                return self.parameter(symbol.text)
            if symbol.definition is None and symbol.role != "x":
                return self._vectors_before(symbol.role, first, stop)
            return self.vectors(symbol.role, first, stop)

        with np.errstate(all="ignore"):
            return np.asarray(evaluate(term, value_of), np.float64)

    def vectors(self, quantity: str, first: int, stop: int) -> Array:
        """A quantity or a derivative, (places, units)."""
        array = self.trace.values(quantity, *self.place)
        return self._between(array, first, stop)

    def _vectors_before(self, state: str, first: int, stop: int) -> Array:
        began = self._began(state)
        if began is not None:
            return self._between(began, first, stop)
        earlier = self.vectors(state, max(0, first - 1), stop - 1)
        if first:
            return earlier
        initial = np.asarray(self.trace.initial(state, *self.place)[self.batch], np.float64)
        return np.concatenate([initial[None], earlier])

    def _between(self, array: Array, first: int, stop: int) -> Array:
        return self._in_order(array[self._times(first, stop), self.batch])

    def _one_unit(self, array: Array, first: int, stop: int, unit: int) -> Vector:
        at = unit if array.shape[-1] > 1 else 0
        return self._in_order(array[self._times(first, stop), self.batch, at])

    def _times(self, first: int, stop: int) -> slice:
        return slice(self.length - stop, self.length - first) if self.is_backward else slice(first, stop)

    def _in_order(self, values: Array) -> Vector:
        exact = np.asarray(values, np.float64)
        return exact[::-1] if self.is_backward else exact

    def _began(self, state: str) -> Array | None:
        return self.trace.arrays.get(array_key("before/" + state, *self.place))

    # Parameters.

    def parameter(self, symbol: str) -> Array:
        """What a symbol of the equations stands for, in float64; two biases are added.

        0 for a bias that the layer does not have.

        Raises:
            UserError: the trace does not hold it.
        """
        if not self.has_parameter(symbol):
            return np.zeros(1)
        if symbol not in self._blocks:
            every = self.trace.layer_parameters(*self.place, self._t)
            why = why_missing(self.trace, self.place[0])
            self._blocks[symbol] = parameter_block(symbol, self.cell, every, "the parts of a sum", why)
        return self._blocks[symbol]

    def has_parameter(self, symbol: str) -> bool:
        """Whether the layer has it: one without biases has none."""
        return self.layer.bias or any(b.parameter.needs != "bias" for b in self.cell.blocks[symbol])

    def matrix(self, symbol: str) -> Array:
        """A matrix, (rows, columns); a block-diagonal one with the zeros around its blocks."""
        return np.asarray(dense(self.parameter(symbol)))

"""What an expression can see of a view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lstmtui.analysis.first_bad.values import first_bad_timestep
from lstmtui.analysis.term_values import why_missing
from lstmtui.arrays import Array
from lstmtui.expressions.parameters import parameter_numbers, shapes_by_symbol
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.view import View


class Scope(Protocol):
    """One sequence in one layer and direction of a run."""

    @property
    def steps(self) -> int:
        """The number of timesteps of the sequence."""

    @property
    def loss(self) -> float:
        """What the gradients are taken of."""

    @property
    def first_bad(self) -> int:
        """The timestep of the first NaN or inf of the sequence in the run; −1 where there is none."""

    @property
    def backward(self) -> bool:
        """Whether the timestep before t is t + 1."""

    @property
    def base(self) -> Scope | None:
        """The same place in the run without what-ifs; None where this is that run."""

    def names(self) -> tuple[str, ...]:
        """The quantities there are."""

    def absent(self, quantity: str) -> str:
        """Why a quantity has no derivative, in a sentence; empty where it has one."""

    def window(self, quantity: str, start: int, stop: int) -> Array:
        """A quantity from `start` to before `stop`, shape (timesteps, units)."""

    def bound(self, quantity: str, start: int, stop: int) -> Array | None:
        """Where code has bound a quantity, bool (timesteps,); None where it always has."""

    def shape(self, quantity: str) -> tuple[int, ...]:
        """The axes that its units are numbered along, the last one fastest: (units,) for most."""

    def initial(self, quantity: str) -> Array | None:
        """h or c before the first timestep, shape (units,); None for every other quantity."""

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters there are, by their symbols in the equations."""

    def parameter(self, symbol: str) -> Array:
        """A parameter, float64."""


@dataclass(frozen=True, eq=False)
class TraceScope:
    """The scope of one sequence, layer and direction of a trace."""

    trace: Trace
    layer: int = 0
    direction: str = "forward"
    batch: int = 0
    base: Scope | None = None

    @property
    def steps(self) -> int:
        """The number of timesteps that the layer has of the sequence."""
        return int(lengths_of(self.trace, self.layer)[self.batch])

    @property
    def loss(self) -> float:
        """What the gradients are taken of."""
        return self.trace.loss

    @property
    def first_bad(self) -> int:
        """The timestep of the first NaN or inf of the sequence in the run; −1 where there is none."""
        return first_bad_timestep(self.trace, self.batch)

    @property
    def backward(self) -> bool:
        """Whether the timestep before t is t + 1."""
        return self.direction == "backward"

    def names(self) -> tuple[str, ...]:
        """The quantities there are."""
        return self._names

    def absent(self, quantity: str) -> str:
        """Why a quantity has no derivative, in a sentence; empty where it has one."""
        return self.trace.absent(self.layer, quantity)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return self.trace.quantities(self.layer)

    def window(self, quantity: str, start: int, stop: int) -> Array:
        """A quantity from `start` to before `stop`, shape (timesteps, units)."""
        every = self.trace.values(quantity, self.layer, self.direction)
        if start >= stop:  # how many units there are is known also where the arrays are not
            return np.empty((0, every.shape[2]), every.dtype)
        return np.asarray(every[start:stop, self.batch])

    def bound(self, quantity: str, start: int, stop: int) -> Array | None:
        """Where code has bound a quantity, bool (timesteps,); None where it always has."""
        bound = self.trace.arrays.get(array_key("bound/" + quantity, self.layer, self.direction))
        return None if bound is None else np.asarray(bound[start:stop])

    def shape(self, quantity: str) -> tuple[int, ...]:
        """The axes that its units are numbered along, the last one fastest: (units,) for most."""
        shape = self.trace.layers[self.layer].shape(quantity)
        return shape or self.trace.values(quantity, self.layer, self.direction).shape[2:]

    def initial(self, quantity: str) -> Array | None:
        """h or c before the first timestep, shape (units,); None for every other quantity."""
        states = self.trace.cell(self.layer).states
        if quantity not in states or quantity not in self.trace.initial_states(self.layer, self.direction):
            return None
        return np.asarray(self.trace.initial(quantity, self.layer, self.direction)[self.batch])

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters there are, by their symbols in the equations."""
        cell, there = self.trace.cell(self.layer), self.trace.layer_parameters(self.layer, self.direction)
        return shapes_by_symbol(cell, {name: array.shape for name, array in there.items()})

    def parameter(self, symbol: str) -> Array:
        """One of them, float64."""
        parameters = self.trace.layer_parameters(self.layer, self.direction)
        why = why_missing(self.trace, self.layer)
        return parameter_numbers(symbol, self.trace.cell(self.layer), parameters, why)


def scope_of(view: View) -> Scope:
    """What an expression sees at the cursor of a view, the run without what-ifs included."""
    cursor = view.cursor
    place = (cursor.layer, cursor.direction, cursor.batch)
    base = None if view.baseline is view.trace else TraceScope(view.baseline, *place)
    return TraceScope(view.trace, *place, base)

"""The meaning of an expression: its value at some timesteps, all at once."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.expressions.fitting import unit_number
from lstmtui.expressions.nodes import (
    Base,
    Comparison,
    Elementwise,
    Node,
    Number,
    ParameterNumbers,
    Previous,
    Quantity,
    Reduction,
    RunScalar,
    Unit,
)
from lstmtui.expressions.operations import compared, elementwise, number, reduced
from lstmtui.expressions.scope import Scope


def evaluate(node: Node, scope: Scope, times: range) -> Array:
    """The value of a node at each of `times`, which ascend and lie inside the sequence.

    Returns:
        (timesteps, units) for a vector, (timesteps, 1) for a scalar, or (1, 1) for one that is the same at
        every timestep; bool or a float type.
    """
    with np.errstate(all="ignore"):
        return _Block(scope, times).value(node)


class _Block:
    """Some timesteps of a scope."""

    def __init__(self, scope: Scope, times: range, shift: int = 0) -> None:
        self._scope, self._times = scope, times
        self._shift = shift
        self._read: dict[str, Array] = {}
        self._previous: _Block | None = None
        self._base: _Block | None = None

    def value(self, node: Node) -> Array:
        """The value of a node at these timesteps."""
        match node:
            case Number():
                return np.full((1, 1), node.value)
            case RunScalar():
                return self._scalar(node.name)
            case Quantity():
                return self._quantity(node.name)
            case ParameterNumbers():
                return np.reshape(self._scope.parameter(node.name)[node.indices], (1, -1))
            case Previous():
                return self._at_previous().value(node.operand)
            case Base():
                return self._in_base().value(node.operand)
            case Unit():
                return self.value(node.operand)[:, unit_number(node, self._scope), None]
            case Reduction():
                return reduced(node.name, self.value(node.operand))
            case Elementwise():
                return elementwise(node.name, [self.value(operand) for operand in node.operands])
            case Comparison():
                return self._comparison(node)

    def _comparison(self, node: Comparison) -> Array:
        """Each operand is evaluated once, so that chains inside chains stay cheap."""
        left = self.value(node.operands[0])
        result: Array | None = None
        for sign, operand in zip(node.signs, node.operands[1:], strict=True):
            right = self.value(operand)
            holds = compared(sign, left, right)
            result = holds if result is None else result & holds
            left = right
        assert result is not None
        return result

    def _scalar(self, name: str) -> Array:
        if name == "loss":
            return np.full((1, 1), float(self._scope.loss))
        if name == "firstbad":
            return np.full((1, 1), float(self._scope.first_bad))
        return (np.arange(self._times.start, self._times.stop, self._times.step) + float(self._shift))[
            :, None
        ]

    def _quantity(self, name: str) -> Array:
        if name not in self._read:
            self._read[name] = self._shifted(name)
        return self._read[name]

    def _shifted(self, name: str) -> Array:
        """A quantity `shift` timesteps away; beyond the ends there are only the initial states."""
        steps, times = self._scope.steps, self._times
        at = range(times.start + self._shift, times.stop + self._shift, times.step)
        before = len(range(at.start, min(at.stop, 0), at.step))
        stop = len(range(at.start, min(at.stop, steps), at.step))
        read = self._window(name, at[before:stop])
        if len(read) == len(at):
            return read
        values = np.full((len(at), read.shape[1]), np.nan)
        values[before:stop] = read
        first = steps if self._scope.backward else -1
        initial = self._scope.initial(name) if first in at else None
        if initial is not None:
            values[at.index(first)] = initial
        return values

    def _window(self, name: str, at: range) -> Array:
        start, stop = (at[0], at[-1] + 1) if at else (0, 0)
        values = self._scope.window(name, start, stop)[:: at.step]
        return values if values.dtype.kind == "f" else number(values)

    def _at_previous(self) -> _Block:
        if self._previous is None:
            shift = self._shift + (1 if self._scope.backward else -1)
            self._previous = _Block(self._scope, self._times, shift)
        return self._previous

    def _in_base(self) -> _Block:
        if self._base is None:
            base = self._scope.base
            self._base = self if base is None else _Block(base, self._times, self._shift)
        return self._base

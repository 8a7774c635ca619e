"""Whether a condition holds anywhere in a run: in any layer, direction, sequence and timestep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lstmtui.arrays import Array
from lstmtui.expressions import Expression, ExpressionError, Scope
from lstmtui.expressions.nodes import Node, Previous, RunScalar, children
from lstmtui.expressions.parameters import shapes_by_symbol
from lstmtui.expressions.scope import TraceScope
from lstmtui.trace import Layer, Trace
from lstmtui.trace.lengths import lengths_of


@dataclass(frozen=True)
class ConditionPlace:
    """Where a condition holds."""

    t: int
    layer: int
    direction: str
    batch: int

    def __str__(self) -> str:
        return f"t={self.t}, layer {self.layer} {self.direction}, batch {self.batch}"


class WholeRunCondition:
    """A condition on a whole run.

    Args:
        expression: for each sequence of a layer and direction, at each of its timesteps.
    """

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self._alone = _takes_turns(expression._root)

    @property
    def text(self) -> str:
        """As it was written."""
        return self.expression.text

    @property
    def reads(self) -> frozenset[str]:
        """The quantities it reads."""
        return self.expression.quantities

    def check(self, layers: Sequence[Layer]) -> None:
        """Raise an error if the condition applies to none of these layers.

        Raises:
            ExpressionError: it applies to none of them, or it reads the loss, which no layer has; the latter
                is an error even without any layers.
        """
        for node in _nodes(self.expression._root):
            if isinstance(node, RunScalar) and node.name in ("loss", "firstbad"):
                raise ExpressionError(f"{node.name} is not known here", node.start)
        errors = []
        for layer in layers:
            try:
                self.expression.check(_Sizes(layer), condition=True)
            except ExpressionError as error:
                errors.append(error)
        if errors and len(errors) == len(layers):
            raise errors[0]

    def first(self, trace: Trace) -> ConditionPlace | None:
        """The earliest timestep at which it holds; None where it holds nowhere.

        Layers that have not all the quantities, or not the units, are passed over.
        """
        places = []
        for layer, recorded in enumerate(trace.layers):
            for direction in recorded.directions:
                try:
                    at = np.argwhere(self._holds(trace, layer, direction))
                except ExpressionError:
                    continue
                if len(at):
                    places.append(ConditionPlace(int(at[0, 0]), layer, direction, int(at[0, 1])))
        return min(places, key=lambda place: (place.t, place.layer), default=None)

    def _holds(self, trace: Trace, layer: int, direction: str) -> Array:
        """Bool (T, B): not past the end of a sequence, nor where code has not bound the names."""
        lengths = lengths_of(trace, layer)
        if self._alone:
            holds = np.zeros((trace.steps, trace.batch), np.bool_)
            for batch, length in enumerate(map(int, lengths)):
                if length:
                    scope = TraceScope(trace, layer, direction, batch)
                    holds[:length, batch] = self.expression.holds(scope, range(length))
            return holds
        flat = _Flat(trace, layer, direction)
        holds = self.expression.holds(flat, range(flat.steps)).reshape(trace.steps, trace.batch)
        return holds & (np.arange(trace.steps)[:, None] < lengths)


class _Flat(TraceScope):
    """All sequences of a layer and direction as one, which is faster where timesteps are not compared."""

    @property
    def steps(self) -> int:
        """Timesteps times sequences."""
        return self.trace.steps * self.trace.batch

    def window(self, quantity: str, start: int, stop: int) -> Array:
        """A quantity, shape (places, units)."""
        values = self.trace.values(quantity, self.layer, self.direction)
        return np.asarray(values).reshape(self.steps, -1)[start:stop]

    def bound(self, quantity: str, start: int, stop: int) -> Array | None:
        """Where code has bound a quantity, bool (places,); None where it always has."""
        bound = super().bound(quantity, 0, self.trace.steps)
        return None if bound is None else np.repeat(bound, self.trace.batch)[start:stop]


@dataclass(frozen=True)
class _Sizes:
    """The scope of a layer without values: it has not run, or its values are not read."""

    layer: Layer
    steps: int = 0
    loss: float = float("nan")
    first_bad: int = -1
    backward: bool = False
    base: Scope | None = None

    def names(self) -> tuple[str, ...]:
        """x, what the cell computes, and the derivatives."""
        names = self.layer.quantities
        return (*names, *("d" + name for name in names if name not in self._whys))

    def window(self, quantity: str, start: int, stop: int) -> Array:
        """No timestep of it."""
        return np.zeros((0, self.layer.size(quantity)))

    def bound(self, quantity: str, start: int, stop: int) -> Array | None:
        """Nothing is known of it."""
        return None

    def absent(self, quantity: str) -> str:
        """Why a name of code has no derivative; of what has not run nothing is known."""
        return self._whys.get(quantity, "")

    @cached_property
    def _whys(self) -> dict[str, str]:
        if self.layer.source is None or self.layer.absent:
            return {}
        return {own.name: own.absent for own in self.layer.source.variables if own.absent}

    def shape(self, quantity: str) -> tuple[int, ...]:
        """The axes of its units."""
        return self.layer.shape(quantity) or (self.layer.size(quantity),)

    def initial(self, quantity: str) -> Array | None:
        """Nothing."""
        return None

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its parameters by symbol."""
        layout = self.layer.layout
        return {} if self.layer.source else shapes_by_symbol(layout.cell, layout.shapes_of(0))

    def parameter(self, symbol: str) -> Array:
        """Zeros."""
        return np.zeros(self.parameters()[symbol])


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _nodes(child)


def _takes_turns(root: Node) -> bool:
    """Whether it matters which timestep follows which."""
    return any(isinstance(n, Previous) or (isinstance(n, RunScalar) and n.name == "t") for n in _nodes(root))

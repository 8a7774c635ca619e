"""An expression of the command language, parsed once and evaluated anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.arrays import Array
from lstmtui.expressions import evaluation, search
from lstmtui.expressions.bound import unbound_names
from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.fitting import units_of
from lstmtui.expressions.nodes import is_vector, quantities_of
from lstmtui.expressions.operations import number
from lstmtui.expressions.parsing import parse
from lstmtui.expressions.scope import Scope
from lstmtui.expressions.vocabulary import Vocabulary, cell_vocabulary


class Expression:
    """Something to print, watch, expect or stop at; equal to another expression of the same text.

    Args:
        text: as it was written.
        vocabulary: the words it may use; None: those of the cells.

    Raises:
        ExpressionError: it is not one of the language, whatever it is evaluated on.
    """

    def __init__(self, text: str, vocabulary: Vocabulary | None = None) -> None:
        self.text = text
        """As it was written."""
        self.vocabulary = vocabulary or cell_vocabulary()
        """The words it was read with."""
        self._root = parse(text, self.vocabulary)
        self.quantities = quantities_of(self._root)
        """The names of the quantities it reads."""
        self.vector = is_vector(self._root)
        """Whether it is a value for each unit rather than one value."""

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Expression) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, scope: Scope, t: int) -> float | bool | Array:
        """The value at timestep t: a number or a truth, or (units,) of float64 or bool.

        Raises:
            ExpressionError: it does not fit the scope.
            IndexError: the sequence has no timestep t.
        """
        self.check(scope)
        return self._value(scope, t)

    def condition(self, scope: Scope, t: int) -> bool:
        """Whether it holds at timestep t; a number holds when it is not 0, NaN included.

        Raises:
            ExpressionError: it does not fit the scope, or is a value for each unit.
            IndexError: the sequence has no timestep t.
        """
        self.check(scope, condition=True)
        return bool(self._value(scope, t) != 0)

    def search(self, scope: Scope, ts: range) -> int | None:
        """The first t of `ts`, in their order, at which `condition` is true; None if there is none.

        Raises:
            ExpressionError: it does not fit the scope, or is a value for each unit.
            IndexError: the sequence has not all the timesteps.
        """
        self.check(scope, condition=True)
        _check_inside(scope, ts)
        return search.first_hit(self._root, scope, ts, self._widest(scope))

    def holds(self, scope: Scope, ts: range) -> Array:
        """`condition` at each t of `ts`, bool (timesteps,).

        Raises:
            ExpressionError: it does not fit the scope, or is a value for each unit.
            IndexError: the sequence has not all the timesteps.
        """
        self.check(scope, condition=True)
        _check_inside(scope, ts)
        blocks = [search.holds(self._root, scope, b) for b in _blocks(ts, self._widest(scope))]
        return np.concatenate(blocks) if blocks else np.zeros(0, np.bool_)

    def unbound(self, scope: Scope, t: int) -> tuple[str, ...]:
        """The names that it reads at timestep t and the code of the run has not bound where they are read."""
        return unbound_names(self._root, scope, t)

    def check(self, scope: Scope, *, condition: bool = False) -> None:
        """Raise an error if it cannot be evaluated on a scope.

        Args:
            scope: the layer and the sequence it is to be evaluated on.
            condition: it must be one value, not a value for each unit.

        Raises:
            ExpressionError: a quantity is not there, a unit does not exist, vectors differ in size, or it
                is a vector where a condition is asked.
        """
        units_of(self._root, scope, self.text)
        if condition and self.vector:
            text = self.text.strip()
            shown = text if len(text) <= 40 else text[:39] + "…"
            raise ExpressionError(f"{shown} is a value for each unit; write any(…) or all(…)")

    def _value(self, scope: Scope, t: int) -> float | bool | Array:
        _check_inside(scope, range(t, t + 1))
        value = evaluation.evaluate(self._root, scope, range(t, t + 1))[0]
        value = value if value.dtype == np.bool_ else number(value)
        if self.vector:
            return value.copy()
        scalar: float | bool = value[0].item()
        return scalar

    def _widest(self, scope: Scope) -> int:
        names = set(scope.names())
        return max((scope.window(q, 0, 0).shape[1] for q in self.quantities if q in names), default=1)


def _check_inside(scope: Scope, ts: range) -> None:
    if ts and (min(ts) < 0 or max(ts) >= scope.steps):
        raise IndexError(f"t={ts[0]} to t={ts[-1]}: the sequence has t=0 to t={scope.steps - 1}")


def _blocks(ts: range, units: int) -> Iterator[range]:
    size = max(1, search.VALUES_OF_A_BLOCK // max(1, units))
    return (ts[start : start + size] for start in range(0, len(ts), size))

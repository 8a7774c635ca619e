"""What a graph computes from what its recurrent nodes gave, operation by operation. No torch.

Only then can a gradient go through it: numbers that recurrent nodes have no part in are constants there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.constants import attributes
from lstmtui.models.onnx.model import OWN_DOMAINS, opset_of
from lstmtui.models.onnx.steps import names_taken

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST_OPERATIONS = 1 << 18
MOST_NUMBERS = 1 << 28
"""The most numbers that all constants may have together, and all that is computed of them."""
_WITHOUT_GRADIENT = frozenset((
    "Shape", "Size", "ArgMax", "ArgMin", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And",
    "Or", "Not", "IsNaN", "IsInf", "NonZero", "Sign", "Floor", "Ceil", "Round",
))  # fmt: skip
"""What these give does not change, or jumps, where the numbers change that they take."""


@dataclass(frozen=True)
class Operation:
    """One node that has run."""

    operator: str
    """As ONNX calls it, behind its domain where that is not ONNX's own."""
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[int, ...]
    """The numbers of the values; −1 for one that is left out."""
    outputs: tuple[int, ...]


@dataclass
class Tape:
    """Operations in the order in which they ran, with the values that they take from elsewhere.

    A value is known again by its array, so that it keeps its number where a branch, a loop or the next call
    of the graph is given it.
    """

    operations: list[Operation] = field(default_factory=list)
    constants: dict[int, Array] = field(default_factory=dict)
    """By number: the values that no recurrent node has a part in."""
    _numbers: dict[int, tuple[int, Any]] = field(default_factory=dict)
    """By the identity of an array: its number, and the array, which must not go meanwhile."""
    _derived: set[int] = field(default_factory=set)
    _count: int = 0
    _size: int = 0

    def given(self, arrays: Sequence[Any]) -> tuple[int, ...]:
        """The numbers of what a recurrent node has given."""
        return tuple(self._named(array, self._fresh()) for array in arrays)

    def number_of(self, array: Any) -> int:
        """The number of a value that a recurrent node has a part in; −1 of every other."""
        number, _ = self._numbers.get(id(array), (-1, None))
        return number if number in self._derived else -1

    def cannot_follow(self, operator: str, arrays: Sequence[Any]) -> None:
        """Say that some operator gave these, through which no gradient goes."""
        self._add(Operation(operator, 0, {}, (), self.given(arrays)))

    def stacked(self, result: Any, parts: Sequence[Any], axis: int) -> None:
        """Say that an array is several others along a new axis."""
        if any(self.number_of(part) >= 0 for part in parts):
            inputs = tuple(self._kept(part) for part in parts)
            own = {"axis": axis, "new_axis": 1}
            self._add(Operation("ConcatFromSequence", 11, own, inputs, self.given([result])))

    def taken(self, result: Any, array: Any, axis: int, index: int) -> None:
        """Say that an array is what another has at an index of an axis."""
        if (number := self.number_of(array)) >= 0:
            inputs = number, self._kept(np.array(index))
            self._add(Operation("Gather", 13, {"axis": axis}, inputs, self.given([result])))

    def derived_nodes(self, nodes: Sequence[Any], scope: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
        """The nodes of a stretch that recurrent nodes have a part in, and what else of it they take.

        Args:
            nodes: of the stretch.
            scope: what the stretch is given, by name.
        """
        derived = {name for name, value in scope.items() if self.number_of(value) >= 0}
        own: set[str] = set()
        kept, taken = [], dict[str, None]()
        for node in nodes:
            names = names_taken([node])
            if not derived.isdisjoint(names) and node.op_type not in _WITHOUT_GRADIENT:
                kept.append(node)
                derived.update(name for name in node.output if name)
                taken |= {name: None for name in names if name in own}
            else:
                own.update(name for name in node.output if name)
                derived -= own
        return kept, list(taken)

    def add(self, nodes: Sequence[Any], versions: Mapping[str, int], value: Callable[[str], Any],
            results: Mapping[str, Any]) -> None:  # fmt: skip
        """Keep the nodes of a stretch that recurrent nodes have a part in.

        Args:
            nodes: as `derived_nodes` gave them.
            versions: of their operators, by domain.
            value: gives what is given to the stretch, or computed there beside, by name.
            results: what the stretch gave, by name.
        """
        numbers: dict[str, int] = {}
        for node in nodes:
            taken = [*node.input, *(name for name in names_taken([node]) if name not in {*node.input})]
            inputs = tuple(self._taken(name, numbers, value) for name in taken)
            numbers |= {name: self._fresh() for name in node.output if name}
            outputs = tuple(numbers.get(name, -1) for name in node.output)
            domain = "" if node.domain in OWN_DOMAINS else node.domain + "."
            plain = {key: _plain(own) for key, own in attributes(node).items()}
            self._add(Operation(domain + node.op_type, opset_of(dict(versions)), plain, inputs, outputs))
        for name, array in results.items():
            if name in numbers:
                self._named(array, numbers[name])

    def _taken(self, name: str, numbers: Mapping[str, int], value: Callable[[str], Any]) -> int:
        if not name or name in numbers:
            return numbers.get(name, -1)
        return self._kept(value(name))

    def _kept(self, array: Any) -> int:
        """The number of a value, which is kept where no recurrent node has a part in it."""
        if (number := self.number_of(array)) >= 0:
            return number
        if id(array) not in self._numbers:
            self._named(array, self._fresh(), is_derived=False)
            number = self._numbers[id(array)][0]
            is_plain = isinstance(array, np.ndarray) and array.dtype.kind in "fiub"
            self.constants[number] = array if is_plain else np.zeros(0)  # No text, and no sequences.
            self._size += self.constants[number].size
        if self._size > MOST_NUMBERS:
            wrong = f"takes more than {MOST_NUMBERS:,} numbers"
            raise UserError(f"what it computes behind its recurrent nodes {wrong}")
        return self._numbers[id(array)][0]

    def _add(self, operation: Operation) -> None:
        if len(self.operations) >= MOST_OPERATIONS:
            raise UserError(f"it runs more than {MOST_OPERATIONS:,} operations behind its recurrent nodes")
        self.operations.append(operation)

    def _fresh(self) -> int:
        self._count += 1
        self._derived.add(self._count)
        return self._count

    def _named(self, array: Any, number: int, *, is_derived: bool = True) -> int:
        self._numbers[id(array)] = number, array
        if not is_derived:
            self._derived.discard(number)
        return number


def _plain(value: Any) -> Any:
    """An attribute's value as numbers, text, arrays and tuples; None for a graph."""
    from onnx import numpy_helper

    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (int, float, str)):
        return value
    if hasattr(value, "raw_data"):
        return numpy_helper.to_array(value)
    return tuple(_plain(part) for part in value) if isinstance(value, (list, tuple)) else None

"""What went into and came out of the recurrent nodes of a graph, in the order in which they ran. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.layer import OnnxLayer, layer_of
from lstmtui.models.onnx.node import INPUTS, read_node
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST_CALLS = 1 << 18
"""How often recurrent nodes may run."""
MOST_NUMBERS = 1 << 28
"""The most numbers that are kept of a run."""

_WEIGHTS = ("W", "R", "B", "P")
_KEPT = ("X", "sequence_lens", "initial_h", "initial_c")
OUTPUTS = ("Y", "Y_h", "Y_c")


@dataclass(frozen=True)
class TappedNode:
    """One run of a recurrent node."""

    place: str
    call: int
    """Which call of the graph it was in."""
    arrays: dict[str, Array]
    """X, sequence_lens, initial_h, initial_c, Y, Y_h and Y_c, by ONNX's names; those that there are."""
    numbers: Mapping[str, int]
    """Those of the same values on the tape; empty where there is none."""


class Taps:
    """Collects the runs of recurrent nodes.

    Args:
        only: the place of the node that is kept; empty: all are.
    """

    def __init__(self, only: str = "") -> None:
        self._only = only
        self.call = 0
        """The number of the call of the graph that is running."""
        self.layers: dict[str, OnnxLayer] = {}
        """Of each node that has run, by its place, with the parameters that it ran with."""
        self.nodes: list[TappedNode] = []
        self._weights: dict[str, dict[str, Array]] = {}
        self._calls = self._numbers = 0

    def add(
        self, node: Any, place: str, values: Sequence[Any], results: Sequence[Any], numbers: Mapping[str, int]
    ) -> bool:
        """Keep a run of a node, where it is to be recorded, and say whether it is.

        Raises:
            UserError: there are too many, or its weights are others than they were.
        """
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise UserError(f"its recurrent nodes run more than {MOST_CALLS:,} times")
        if self._only and place != self._only:
            return False
        names = INPUTS[node.op_type]
        inputs = {name: v for name, v in zip(names, values, strict=False) if v is not None}
        weights = {name: inputs[name] for name in _WEIGHTS if name in inputs}
        if place not in self.layers:
            self.layers[place] = _layer(node, place, values)
            self._weights[place] = weights
        elif not all(_is_same(array, self._weights[place][name]) for name, array in weights.items()):
            wrong = "its weights change while the graph runs, and those of our cells stay as they are"
            self.layers[place] = OnnxLayer(place, None, wrong)
        if self.layers[place].layout is None:
            return False
        arrays = {name: inputs[name] for name in _KEPT if name in inputs}
        arrays |= dict(zip(OUTPUTS, results, strict=False))
        self._numbers += sum(array.size for array in arrays.values())
        if self._numbers > MOST_NUMBERS:
            raise UserError(f"its recurrent nodes take and give more than {MOST_NUMBERS:,} numbers")
        self.nodes.append(TappedNode(place, self.call, arrays, numbers))
        return True


def with_all_outputs(node: Any, place: str) -> Any:
    """A recurrent node with names for all of its outputs."""
    own = type(node)()
    own.CopyFrom(node)
    names = [*node.output, "", ""][: 3 if node.op_type == "LSTM" else 2]
    del own.output[:]
    own.output.extend(name or f"{place} {OUTPUTS[n]}" for n, name in enumerate(names))
    return own


class _Values:
    """The values that a node is given, in place of constants."""

    def __init__(self, node: Any, values: Sequence[Any]) -> None:
        self._values = dict(zip(node.input, values, strict=False))

    def array(self, name: str) -> Array:
        """The value of a name."""
        value = np.asarray(self._values[name])
        return value.astype(np.float32) if value.dtype == np.float16 else value


def _layer(node: Any, place: str, values: Sequence[Any]) -> OnnxLayer:
    """The layer that a node is with the weights it is given; without a layout where our cells have none."""
    try:
        read = read_node(node, place, _Values(node, values))  # type: ignore[arg-type]
    except UserError as error:
        return OnnxLayer(place, None, printable(str(error)))
    return layer_of([replace(read, initial={}, computed=(), lengths=None, notes=())])


def _is_same(a: Array, b: Array) -> bool:
    return a is b or np.array_equal(a, b)

"""The constants of an ONNX graph: what its initializers hold, and what plain nodes make of them. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx_tensors import tensor_array
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST_NUMBERS = 1 << 28
"""The most numbers that all constants which are looked at may have together."""
DEEPEST = 64
"""How many nodes a constant may be away from its initializers."""

_SAME_FILL = ("Expand", "Slice", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Cast", "Tile")


class Constants:
    """Evaluates names of a graph, as far as they do not depend on its inputs.

    Exporters cut, join and reshape weights by nodes of the graph: Identity, Cast, Concat, Slice, Squeeze,
    Unsqueeze, Transpose and Reshape of constants are evaluated, nothing else.

    Args:
        graph: the `onnx.GraphProto`.
        folder: the model's, beyond which no external data is read.
    """

    def __init__(self, graph: Any, folder: Path) -> None:
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = {value.name for value in graph.input} - self._initializers.keys()
        self.makers = {output: node for node in graph.node for output in node.output if output}
        self._folder = folder
        self._evaluated: dict[str, Array | None] = {}
        self._numbers = 0

    def array(self, name: str, depth: int = 0) -> Array | None:
        """The value of a name; None where it depends on the graph's inputs, or on nodes we do not evaluate.

        Raises:
            UserError: it cannot be read, or is too large.
        """
        if name not in self._evaluated and depth < DEEPEST:
            try:
                array = self._evaluate(name, depth)
            except (ValueError, IndexError, TypeError, OverflowError) as error:
                raise UserError(f"{printable(name)} cannot be worked out: {printable(str(error))}") from None
            if array is not None:
                self._numbers += array.size
                if self._numbers > MOST_NUMBERS:
                    raise UserError(f"its constants have more than {MOST_NUMBERS:,} numbers")
            self._evaluated[name] = array
        return self._evaluated.get(name)

    def fill(self, name: str, depth: int = 0) -> float | None:
        """The one value that every entry of a name has, whatever its shape; None where there is none."""
        if (array := self.array(name)) is not None:
            filled = array.dtype.kind in "fiub" and array.size and (array == array.flat[0]).all()
            return float(array.flat[0]) if filled else None
        node = self.makers.get(name)
        if node is None or depth > DEEPEST:
            return None
        if node.op_type == "ConstantOfShape":
            value = attributes(node).get("value")
            return 0.0 if value is None else float(tensor_array(value, self._folder).reshape(-1)[0])
        if node.op_type in _SAME_FILL:
            return self.fill(node.input[0], depth + 1)
        if node.op_type == "Concat":
            parts = {self.fill(part, depth + 1) for part in node.input[:DEEPEST]}
            return parts.pop() if len(parts) == 1 and len(node.input) <= DEEPEST else None
        return None

    def _evaluate(self, name: str, depth: int) -> Array | None:
        if name in self._initializers:
            return tensor_array(self._initializers[name], self._folder)
        node = self.makers.get(name)
        if node is None or node.domain not in ("", "ai.onnx"):
            return None
        settings = attributes(node)
        if node.op_type == "Constant":
            return self._constant(settings)
        if node.op_type not in _OPERATIONS:
            return None
        inputs = [self.array(input_name, depth + 1) if input_name else None for input_name in node.input]
        if any(value is None and input_name for value, input_name in zip(inputs, node.input, strict=True)):
            return None
        if sum(value.size for value in inputs if value is not None) > MOST_NUMBERS:
            raise UserError(f"{printable(name)} is made of more than {MOST_NUMBERS:,} numbers")
        return _OPERATIONS[node.op_type](inputs, settings)

    def _constant(self, settings: dict[str, Any]) -> Array | None:
        if "value" in settings:
            return tensor_array(settings["value"], self._folder)
        for key in ("value_float", "value_floats", "value_int", "value_ints"):
            if key in settings:
                return np.asarray(settings[key])
        return None


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node by name, as Python values."""
    from onnx import helper

    values = {}
    for attribute in node.attribute:
        try:
            values[attribute.name] = helper.get_attribute_value(attribute)
        except (ValueError, AttributeError):
            raise UserError(f"its attribute {printable(attribute.name)} has no value") from None
    return values


def _axes(inputs: Sequence[Array | None], settings: dict[str, Any], at: int = 1) -> tuple[int, ...] | None:
    """The axes, which older opsets have as an attribute and newer ones as an input."""
    axes = inputs[at] if len(inputs) > at else None
    if axes is not None:
        return tuple(int(axis) for axis in axes.reshape(-1))
    return tuple(settings["axes"]) if "axes" in settings else None


def _slice(inputs: Sequence[Array | None], settings: dict[str, Any]) -> Array:
    data = _first(inputs)
    parts = [inputs[n] if len(inputs) > n else None for n in (1, 2, 4)]
    starts, ends = (settings[k] if p is None else p for k, p in zip(("starts", "ends"), parts, strict=False))
    axes = _axes(inputs, settings, 3) or tuple(range(len(starts)))
    steps = [1] * len(axes) if parts[2] is None else parts[2]
    where: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            raise ValueError("a slice goes backwards")
        where[axis] = slice(int(start), int(end), int(step))
    return data[tuple(where)]


def _reshape(inputs: Sequence[Array | None], settings: dict[str, Any]) -> Array:
    data, shape = _first(inputs), inputs[1]
    assert shape is not None
    sizes = [int(size) for size in shape.reshape(-1)]
    if not settings.get("allowzero"):
        sizes = [data.shape[n] if size == 0 else size for n, size in enumerate(sizes)]
    return data.reshape(sizes)


def _unsqueeze(inputs: Sequence[Array | None], settings: dict[str, Any]) -> Array:
    return np.expand_dims(_first(inputs), _axes(inputs, settings) or ())


def _concat(inputs: Sequence[Array | None], settings: dict[str, Any]) -> Array:
    return np.concatenate([part for part in inputs if part is not None], axis=settings["axis"])


def _cast(inputs: Sequence[Array | None], settings: dict[str, Any]) -> Array:
    from onnx import helper

    return _first(inputs).astype(helper.tensor_dtype_to_np_dtype(settings["to"]))


def _first(inputs: Sequence[Array | None]) -> Array:
    data = inputs[0] if inputs else None
    if data is None or math.prod(data.shape) > MOST_NUMBERS:
        raise ValueError("a node has no input")
    return data


_OPERATIONS = {
    "Identity": lambda inputs, settings: _first(inputs),
    "Cast": _cast,
    "Concat": _concat,
    "Slice": _slice,
    "Squeeze": lambda inputs, settings: np.squeeze(_first(inputs), _axes(inputs, settings)),
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda inputs, settings: np.transpose(_first(inputs), settings.get("perm")),
    "Reshape": _reshape,
}

"""The constants of an ONNX model: what its initializers hold, and what plain nodes make of them. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.onnx.model import OWN_DOMAINS, opset_of
from lstmtui.models.onnx.tensors import tensor_array
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.models.onnx.bodies import Body

MOST_NUMBERS = 1 << 28
"""The most numbers that all evaluated constants may have together."""
DEEPEST = 64
"""How many nodes a constant may be away from its initializers."""

_FOLDED = ("Identity", "Cast", "Concat", "Slice", "Squeeze", "Unsqueeze", "Transpose", "Reshape")
_SAME_FILL = ("Expand", "Slice", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Cast", "Tile")


class Constants:
    """Evaluates names of a body, as far as they do not depend on the graph's inputs.

    Exporters cut, join and reshape weights by nodes of the graph: those of constants are evaluated, none
    of which gives more numbers than it gets.

    A name that a body does not give itself is that of the body around it; an input of a function is what its
    caller calls so.

    Args:
        body: of the model.
        folder: the model's, beyond which no external data is read.
        around: those of the body around it, or of the caller of a function.
    """

    def __init__(self, body: Body, folder: Path, around: Constants | None = None) -> None:
        self._initializers = body.initializers
        self._inputs = set() if around is not None else set(body.inputs) - self._initializers.keys()
        self.makers = {output: node for node in body.nodes for output in node.output if output}
        self.folder = folder
        self._opset, self._around = opset_of(body.versions), around
        self._outer = _names_around(body)
        self._own = {*self._initializers, *self.makers, *body.inputs}
        self._is_closed = body.call is not None
        self._evaluated: dict[str, Array | None] = {}
        self._numbers = 0

    def is_input(self, name: str) -> bool:
        """Whether a name is an input of the graph."""
        if (outer := self._outer_name(name)) is not None and self._around is not None:
            return self._around.is_input(outer)
        return name in self._inputs

    def array(self, name: str, depth: int = 0) -> Array | None:
        """The value of a name; None where it depends on the graph's inputs, or on nodes we do not evaluate.

        Raises:
            UserError: it cannot be read, or is too large.
        """
        if (outer := self._outer_name(name)) is not None:
            return None if self._around is None or not outer else self._around.array(outer, depth)
        if name not in self._evaluated and depth < DEEPEST:
            try:
                array = self._evaluate(name, depth)
            except (UserError, MemoryError):
                raise
            except Exception as error:  # whatever the onnx package stumbles over
                raise UserError(f"{printable(name)} cannot be worked out: {printable(str(error))}") from None
            if array is not None:
                self._numbers += array.size
                if self._numbers > MOST_NUMBERS:
                    raise UserError(f"its constants have more than {MOST_NUMBERS:,} numbers")
            self._evaluated[name] = array
        return self._evaluated.get(name)

    def fill(self, name: str, depth: int = 0) -> float | None:
        """The one value that every entry of a name has, whatever its shape; None where there is none."""
        if (outer := self._outer_name(name)) is not None:
            return None if self._around is None or not outer else self._around.fill(outer, depth)
        if (array := self.array(name)) is not None:
            filled = array.dtype.kind in "fiub" and array.size and (array == array.flat[0]).all()
            return float(array.flat[0]) if filled else None
        node = self.makers.get(name)
        if node is None or depth > DEEPEST:
            return None
        if node.op_type == "ConstantOfShape":
            value = attributes(node).get("value")
            return 0.0 if value is None else float(tensor_array(value, self.folder).reshape(-1)[0])
        if node.op_type in _SAME_FILL:
            return self.fill(node.input[0], depth + 1)
        if node.op_type == "Concat":
            parts = {self.fill(part, depth + 1) for part in node.input[:DEEPEST]}
            return parts.pop() if len(parts) == 1 and len(node.input) <= DEEPEST else None
        return None

    def _outer_name(self, name: str) -> str | None:
        """What a name is called in the body around; None where it is this one's own."""
        if name in self._outer:
            return self._outer[name]
        return None if name in self._own or self._around is None or self._is_closed else name

    def _evaluate(self, name: str, depth: int) -> Array | None:
        if name in self._initializers:
            return tensor_array(self._initializers[name], self.folder)
        node = self.makers.get(name)
        if node is None or node.domain not in OWN_DOMAINS:
            return None
        settings = attributes(node)
        if node.op_type == "Constant":
            return self._constant(settings)
        if node.op_type not in _FOLDED:
            return None
        inputs = [self.array(input_name, depth + 1) if input_name else None for input_name in node.input]
        if any(value is None and input_name for value, input_name in zip(inputs, node.input, strict=True)):
            return None
        if sum(value.size for value in inputs if value is not None) > MOST_NUMBERS:
            raise UserError(f"{printable(name)} is made of more than {MOST_NUMBERS:,} numbers")
        feeds = {n: value for n, value in zip(node.input, inputs, strict=True) if value is not None}
        return self._folded(node, feeds)

    def _folded(self, node: Any, inputs: dict[str, Array]) -> Array:
        """What a node makes of its inputs, by ONNX's own definition of its operator."""
        import onnx
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        own = onnx.NodeProto()
        own.CopyFrom(node)
        own.domain = ""
        sources, results = ([onnx.ValueInfoProto(name=n) for n in names] for names in (inputs, node.output))
        graph = helper.make_graph([own], "folded", sources, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)])
        (folded,) = ReferenceEvaluator(model).run(None, inputs)
        return np.asarray(folded)

    def _constant(self, settings: dict[str, Any]) -> Array | None:
        if "value" in settings:
            return tensor_array(settings["value"], self.folder)
        for key in ("value_float", "value_floats", "value_int", "value_ints"):
            if key in settings:
                return np.asarray(settings[key])
        return None


def _names_around(body: Body) -> dict[str, str]:
    """The inputs of a function, by what its caller calls them; one that is left out there is nothing."""
    if body.call is None:
        return {}
    left_out = [""] * len(body.inputs)
    return dict(zip(body.inputs, [*body.call.input, *left_out], strict=False))


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

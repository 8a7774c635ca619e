"""What an ONNX graph computes behind its recurrent nodes, run again by torch for the gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.graph.operators import OPERATORS
from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_request import NodeRun, TapedGraph
from lstmtui.models.onnx.tape import MOST_NUMBERS, Operation
from lstmtui.printable import printable

INSTEAD = 'leave target out and say loss = "sum", which is of h'
"""What to do where no gradient of y can be had."""
_KEEPS_PROBABILITIES = frozenset((
    "Identity", "Cast", "Dropout", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Slice",
    "Gather", "Split", "Expand", "ReduceMean", "ReduceMax", "ReduceMin",
))  # fmt: skip
"""Operators of which all that they give lies between numbers that they take."""


class RestOfGraph:
    """The values behind the recurrent nodes, computed as far as they are asked for.

    Args:
        tape: what onnxruntime ran.
        like: has the dtype and the device in which it runs.
    """

    def __init__(self, tape: TapedGraph, like: Tensor) -> None:
        self.tape, self._like = tape, like
        self._values: dict[int, Tensor] = {}
        self._size = 0
        self._makers = {number: own for own in tape.operations for number in own.outputs}

    def given(self, run: NodeRun, results: dict[str, Tensor]) -> None:
        """Take our cell's results in place of a recurrent node's, by ONNX's names and in ONNX's shapes."""
        self._values |= {run.numbers[name]: result for name, result in results.items()}

    def value(self, number: int) -> Tensor:
        """A value by its number.

        Raises:
            UserError: an operator gave it, or something before it, that is not run here.
        """
        waiting = [number]
        while waiting:
            if waiting[-1] in self._values:
                waiting.pop()
                continue
            operation = self._maker(waiting[-1])
            inputs = [n for n in operation.inputs if n >= 0 and n not in self._values]
            missing = [n for n in inputs if n not in self.tape.constants]
            if not missing:
                self._run(operation)
            waiting += missing
        return self._values[number]

    def maker_of(self, number: int) -> str:
        """The operator that gave a value, before those that keep probabilities; empty: a recurrent node."""
        while number in self._makers and self._makers[number].operator in _KEEPS_PROBABILITIES:
            number = self._makers[number].inputs[0]
        return self._makers[number].operator if number in self._makers else ""

    def _maker(self, number: int) -> Operation:
        operation = self._makers.get(number)
        if operation is None or operation.operator not in OPERATORS:
            what = "a recurrent node that is not recorded" if operation is None else operation.operator
            raise UserError(_no_way(what))
        return operation

    def _run(self, operation: Operation) -> None:
        inputs = [self._input(number) for number in operation.inputs]
        try:
            results = OPERATORS[operation.operator](operation, inputs)
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError):
            raise UserError(_no_way(f"{operation.operator} as it is used here")) from None
        own = [results] if isinstance(results, Tensor) else results
        self._size += sum(result.numel() for result in own)
        if self._size > MOST_NUMBERS:
            raise UserError(
                f"what the graph computes after its recurrent nodes has more than {MOST_NUMBERS:,} numbers, "
                f"all of which the gradient needs; {INSTEAD}"
            )
        self._values |= dict(zip(operation.outputs, own, strict=False))

    def _input(self, number: int) -> Tensor | None:
        if number < 0:
            return None
        if number in self._values:
            return self._values[number]
        tensor = torch.as_tensor(np.array(self.tape.constants[number]), device="cpu")
        return tensor.to(self._like) if tensor.is_floating_point() else tensor.to(self._like.device)


def as_onnx_gives(output: Tensor, finals: tuple[Tensor, ...], like: Array) -> dict[str, Tensor]:
    """What our cell gives, by ONNX's names and in its shapes.

    Args:
        output: h, (T, B, directions · H).
        finals: the states as they are left, (directions, B, H) each.
        like: Y as the node gave it, (T, directions, B, H).
    """
    steps, directions, batch, hidden = like.shape
    y = output.reshape(steps, batch, directions, hidden).transpose(1, 2)
    return {"Y": y} | dict(zip(("Y_h", "Y_c"), finals, strict=False))


def _no_way(operator: str) -> str:
    return (
        f"no gradient of y goes through {printable(operator)}, which the graph runs behind its recurrent "
        f"nodes; {INSTEAD}"
    )

"""The loss of y of an ONNX graph, where a scenario has a target for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.capture.graph.graph_module import GraphModule
from lstmtui.capture.graph.graph_output import graph_output
from lstmtui.capture.loss.objective import loss_of
from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_request import GraphAnswer
from lstmtui.printable import printable
from lstmtui.scenario import GraphSpec, Objective

THROUGH_THE_REST = (
    "gradients are of the loss of y: torch runs again what the graph runs behind its recurrent nodes; its "
    "y is that of onnxruntime to 1e-5"
)
_CLOSE = 1e-5
_PROBABILITIES = {"bce": "Sigmoid", "cross_entropy": "Softmax"}
"""What makes y a probability, where the loss would take it as logits."""


def loss_of_output(
    objective: Objective, spec: GraphSpec, answer: GraphAnswer, module: GraphModule
) -> Callable[[Any], Tensor]:
    """The objective as a function of what the module returns, after which it has y.

    `bce` and `cross_entropy` take y as probabilities where a Sigmoid or a Softmax gives it, else as logits.

    Args:
        objective: has a target.
        spec: of the model.
        answer: what the graph did.
        module: the recurrent nodes.

    Returns:
        a function that raises UserError where no gradient goes from y to the recurrent nodes.
    """

    def loss(results: Any) -> Tensor:
        y, maker = _output(spec, answer, module, objective)
        taken = y[torch.as_tensor(objective.mask, device=y.device)]
        if maker != _PROBABILITIES.get(objective.loss):
            return _with(objective, y)
        target = torch.as_tensor(objective.target[objective.mask], device=y.device)  # type: ignore[index]
        if objective.loss == "bce":
            return functional.binary_cross_entropy(taken, target.to(y.dtype))
        return functional.nll_loss(taken.log(), target)

    return loss


def _with(objective: Objective, y: Tensor) -> Tensor:
    function = loss_of(objective, y.device, head=True)
    assert function is not None
    return function((y, None))


def _output(
    spec: GraphSpec, answer: GraphAnswer, module: GraphModule, objective: Objective
) -> tuple[Tensor, str]:
    """y (T, B, O) with its gradient, and the operator that gave it."""
    rest, name = module.rest, printable(spec.output)
    assert rest is not None
    numbers, arrays = rest.tape.outputs.get(spec.output, ()), answer.outputs.get(spec.output, ())
    if not numbers or min(numbers) < 0:
        raise UserError(f"the target is for the graph's output {name}, which no recurrent node has a part in")
    parts = [rest.value(number) for number in numbers]
    for ours, theirs in zip(parts, arrays, strict=True):
        expected = torch.as_tensor(theirs).to(ours)
        if ours.shape != expected.shape or not torch.allclose(ours, expected, _CLOSE, _CLOSE, equal_nan=True):
            raise UserError(
                f"the target is for the graph's output {name}, and torch gives other numbers for it than "
                'onnxruntime; leave target out and say loss = "sum", which is of h'
            )
    # Where each number of y over time is among those of all calls: places are moved as the numbers are.
    ends = np.cumsum([array.size for array in arrays])
    places = [np.arange(end - a.size, end).reshape(a.shape) for a, end in zip(arrays, ends, strict=True)]
    own, _ = graph_output(answer, spec, places, objective.mask.shape)
    if own is None or own.shape[:2] != objective.mask.shape:
        shape, (steps, batch) = None if own is None else own.shape[:2], objective.mask.shape
        has = "has no value for each timestep" if shape is None else f"has (T, B) = {shape}"
        raise UserError(f"the graph's output {name} {has}, and the target is for T={steps:,}, B={batch}")
    _check_size(objective, own.shape[2])
    flat = torch.cat([part.reshape(-1) for part in parts])
    return flat[torch.as_tensor(own, device=flat.device)], rest.maker_of(numbers[-1])


def _check_size(objective: Objective, size: int) -> None:
    """Whether y has as many values as the target."""
    target = objective.target
    assert target is not None
    if objective.loss == "cross_entropy":
        highest = int(target[objective.mask].max())
        if highest >= size:
            raise UserError(f"y has {size} values and the target has ids up to {highest}")
    elif target.shape[2] != size:
        raise UserError(f"y has {size} values and the target {target.shape[2]}")

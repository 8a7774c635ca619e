"""The loss of y of an ONNX graph, where a scenario has a target for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.capture.devices import on_device
from lstmtui.capture.graph.graph_module import GraphModule
from lstmtui.capture.graph.graph_output import graph_output
from lstmtui.capture.graph.rest_of_graph import INSTEAD
from lstmtui.capture.loss.objective import loss_of
from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_request import GraphAnswer
from lstmtui.printable import printable
from lstmtui.scenario import GraphSpec, Objective, Scenario
from lstmtui.scenario.objectives import size_problem

THROUGH_THE_REST = (
    "gradients are of the loss of y: torch runs again what the graph runs behind its recurrent nodes; its "
    "y is that of onnxruntime to 1e-5"
)
_CLOSE = 1e-5
_PROBABILITIES = {"bce": "Sigmoid", "cross_entropy": "Softmax"}
"""What makes y a probability, where the loss would take it as logits."""


def loss_of_output(
    scenario: Scenario, spec: GraphSpec, answer: GraphAnswer, module: GraphModule
) -> Callable[[Any], Tensor]:
    """The objective as a function of what the module returns, after which it has y.

    `bce` and `cross_entropy` take y as probabilities where a Sigmoid or a Softmax gives it, else as logits.
    Where y has one value for each call of a stream, it is compared with the target of its last timestep.

    Args:
        scenario: whose objective has a target.
        spec: of the model.
        answer: what the graph did.
        module: the recurrent nodes.

    Returns:
        a function that raises UserError where no gradient goes from y to the recurrent nodes.
    """

    def loss(results: Any) -> Tensor:
        y, maker, objective = _output(spec, answer, module, scenario)
        if maker != _PROBABILITIES.get(objective.loss):
            return _with(objective, y)
        assert objective.target is not None
        taken = y[torch.as_tensor(objective.mask, device=y.device)]
        target = on_device(objective.target[objective.mask], y.device)
        if objective.loss == "bce":
            return functional.binary_cross_entropy(taken, target.to(y.dtype))
        return functional.nll_loss(taken.log(), target)

    return loss


def _with(objective: Objective, y: Tensor) -> Tensor:
    function = loss_of(objective, y.device, head=True)
    assert function is not None
    return function((y, None))


def _output(
    spec: GraphSpec, answer: GraphAnswer, module: GraphModule, scenario: Scenario
) -> tuple[Tensor, str, Objective]:
    """y (T, B, O) with its gradient, the operator that gave it, and the objective at these timesteps."""
    rest, name = module.rest, printable(spec.output)
    assert rest is not None
    numbers, arrays = rest.tape.outputs.get(spec.output, ()), answer.outputs.get(spec.output, ())
    if not numbers or min(numbers) < 0:
        raise UserError(
            f"the target is for the graph's output {name}, which does not depend on a recurrent node"
        )
    parts = [rest.value(number) for number in numbers]
    for ours, theirs in zip(parts, arrays, strict=True):
        expected = torch.as_tensor(theirs, device="cpu").to(ours)
        if ours.shape != expected.shape or not torch.allclose(ours, expected, _CLOSE, _CLOSE, equal_nan=True):
            raise UserError(
                f"the target is for the graph's output {name}, and torch gives other numbers for it than "
                f"onnxruntime; {INSTEAD}"
            )
    # Where each number of y over time is among those of all calls: places are moved as the numbers are.
    ends = np.cumsum([array.size for array in arrays])
    places = [np.arange(end - a.size, end).reshape(a.shape) for a, end in zip(arrays, ends, strict=True)]
    objective = scenario.objective
    steps, batch = objective.mask.shape
    chunk = 0 if scenario.input.stream is None else scenario.input.stream.chunk
    own, _ = graph_output(answer, spec, places, (max(steps, chunk * len(arrays)), batch))
    if own is not None and chunk and len(own) == len(arrays):
        objective = _at_ends(objective, chunk)
    elif own is not None and chunk:
        own = own[:steps]  # Behind that are the zeros that the last call is filled up with.
    if own is None or own.shape[:2] != objective.mask.shape:
        has = "has no value for each timestep" if own is None else f"has (T, B) = {own.shape[:2]}"
        raise UserError(f"the graph's output {name} {has}, and the target is for T={steps:,}, B={batch}")
    if wrong := size_problem(objective, own.shape[2]):
        raise UserError(wrong)
    flat = torch.cat([part.reshape(-1) for part in parts])
    return flat[torch.as_tensor(own, device=flat.device)], rest.maker_of(numbers[-1]), objective


def _at_ends(objective: Objective, chunk: int) -> Objective:
    """The objective at the last timestep of each call."""
    steps = len(objective.mask)
    ends = np.minimum(np.arange(chunk, steps + chunk, chunk), steps) - 1
    target, mask = objective.target, objective.mask[ends]
    assert target is not None
    if not mask.any():
        raise UserError(
            "y exists only at the last timestep of each call, and the loss is taken at none of these"
        )
    return replace(objective, target=target[ends], mask=mask)

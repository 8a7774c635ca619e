"""A whole ONNX graph of a scenario: run by onnxruntime, its recurrent nodes recorded as our cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmtui.capture.graph.graph_gradients import incomplete, without_derivatives
from lstmtui.capture.graph.graph_loss import THROUGH_THE_REST, loss_of_output
from lstmtui.capture.graph.graph_module import CallsInARow, GraphModule
from lstmtui.capture.graph.graph_output import graph_output
from lstmtui.capture.loss.objective import describe
from lstmtui.capture.progress import Progress, ProgressCallback
from lstmtui.capture.record import record_with
from lstmtui.capture.request import Request
from lstmtui.capture.stores.deferred_arrays import arrays_of, entries_of
from lstmtui.capture.taps.tap import Tap
from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_process import run_graph
from lstmtui.models.onnx.graph_request import GraphAnswer
from lstmtui.printable import printable
from lstmtui.scenario import GraphSpec, Objective, Scenario
from lstmtui.trace import Layer, Trace

NO_GRADIENT = "no gradient goes through the rest of the graph, which onnxruntime runs"


def record_graph(
    scenario: Scenario,
    spec: GraphSpec,
    device: torch.device,
    dtype: torch.dtype,
    progress: ProgressCallback | None,
) -> Trace:
    """Run the graph, and record what its recurrent nodes did.

    The derivatives are of a loss of h of the recurrent node that ran last; where the scenario has a target,
    of y, through what the graph runs behind its recurrent nodes.

    Raises:
        UserError: onnxruntime refuses the graph or its inputs, or no recurrent node has run that is one of
            our cells.
    """
    has_target = scenario.objective.target is not None
    answer = run_graph(spec.path, replace(spec.request, tape=has_target), spec.seconds)
    if not answer.runs:
        why = "; ".join(map(str, answer.layers)) or "no recurrent node was reached, as its conditions say"
        raise UserError(f"{spec.name}: {why}")
    continuity = CallsInARow()
    module = GraphModule(answer, continuity).to(device, dtype).eval()
    like = torch.zeros((), device=device, dtype=dtype)
    loss = _loss_of(scenario.objective, answer)
    if has_target:
        loss = loss_of_output(scenario, spec, answer, module)
    request = Request(module, like, loss=loss, name=spec.name)
    tap = Tap(Progress(progress))
    tap.continuity = continuity
    try:
        trace = record_with(tap, request)
    finally:
        tap.release()
    parity = max(continuity.gaps, key=lambda gap: (gap != gap, gap))
    return _described(trace, scenario, spec, answer, parity, continuity.cut)


def _loss_of(objective: Objective, answer: GraphAnswer) -> Callable[[Any], Tensor] | None:
    """The sum of h of the node that ran last, where the scenario says; None for its last timestep."""
    if objective.at == "last_hidden":
        return None
    last = answer.runs[-1].layer

    def loss(results: Sequence[tuple[int, Tensor]]) -> Tensor:
        h = [output for layer, output in results if layer == last]
        if objective.at == "every":
            return torch.stack([part.sum() for part in h]).sum()
        steps = sum(len(part) for part in h)
        t = steps - 1 if objective.at == "last" else int(objective.at)
        if t >= steps:
            raise UserError(f"the loss is taken at timestep {t}, and the node has {steps:,}")
        for part in h:
            if t < len(part):
                return part[t].sum()
            t -= len(part)
        raise AssertionError("one of the parts has the timestep")

    return loss


def _described(
    trace: Trace,
    scenario: Scenario,
    spec: GraphSpec,
    answer: GraphAnswer,
    parity: float,
    cut: Mapping[str, str],
) -> Trace:
    """The trace with y, the places of its layers, and the notes about the graph."""
    objective = scenario.objective
    has_target = objective.target is not None
    of_h = f"gradients are of {_loss_text(objective)} of the node; {NO_GRADIENT}"
    notes = [*spec.notes, THROUGH_THE_REST if has_target else of_h]
    notes += [f"not recorded: {layer}" for layer in answer.layers if layer.layout is None]
    notes += [
        f"{printable(layer.path)} reads from the end: time is turned round, t = 0 is the last timestep"
        for layer in answer.layers
        if layer.reverse
    ]
    entries = {key: entry for key, entry in entries_of(trace.arrays).items() if key not in ("y", "dy")}
    layers = tuple(_placed(layer, answer) for layer in trace.layers)
    reasons = incomplete(answer, cut)
    absent = {
        n: reasons[p] for n, layer in enumerate(layers) if (p := layer.path.partition("@")[0]) in reasons
    }
    entries, layers = without_derivatives(entries, layers, absent)
    if len(layers) == 1 and layers[0].calls > 1 and _is_one_run(layers[0], answer):
        notes.append(f"{layers[0].calls:,} calls, the states handed on from each to the next, are one run")
        layers = (replace(layers[0], calls=1),)
    y, is_held = graph_output(answer, spec, answer.outputs.get(spec.output, ()), (trace.steps, trace.batch))
    output = printable(spec.output)
    if y is not None:
        missing = [(0, trace.steps - y.shape[0]), (0, trace.batch - y.shape[1]), (0, 0)]
        entries["y"] = np.pad(y, missing).astype(np.float32 if y.dtype != np.float64 else y.dtype)
        held = ", one value for all timesteps of a call" if is_held else ""
        notes.append(f"y is the graph's output {output}{held}")
    else:
        notes.append(f"the graph's output {output} has no value for each timestep, so there is no y")
    header = replace(
        trace.header,
        title=scenario.title,
        notes="\n\n".join(part for part in (scenario.notes, *notes) if part),
        script=scenario.script,
        labels=_labels(scenario, trace),
        loss_text=describe(objective, head=has_target, bidirectional=trace.layers[-1].bidirectional),
        loss_kind="last_hidden" if objective.at == "last_hidden" else "custom",
        module=printable(spec.path.name),
        parity=parity,
        layers=tuple(replace(layer, path=printable(layer.path)) for layer in layers),
    )
    return Trace(header, arrays_of(entries))


def _loss_text(objective: Objective) -> str:
    return "the last h" if objective.at == "last_hidden" else f"the sum of h ({objective.at})"


def _is_one_run(layer: Layer, answer: GraphAnswer) -> bool:
    """Whether a node's calls could be one: nothing happens to its states, and x does not depend on them."""
    is_changed = any(origin.changes for origin in layer.states_from.values())
    return not is_changed and not answer.fed_by.get(layer.path)


def _labels(scenario: Scenario, trace: Trace) -> tuple[str, ...]:
    """The names of the input's channels, where the first layer reads as many."""
    labels = scenario.input.labels
    return labels if scenario.input.tokens is None and len(labels) == trace.layers[0].input_size else ()


def _placed(layer: Layer, answer: GraphAnswer) -> Layer:
    """A layer with the place of its node as its path: of "layers.1@2" that of the second, behind it @2."""
    number, at, again = layer.path.removeprefix("layers.").partition("@")
    return replace(layer, path=answer.layers[int(number)].path + at + again)

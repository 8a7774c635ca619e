"""Calls of recurrent modules, run again with everything recorded and the gradients that came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import nn
from torch.nn.utils.rnn import pad_packed_sequence

from lstmtui.capture.loss.not_reached import NO_GRAPH
from lstmtui.capture.origins.continuity import KnownContinuity
from lstmtui.capture.progress import Progress
from lstmtui.capture.record import record_with
from lstmtui.capture.request import Beside, Request
from lstmtui.capture.reruns.replayed_modules import Replay, group_of
from lstmtui.capture.steps.watched_calls import WatchedCall, WatchedStep
from lstmtui.capture.taps.tap import Tap
from lstmtui.capture.taps.tapped_calls import call_of
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.models.stock import layout_of
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.keys import array_key

LOSS_TEXT = "the loss of the training loop"
NO_BACKWARD = "no gradient came back to this call"
NO_BACKWARD_IN_BLOCK = "no backward pass of the block reached it"
DRAWN_ANEW = "Dropout between layers is drawn anew: what was drawn on the {} cannot be drawn again."
TWICE = "a gradient of its gradient was taken (create_graph), which a run of the layer alone does not show"


def replayed(
    step: WatchedStep,
    name: str,
    *,
    derivatives: bool = True,
    loss_text: str = LOSS_TEXT,
    beside: Beside | None = None,
) -> Trace:
    """The trace of a step: each call again, from its own x, states and parameters.

    The gradients that came back to its results make the total derivatives those of the training loop's loss,
    whatever it was and whatever lay between. That loss is not the one in the trace's header.

    Args:
        step: with at least one call that ended.
        name: of the trace.
        derivatives: whether they are wanted; without them it takes half the time.
        loss_text: what they are of, in words.
        beside: gives the runs of the user's code by source, which follow the others.
    """
    calls = [call for call in step.calls if call.results]
    twice = {group_of(call) for call in calls if call.twice}
    reached = {group_of(call) for call in calls if call.derivatives and derivatives} - twice
    devices = {call.results[0].device for call in calls}
    drawn_on = {call.results[0].device.type for call in calls if call.random is not None} - {"cpu"}
    tap = Tap(Progress(None))
    tap.moment = iter([call.moment for call in calls]).__next__
    links = [call.link for call in calls if call.link is not None]
    if links:
        tap.continuity = KnownContinuity(links)
    replay = Replay(calls, reached)
    try:
        with ExitStack() as contexts:
            contexts.enter_context(torch.random.fork_rng([d.index for d in devices if d.type == "cuda"]))
            for kind in {"cpu", *(device.type for device in devices)}:
                contexts.enter_context(torch.autocast(kind, enabled=False))
            request = Request(replay, loss=lambda result: result, source=False, name=name)
            trace = record_with(tap, request, beside=beside)
    finally:
        tap.release()
    runs = _runs_of(calls, replay.places)
    absent = {path: TWICE if group_of(call) in twice else _why_absent(call) for path, call in runs.items()}
    layers = tuple(layer if layer.source else _of_loop(layer, absent, runs) for layer in trace.layers)
    is_reached = bool(reached) or not links or any(not own.absent for own in layers if own.source)
    header = replace(
        trace.header,
        layers=layers,
        loss_text=loss_text if is_reached else "",
        notes=" ".join(DRAWN_ANEW.format(kind.upper()) for kind in sorted(drawn_on)),
    )
    return Trace(header, trace.arrays)


def _of_loop(layer: Layer, absent: Mapping[str, str], runs: Mapping[str, WatchedCall]) -> Layer:
    """A layer as it was in the loop, which has seen more than the run of its calls alone.

    Args:
        layer: of that run.
        absent: why there would be no derivatives, by path of a run or of its module.
        runs: the first call of each run, by path.
    """
    why = absent.get(layer.path) or absent[layer.path.rpartition("@")[0]]
    recorded = runs[layer.path].origins if layer.path in runs else {}
    origins = {}
    for direction, again in layer.states_from.items():
        origin = recorded.get((layer.index, direction))
        # The run of the calls has seen copies of the loop's own tensors.
        if again.kind == "layer" or (origin is None and again.kind == "zeros"):
            origins[direction] = again
        elif origin is not None:
            origins[direction] = replace(origin, changes=again.changes)
    return replace(layer, absent=why if layer.absent else "", states_from=origins)


def outputs_of(call: WatchedCall) -> Trace:
    """What a call returned, as a trace of h alone; of a module of one layer that is every h."""
    layout, output = layout_of(call.module), call.results[0]
    x, hx, lengths = call.arguments
    if isinstance(call.module, nn.RNNCellBase):
        initial = hx[0] if isinstance(hx, tuple) else hx
        states = (torch.zeros_like(output) if initial is None else initial).reshape(1, -1, layout.hidden_size)
        output, lengths = output.reshape(states.shape), None
    else:
        laid_out, packed = call_of(call.module, x, hx, lengths)
        if packed is not None:
            output, _ = pad_packed_sequence(packed._replace(data=output), laid_out.batch_first)
        output = output if laid_out.batched else output.unsqueeze(1)
        output = output.transpose(0, 1) if laid_out.batch_first else output
        states, lengths = laid_out.states[0], laid_out.lengths
    steps, batch = output.shape[:2]
    arrays = {} if lengths is None else {"lengths": numpy_of(lengths)}
    for index, direction in enumerate(layout.directions):
        part = output[..., index * layout.output_size : (index + 1) * layout.output_size]
        arrays[array_key("h", 0, direction)] = numpy_of(part)
        arrays[array_key("initial/h", 0, direction)] = numpy_of(states[index])
    return Trace(Header("", (layers_of(call.path, call.module)[0],), steps, batch), arrays)


def layers_of(path: str, module: nn.Module) -> list[Layer]:
    """The layers of a recurrent module."""
    layout = layout_of(module)
    return [
        Layer(
            layout.cell.name,
            layout.layer_input_size(index),
            layout.hidden_size,
            layout.proj_size,
            layout.bidirectional,
            layout.bias,
            path,
            index,
        )
        for index in range(layout.num_layers)
    ]


def _runs_of(calls: list[WatchedCall], places: list[str]) -> dict[str, WatchedCall]:
    """The first call of each group by the path of its run, as the recording counts runs at a place."""
    first: dict[int, tuple[WatchedCall, str]] = {}
    for call, place in zip(calls, places, strict=True):
        first.setdefault(group_of(call), (call, place))
    runs, count = {}, Counter[str]()
    for call, place in first.values():
        count[place] += 1
        runs[f"{place}@{count[place]}" if count[place] > 1 else place] = call
    return runs


def _why_absent(call: WatchedCall) -> str:
    if call.link is None:
        return NO_BACKWARD
    return NO_GRAPH if call.graph == "none" else NO_BACKWARD_IN_BLOCK

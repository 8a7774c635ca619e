"""Calls of recurrent modules, run again with everything recorded and the gradients that came back then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from lstmtui.capture.interception import kind_of
from lstmtui.capture.loss.loops_loss import derivatives_outside, loss_with
from lstmtui.capture.loss.not_reached import NO_GRAPH
from lstmtui.capture.origins.continuity import KnownContinuity
from lstmtui.capture.progress import Progress
from lstmtui.capture.record import record_with
from lstmtui.capture.request import Beside, Request
from lstmtui.capture.tap import Tap
from lstmtui.capture.tapped_calls import call_of
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.capture.watching.watched_calls import WatchedCall, WatchedStep, ends_of
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import layout_of
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.keys import array_key

LOSS_TEXT = "the loss of the training loop"
NO_BACKWARD = "no gradient came back to this call"
NO_BACKWARD_IN_BLOCK = "no backward pass of the block reached it"
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
    whatever it was and whatever lay between. The value of that loss is not known.

    Args:
        step: with at least one call that ended.
        name: of the trace.
        derivatives: whether they are wanted; without them it takes half the time.
        loss_text: what they are of, in words.
        beside: gives the runs of the user's code by source, which follow the others.
    """
    calls = [call for call in step.calls if call.results]
    twice = {_group(call) for call in calls if call.twice}
    reached = {_group(call) for call in calls if call.derivatives and derivatives} - twice
    devices = {call.results[0].device for call in calls if call.results[0].is_cuda}
    tap = Tap(Progress(None))
    links = [call.link for call in calls if call.link is not None]
    if links:
        tap.continuity = KnownContinuity(links)
    replay = Replay(calls, reached)
    try:
        with (
            torch.random.fork_rng([device.index for device in devices]),
            torch.autocast("cpu", enabled=False),
        ):
            request = Request(replay, loss=lambda result: result, source=False, name=name)
            trace = record_with(tap, request, beside=beside)
    finally:
        tap.release()
    runs = _runs_of(calls, replay.places)
    absent = {path: TWICE if _group(call) in twice else _why_absent(call) for path, call in runs.items()}
    layers = tuple(layer if layer.source else _of_loop(layer, absent, runs) for layer in trace.layers)
    is_reached = bool(reached) or not links or any(not own.absent for own in layers if own.source)
    header = replace(
        trace.header,
        layers=layers,
        loss=float("nan"),
        loss_is_known=False,
        loss_text=loss_text if is_reached else "",
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
    known = runs[layer.path].origins if layer.path in runs else {}
    origins = {}
    for direction, again in layer.states_from.items():
        origin = known.get((layer.index, direction))
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


class Replay(nn.Module):
    """The modules of some calls at their paths, plain ones of PyTorch's, with the parameters of then.

    Args:
        calls: that ended.
        reached: the groups of calls that gradients came back to.
    """

    def __init__(self, calls: list[WatchedCall], reached: Collection[int]) -> None:
        super().__init__()
        self._calls, self._reached = calls, reached
        self.places = _places_of(calls)
        """The path at which the module of each call is."""
        self._plain: dict[str, nn.Module] = {}
        self._weights: dict[int, dict[str, nn.Parameter]] = {}
        for call, place in zip(calls, self.places, strict=True):
            if place not in self._plain:
                self._plain[place] = plain = rebuilt(call.module, call.weights)
                _put(self, place, plain)

    def forward(self, _: None) -> Tensor:
        """A loss whose gradients by all results are the gradients that came back to them."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for call, place in zip(self._calls, self.places, strict=True):
            plain = self._plain[place].train(call.training)
            self._give_weights(plain, call)
            if call.random is not None:
                torch.set_rng_state(call.random)
            kind = call.results[0].device.type
            reached = _group(call) in self._reached
            autocast = torch.autocast(kind, call.autocast) if call.autocast else nullcontext()
            with autocast, torch.set_grad_enabled(reached):
                ends = ends_of(plain(*_given_arguments(call)))
                derivatives = derivatives_outside(plain, call) if reached else {}
            pairs += [(ends[position], gradient) for position, gradient in derivatives.items()]
        # A leaf, so that a loss of nothing is one too, whose derivatives are 0.
        leaf = torch.zeros((), device=self._calls[0].results[0].device, requires_grad=True)
        return loss_with(leaf, pairs)

    def _give_weights(self, plain: nn.Module, call: WatchedCall) -> None:
        """Load the weights of a call, which an optimizer may have changed since the call before."""
        if id(call.weights) not in self._weights:
            self._weights[id(call.weights)] = parameters_of(call.module, call.weights)
        for name, parameter in self._weights[id(call.weights)].items():
            setattr(plain, name, parameter)


def rebuilt(module: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """A plain module of the same sizes, which computes with these weights.

    Args:
        module: as `kind_of` knows it; a subclass, or one with computed weights, becomes PyTorch's class.
        weights: by the names of its layout.
    """
    kind, layout = kind_of(module), layout_of(module)
    assert kind is not None
    options: dict[str, Any] = {"bias": layout.bias}
    if not isinstance(module, nn.RNNCellBase):
        options |= {"num_layers": layout.num_layers, "bidirectional": layout.bidirectional}
        options |= {"batch_first": module.batch_first, "dropout": module.dropout}
        options |= {"proj_size": layout.proj_size} if layout.proj_size else {}
    if kind in (nn.RNN, nn.RNNCell):
        options["nonlinearity"] = layout.cell.name.removeprefix("rnn_")
    first = (layout.cell.name,) if kind is Recurrent else ()
    with torch.device("meta"):
        plain: nn.Module = kind(*first, layout.input_size, layout.hidden_size, **options)
    for name, parameter in parameters_of(module, weights).items():
        setattr(plain, name, parameter)
    return plain


def parameters_of(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, nn.Parameter]:
    """Parameters with these values, by the names that the module has for them."""
    end = "_l0" if isinstance(module, nn.RNNCellBase) else ""
    # Their gradients are those that each recorded call makes, added up: they need none of their own.
    return {
        name.removesuffix(end): nn.Parameter(value, requires_grad=False) for name, value in weights.items()
    }


def _group(call: WatchedCall) -> int:
    """What tells the calls that have derivatives together: those of a run, or of a module."""
    return id(call.module) if call.link is None else id(call.link.chain)


def _runs_of(calls: list[WatchedCall], places: list[str]) -> dict[str, WatchedCall]:
    """The first call of each group by the path of its run, as the recording counts runs at a place."""
    first: dict[int, tuple[WatchedCall, str]] = {}
    for call, place in zip(calls, places, strict=True):
        first.setdefault(_group(call), (call, place))
    runs, count = {}, Counter[str]()
    for call, place in first.values():
        count[place] += 1
        runs[f"{place}@{count[place]}" if count[place] > 1 else place] = call
    return runs


def _why_absent(call: WatchedCall) -> str:
    if call.link is None:
        return NO_BACKWARD
    return NO_GRAPH if call.graph == "none" else NO_BACKWARD_IN_BLOCK


def _places_of(calls: list[WatchedCall]) -> list[str]:
    """The path of the module of each call; @2, @3 … for runs whose parameters are not its first run's."""
    paths = _paths_of(calls)
    begun: dict[int, dict[int, int]] = {}
    """By module, the parameters with which each of its groups of calls begins."""
    for call in calls:
        begun.setdefault(id(call.module), {}).setdefault(_group(call), id(call.weights))
    numbers: dict[int, int] = {}
    for groups in begun.values():
        numbers |= {group: n if len({*groups.values()}) > 1 else 1 for n, group in enumerate(groups, 1)}
    places = [(paths[id(call.module)], numbers[_group(call)]) for call in calls]
    return [f"{path}@{number}" if number > 1 else path for path, number in places]


def _paths_of(calls: list[WatchedCall]) -> dict[int, str]:
    """Where each module is, by its id; a model that is a layer itself has a path here too."""
    taken = {call.path.partition(".")[0] for call in calls}
    paths = {}
    for call in calls:
        kind = kind_of(call.module)
        assert kind is not None
        own = kind.__name__.lower()
        while own in taken:
            own += "_"
        paths[id(call.module)] = call.path or own
    return paths


def _given_arguments(call: WatchedCall) -> tuple[Any, ...]:
    """The arguments up to the last that was given."""
    arguments = list(call.arguments)
    while arguments and arguments[-1] is None:
        arguments.pop()
    return tuple(arguments)


def _put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Register a module at a path such as "encoder.rnn"."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in dict(root.named_children()):
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)

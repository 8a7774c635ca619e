"""Calls of recurrent modules, run again with everything recorded and the gradients that came back then."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from lstmtui.capture.interception import kind_of
from lstmtui.capture.record import record
from lstmtui.capture.tapped_calls import call_of
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.capture.watched_calls import WatchedCall, WatchedStep, ends_of
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import layout_of
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.keys import array_key

LOSS_TEXT = "the loss of the training loop"
NO_BACKWARD = "no gradient came back to this call"
TWICE = "a gradient of its gradient was taken (create_graph), which a run of the layer alone does not show"


def replayed(step: WatchedStep, name: str, *, derivatives: bool = True) -> Trace:
    """The trace of a step: each call again, from its own x, states and parameters.

    The gradients that came back to its results make the total derivatives those of the training loop's loss,
    whatever it was and whatever lay between. The value of that loss is not known.

    Args:
        step: with at least one call that ended.
        name: of the trace.
        derivatives: whether they are wanted; without them it takes half the time.
    """
    calls = [call for call in step.calls if call.results]
    paths = _paths_of(calls)
    twice = {id(call.module): paths[id(call.module)] for call in calls if call.twice}
    reached = {id(call.module) for call in calls if call.derivatives and derivatives} - twice.keys()
    devices = {call.results[0].device for call in calls if call.results[0].is_cuda}
    with torch.random.fork_rng([device.index for device in devices]), torch.autocast("cpu", enabled=False):
        trace = record(Replay(calls, reached), None, loss=lambda result: result, name=name)
    layers = tuple(_of_loop(layer, twice.values()) for layer in trace.layers)
    header = replace(trace.header, layers=layers, loss=float("nan"), loss_is_known=False, loss_text=LOSS_TEXT)
    return Trace(header, trace.arrays)


def _of_loop(layer: Layer, twice: Collection[str]) -> Layer:
    """A layer as it was in the training loop, which has seen more than the run of its calls alone."""
    absent = TWICE if layer.path.partition("@")[0] in twice else NO_BACKWARD
    origins = {d: o for d, o in layer.states_from.items() if o.kind in ("zeros", "layer")}
    return replace(layer, absent=absent if layer.absent else "", states_from=origins)


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
    """The modules of some calls at their paths, plain ones of PyTorch's, with the parameters of then."""

    def __init__(self, calls: list[WatchedCall], reached: Collection[int]) -> None:
        super().__init__()
        self._calls, self._reached = calls, reached
        self._plain: dict[int, nn.Module] = {}
        paths = _paths_of(calls)
        for call in calls:
            if id(call.module) not in self._plain:
                self._plain[id(call.module)] = plain = rebuilt(call.module, call.weights)
                _put(self, paths[id(call.module)], plain)

    def forward(self, _: None) -> Tensor:
        """The sum of all results, each weighted with the gradient that came back to it."""
        # A leaf, so that a sum of nothing is a loss too, whose derivatives are 0.
        total = torch.zeros((), device=self._calls[0].results[0].device, requires_grad=True)
        for call in self._calls:
            plain = self._plain[id(call.module)].train(call.training)
            if call.random is not None:
                torch.set_rng_state(call.random)
            kind = call.results[0].device.type
            reached = id(call.module) in self._reached
            autocast = torch.autocast(kind, call.autocast) if call.autocast else nullcontext()
            with autocast, torch.set_grad_enabled(reached):
                ends = ends_of(plain(*_given_arguments(call)))
            if reached:
                for position, gradient in call.derivatives.items():
                    total = total + (ends[position] * gradient).sum()
        return total


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
    end = "_l0" if isinstance(module, nn.RNNCellBase) else ""
    for name, value in weights.items():
        setattr(plain, name.removesuffix(end), nn.Parameter(value))
    return plain


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

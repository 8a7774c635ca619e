"""One layer and direction as one node of the autograd graph, recorded in its forward and backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.autograd_state import saved_as_it_is
from lstmtui.capture.devices import on_device
from lstmtui.capture.fused.method import applies
from lstmtui.capture.loss.reads import reads_of
from lstmtui.capture.recomputed_layer import RecomputedLayer
from lstmtui.capture.recording import Recording
from lstmtui.capture.segments import run_backward, run_forward
from lstmtui.capture.stores.host_store import HostStore
from lstmtui.capture.stores.store import Store
from lstmtui.models.unroll import States

METHODS = ("fused", "unrolled")
_method: ContextVar[str] = ContextVar("method", default="fused")


@contextmanager
def method(name: str) -> Iterator[None]:
    """Within this context layers are run in one way: "fused" where there is a kernel, or all "unrolled"."""
    assert name in METHODS
    token = _method.set(name)
    try:
        yield
    finally:
        _method.reset(token)


def record_layer(
    recording: Recording, x: Tensor, states: States, valid: Tensor | None, anchor: Tensor
) -> tuple[Tensor, States]:
    """Run a layer so that both its values and, when something is differentiated, its derivatives are kept.

    Args:
        recording: where everything is kept.
        x: (T, B, input), in the order the cell sees it.
        states: h, or h and c, before the run.
        valid: bool (T, B, 1), or None.
        anchor: a scalar leaf that requires a gradient, so that frozen parameters are no obstacle.

    Returns:
        h of every timestep (0 where not valid) and the last states, as parts of the autograd graph.
    """
    recording.valid = valid
    names = tuple(recording.parameters)
    output, *finals = _LayerFunction.apply(  # type: ignore[no-untyped-call]
        recording, len(states), names, anchor, x, *states, *(recording.parameters[n] for n in names)
    )
    return output, tuple(finals)


class _LayerFunction(torch.autograd.Function):
    """The run as one node of the user's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        recording: Recording,
        count: int,
        names: tuple[str, ...],
        anchor: Tensor,
        x: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        states, parameters = rest[:count], dict(zip(names, rest[count:], strict=True))
        ctx.set_materialize_grads(False)
        ctx.recorded_in, ctx.names = recording, names
        ctx.save_for_backward(x)
        # Copies: the caller may write the next states into the very memory of these.
        states = tuple(state.clone() for state in states)
        recording.initial |= dict(zip(recording.cell.states, states, strict=True))
        fused = _method.get() == "fused" and applies(recording.cell, parameters, x, states)
        if leaves_the_device(x) and type(recording.values) is Store:
            if fused:
                recording.recomputed = RecomputedLayer(recording, parameters, x, states)
            else:
                recording.values, recording.derivatives = HostStore(), HostStore()
        # A checkpoint round this would take what the methods keep, to give it back from a second run.
        with saved_as_it_is():
            ctx.pieces, finals = run_forward(recording, parameters, x.detach(), states, fused=fused)
        if recording.recomputed is not None:
            recording.recomputed.precision = recording.precision
        return recording.values.whole("h"), *(s.clone() for s in finals)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_finals: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise TypeError(
                "create_graph: a gradient of a recurrent layer's gradient (a gradient penalty) cannot be "
                "recorded; leave that term out of the model and the loss while recording"
            )
        (x,) = ctx.saved_tensors
        recording: Recording = ctx.recorded_in
        if recording.probe:
            return _seen_by(recording, x, d_output, d_finals)
        target = recording.reached()
        if target.recomputed is not None:
            target.recomputed.reach(d_output, d_finals)
        target.reads = reads_of(d_output, d_finals, x, recording.valid)
        before = run_backward(recording, target, ctx.pieces, x.detach(), d_output, d_finals)
        d_x = target.derivatives.whole("x") if ctx.needs_input_grad[4] else None
        of_parameters = (target.parameter_derivatives[n] for n in ctx.names)
        return None, None, None, None, d_x, *before, *of_parameters


def _seen_by(
    recording: Recording, x: Tensor, d_output: Tensor | None, d_finals: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Numbers other than 0, in place of gradients, for everything that the read timesteps have seen."""
    sizes = on_device(reads_of(d_output, d_finals, x, recording.valid).array(), x.device)
    is_seen = (sizes if recording.probe == "own" else sizes != 0).to(x.dtype)
    if recording.probe == "whole":
        is_seen = is_seen.flip(0).cummax(0).values.flip(0)
    states = [recording.initial[state] for state in recording.cell.states]
    # Not all the same: a norm takes away what its inputs have in common.
    own = [torch.linspace(0.5, 1.5, tensor.shape[-1], device=x.device).to(x) for tensor in (x, *states)]
    d_x, *d_states = ((is_seen if n == 0 else is_seen[0]).unsqueeze(-1) * row for n, row in enumerate(own))
    if recording.probe == "own":
        d_states = [torch.zeros_like(d_state) for d_state in d_states]
    return None, None, None, None, d_x, *d_states, *(None for _ in recording.parameters)


def leaves_the_device(x: Tensor) -> bool:
    """Whether the arrays of a run on the device of x are to be on the host."""
    return x.device.type == "cuda"

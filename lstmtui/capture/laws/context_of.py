"""Finds out, by calling a model, everything that the laws need to know about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.laws.calls import seen_calls
from lstmtui.capture.laws.context import Context
from lstmtui.capture.laws.first_run import first_run, starts_of, taken_apart
from lstmtui.capture.laws.influence import everywhere, largest_change
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.kept_tensors import kept_by_call
from lstmtui.capture.laws.outputs import probed
from lstmtui.capture.laws.subject import Run, Subject
from lstmtui.capture.modules.arguments import changed, differentiable
from lstmtui.errors import UserError


def context_of(
    model: Any,
    x: Any,
    state: Any,
    lengths: Any,
    starts: Any,
    run: Run | None,
    step: Callable[[Any, Any, Any], Any] | None,
    reset: Callable[[Any], Any] | None,
    factory: Callable[[], Any] | None,
    batch_first: bool | None,
) -> Context:
    """Find out what the laws need to know of a model; the arguments are those of `lstmtui.laws`."""
    if isinstance(model, nn.RNNCellBase) and run is None:
        run = _over_time
    subject = Subject(model, run, reset)
    x, state, lengths, packs = taken_apart(subject, x, state, lengths)
    subject.packs = packs
    if subject.signature.needs_state and state is None and run is None:
        name = subject.signature.states[0]
        raise UserError(
            f"{type(model).__name__}.forward needs {name}: pass it as state=…, or run=… to call it"
        )
    if isinstance(lengths, Tensor):
        subject.lengths_device = lengths.device
    lengths = None if lengths is None else torch.as_tensor(lengths).detach().cpu().to(torch.int64)
    x = changed(differentiable(x), lambda tensor: tensor.detach())
    state = changed(differentiable(state), lambda tensor: tensor.detach())
    inputs, calls = first_run(subject, x, state, lengths, batch_first)
    inputs, shape = probed(subject, inputs)
    where = None if starts is None else starts_of(starts, inputs)
    context = Context(subject, inputs, shape, calls, where, step, factory, _keeps_state(subject, inputs))
    return _repeated(context)


def _not_finite(context: Context, outputs: list[Tensor]) -> str:
    """Where the outputs are first NaN or infinite, in words; empty if they never are."""
    wrong = [~torch.isfinite(output) for output in outputs]
    places = [(*map(int, mask.nonzero()[0]), n) for n, mask in enumerate(wrong) if mask.any()]
    if not places:
        return ""
    *place, number = min(places)
    name, value = context.shape.outputs[number].name, float(outputs[number][tuple(place)])
    t, sequence, *unit = place
    where = f"t={t} of sequence {sequence}" + "".join(f", unit {u}" for u in unit)
    kind = "NaN" if math.isnan(value) else "inf" if value > 0 else "−inf"
    return f"{name} is {kind}, first at {where}; `first-bad` on a recording says where from"


def _repeated(context: Context) -> Context:
    """The context, with the difference between two calls that draw different random numbers."""
    subject, inputs = context.subject, context.inputs
    results, states = [], []
    for seed in (0, 1):
        with subject.fresh(seed), seen_calls(subject.model) as calls:
            result = subject.call(inputs)
        results.append([tensor.detach() for tensor in context.shape.laid_out(result, inputs)])
        states.append(calls)
    if not_finite := _not_finite(context, results[0]):
        return replace(context, not_finite=not_finite)
    apart = largest_change(zip(*results, strict=True), everywhere(inputs), subject.tolerance)
    if not apart:
        return context
    drawn = ""
    if states[0] and states[1] and states[0][0].before is not None and states[1][0].before is not None:
        pairs = zip(states[0][0].before, states[1][0].before, strict=True)
        drawn = states[0][0].name if not all(torch.equal(a, b) for a, b in pairs) else ""
    why = f"the first state of {drawn}" if drawn else "dropout, or something else"
    text = f"two equal calls differ, because {why} is drawn at random"
    return replace(context, differs=text, drawn=drawn, apart=apart)


def _keeps_state(subject: Subject, inputs: Inputs) -> bool:
    """Whether a second call goes on from the first without being given a state."""
    if subject.reset is not None:
        return True
    if subject.takes_state or not isinstance(subject.model, nn.Module):
        return False
    return bool(kept_by_call(subject, inputs))


def _over_time(cell: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """A Cell, called with one timestep after another."""
    outputs = []
    for part in x:
        state = cell(part, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(outputs), state

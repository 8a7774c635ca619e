"""The laws `chunks` and `steps`: one call equals two calls, or one for each timestep."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.context import Context, broken, by_design, held, not_taken
from lstmtui.capture.laws.first_place import first_place, layer_path, output_place, recorded, recorded_call
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.subject import Result
from lstmtui.capture.modules.arguments import changed, tensors_in
from lstmtui.trace import Trace
from lstmtui.wording import counted, first_line

MOST_STEPS = 64
"""How many timesteps are walked one at a time."""


def chunks(context: Context) -> LawResult:
    """Hold it with the boundary after the first timestep, in the middle, and before the last."""
    refusal = _refusal(context)
    if refusal is not None:
        return refusal
    inputs = context.inputs.unpadded()
    whole = _laid_out(context, context.subject.once(inputs), inputs)
    largest = 0.0
    for cut in sorted({1, inputs.steps // 2, inputs.steps - 1}):
        outcome = _compared(context, inputs, whole, [0, cut, inputs.steps])
        if isinstance(outcome, LawResult):
            return outcome
        largest = max(largest, outcome)
    cuts = ", ".join(f"t={c}" for c in sorted({1, inputs.steps // 2, inputs.steps - 1}))
    text = f"{counted(inputs.steps, 'timestep')} in one call and in two, cut at {cuts}, are the same"
    return held(text, largest, context.subject.tolerance)


def steps(context: Context) -> LawResult:
    """Hold it over the first timesteps, by the user's own function for one of them where there is one."""
    inputs = context.inputs.cut(0, min(context.inputs.steps, MOST_STEPS)).unpadded()
    if context.step is None:
        refusal = _refusal(context)
        if refusal is not None:
            return refusal
    elif inputs.steps < 2 or context.other_steps:
        return not_taken(context.other_steps or "there is only one timestep")
    whole = _laid_out(context, context.subject.once(inputs), inputs)
    outcome = _compared(context, inputs, whole, list(range(inputs.steps + 1)))
    if isinstance(outcome, LawResult):
        return outcome
    first = "the first " if inputs.steps < context.inputs.steps else ""
    by = "" if context.step is None else " of step"
    text = (
        f"{first}{counted(inputs.steps, 'timestep')} in one call and in {inputs.steps} calls{by} are the same"
    )
    return held(text, outcome, context.subject.tolerance)


def _refusal(context: Context) -> LawResult | None:
    if not context.hands_on:
        return not_taken("the model takes no state, so a call cannot continue from the one before")
    if context.inputs.steps < 2:
        return not_taken("there is only one timestep")
    if why := context.differs or context.other_steps:
        return not_taken(why)
    if context.backward_layer:
        return by_design(
            f"{context.backward_layer} reads backward too, so it needs the whole sequence in one call"
        )
    if any(leaf.time is not None and not leaf.follows for leaf in context.inputs.leaves):
        return not_taken("it also reads a second sequence, in every call from the beginning")
    return None


def _compared(context: Context, inputs: Inputs, whole: list[Tensor], bounds: list[int]) -> LawResult | float:
    """The largest difference to one call; or what is broken."""
    subject = context.subject
    try:
        with subject.fresh():
            parts = _parts(context, inputs, bounds)
    except _Refused as error:
        return not_taken(str(error))
    names = [output.name for output in context.shape.outputs]
    numbers = [n for n in range(len(names)) if context.step is None or n < len(parts)]
    pieces = [parts[n] for n in numbers]
    everywhere = torch.ones(inputs.steps, inputs.batch, dtype=torch.bool)
    place = output_place(
        [names[n] for n in numbers], [whole[n] for n in numbers], pieces, everywhere, subject.tolerance
    )
    pairs = [(whole[n], parts[n]) for n in numbers if whole[n].shape == parts[n].shape]
    largest = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
    return largest if place is None else _apart(context, inputs, bounds, largest, place)


class _Refused(Exception):
    """A chunk cannot be run."""


def _parts(context: Context, inputs: Inputs, bounds: list[int]) -> list[Tensor]:
    """What comes out of consecutive calls, put together in time."""
    state: Any = inputs.state
    laid_out: list[list[Tensor]] = []
    for start, stop in pairwise(bounds):
        part = inputs.cut(start, stop)
        try:
            result = one_step(context, part, state)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            if start == 0:
                raise _Refused(f"a call of {counted(stop, 'timestep')} fails: {first_line(error)}") from None
            raise _Refused(f"the call from t={start} on fails: {first_line(error)}") from None
        state = result.state
        if state is None and not context.keeps_state and context.step is None:
            raise _Refused("takes a state and returns none")
        laid_out.append(_laid_out(context, result, part, len(result.tensors)))
    last = laid_out[-1]
    joined = []
    for n in range(len(last)):
        has_time = context.shape.outputs[n].time is not None
        joined.append(torch.cat([piece[n] for piece in laid_out]) if has_time else last[n])
    return joined


def one_step(context: Context, part: Inputs, state: Any) -> Result:
    """A call with a stretch of x, by the user's own function for a timestep where there is one."""
    if context.step is None:
        return context.subject.call(part, state)
    return _step(context, part, state)


def _step(context: Context, part: Inputs, state: Any) -> Result:
    """One call of the user's own function for a timestep: x without its axis of time."""
    assert context.step is not None
    context.subject.tick()
    leaves = iter(part.leaves)
    leaf = part.leaves[0]

    def now(tensor: Tensor) -> Tensor:
        own = next(leaves)
        return tensor if own.time is None or not own.follows else tensor.select(own.time, 0)

    result = context.step(context.subject.model, changed(part.x, now), state)
    y, after = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    tensors = [t for t in tensors_in(y) if isinstance(t, Tensor) and t.is_floating_point()]
    outputs = []
    for output, tensor in zip(context.shape.of_y, tensors, strict=False):
        lacks_time = output.time is not None and not output.is_flat and leaf.time is not None
        outputs.append(tensor.unsqueeze(output.time) if lacks_time and output.time is not None else tensor)
    return Result(outputs, after, len(outputs))


def _laid_out(context: Context, result: Result, inputs: Inputs, first: int | None = None) -> list[Tensor]:
    outputs = context.shape.outputs[:first]
    pairs = zip(outputs, result.tensors, strict=False)
    return [output.laid_out(tensor.detach(), inputs.steps, inputs.batch) for output, tensor in pairs]


def _apart(context: Context, inputs: Inputs, bounds: list[int], largest: float, place: Place) -> LawResult:
    """Where the calls first part from one call, inside of the model where it can be recorded."""
    subject, tolerance = context.subject, context.subject.tolerance
    calls = "step by step" if len(bounds) > 3 else f"in two calls, cut at t={bounds[1]}"
    text = f"{place.quantity} {calls} is up to {largest:.3g} away from one call"
    whole = recorded_call(subject, inputs)
    parts = recorded(subject, lambda: _parts(context, inputs, bounds))
    parting = first_place(subject, (whole, parts))
    if parting is not None:
        first, apart = parting
        return broken(
            f"{text}; {first.quantity} {apart.a:.6g} becomes {apart.b:.6g}", largest, tolerance, first
        )
    lost = _begun_anew(whole, parts)
    if lost is not None:
        return broken(f"{text}; {lost[0]}", largest, tolerance, lost[1])
    return broken(text, largest, tolerance, place)


def _begun_anew(whole: Trace | None, parts: Trace | None) -> tuple[str, Place] | None:
    """The first layer that the second call begins from another state than the first has left.

    Its calls are then runs of their own in the recording, and no timesteps of one.
    """
    if whole is None or parts is None:
        return None
    for number, layer in enumerate(parts.layers):
        path, _, call = layer.path.partition("@")
        if call != "2":
            continue
        first = next(n for n, own in enumerate(whole.layers) if own.path == path and own.index == layer.index)
        name = layer_path(whole, first) or path.removeprefix("model").lstrip(".") or "the layer"
        what = "a state that it did not leave" if parts.initial("h", number).any() else "zeros"
        return f"{name} begins its second call from {what}", Place(None, first, name, "forward", "h")
    return None

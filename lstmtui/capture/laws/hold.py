"""`laws`: hold the laws of state on a model and an input, one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.analysis.laws import NAMES, LawResult
from lstmtui.capture.arguments import changed, differentiable
from lstmtui.capture.laws.calls import seen_calls
from lstmtui.capture.laws.carry import MOST_STREAMED, carry
from lstmtui.capture.laws.causality import MOST_CUTS, causality
from lstmtui.capture.laws.chunks import chunks, steps
from lstmtui.capture.laws.consumption import most_tried
from lstmtui.capture.laws.context import Context, not_taken
from lstmtui.capture.laws.first_run import first_run, starts_of, taken_apart
from lstmtui.capture.laws.influence import largest_change
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.isolation import isolation
from lstmtui.capture.laws.kept_tensors import kept_tensors
from lstmtui.capture.laws.outputs import probed
from lstmtui.capture.laws.padding import padding
from lstmtui.capture.laws.reset import reset
from lstmtui.capture.laws.save import save
from lstmtui.capture.laws.subject import Run, Subject
from lstmtui.closest import closest
from lstmtui.errors import UserError

LAWS: dict[str, Callable[[Context], LawResult]] = {
    "isolation": isolation,
    "causality": causality,
    "chunks": chunks,
    "steps": steps,
    "padding": padding,
    "carry": carry,
    "reset": reset,
    "save": save,
}
"""What holds each law, in the order of `NAMES`."""

LawProgress = Callable[[str, float], None]
"""Called before each run of the model with (law, seconds it will take in all, 0 while that is not known)."""


def laws(
    model: Any,
    x: Any,
    state: Any = None,
    *,
    lengths: Any = None,
    starts: Any = None,
    run: Run | None = None,
    step: Callable[[Any, Any, Any], Any] | None = None,
    reset: Callable[[Any], Any] | None = None,
    batch_first: bool | None = None,
    only: Collection[str] = (),
    progress: LawProgress | None = None,
) -> tuple[LawResult, ...]:
    """Hold the laws of state on a model and an input: a result for each, as `lstmtui help laws` lists them.

    A copy of the model runs, in float64 where that works, in its mode but without dropout. How a state is
    given and returned is read off `forward`: `forward(x, state) -> (y, state)` and the like, nn.LSTM, nn.GRU,
    nn.RNN, `lstmtui.Recurrent`, and modules that keep it on themselves and have a method `reset`.

        assert not any(law.broken for law in lstmtui.laws(model, x))

    Args:
        model: an nn.Module, or a function of x, such as a loop of your own.
        x: (T, B, input) or tokens (T, B), with B before T where the model is batch_first; a tuple is several
            arguments, a dict is keyword arguments.
        state: to begin from, as the model takes it; left out: the model's own.
        lengths: int (B,), the number of timesteps of each sequence.
        starts: bool, shaped as the first two axes of x: where a sequence begins anew, such as a document or
            an episode, before x is read there.
        run: called with (model, x, state) in place of the model, where it is called in another way; returns
            y, or (y, state).
        step: called with (model, x at t, state): your own function for one timestep; returns (y, state).
        reset: called with the model before each fresh start, where it keeps its state on itself.
        batch_first: whether x is (B, T, …); left out: told by the first recurrent layer.
        only: the names of the laws to hold; left out: all.
        progress: called before each run with (law, seconds it takes in all, or 0); raising
            `lstmtui.Cancelled` stops it.

    Raises:
        UserError: there is no law of that name, or an argument does not fit x.
    """
    names = _names(only)
    context = _context(model, x, state, lengths, starts, run, step, reset, batch_first)
    if batch_first is None and not context.calls:
        # No recurrent layer told which axis is time; of the two, one may keep the sequences apart.
        if context.not_finite:
            context = replace(context, remark="x was taken as (T, B, …); batch_first = … says it")
        elif isolation(context).broken:
            make = partial(_context, model, x, state, lengths, starts, run, step, reset, True)
            context = _turned(context, make) or context
    return tuple(_held(name, context, progress) for name in names)


def _names(only: Collection[str]) -> list[str]:
    for name in only:
        if name not in NAMES:
            meant = closest(name, NAMES)
            hint = f"; did you mean {meant}?" if meant else ""
            raise UserError(f"there is no law {name}; there are {', '.join(NAMES)}{hint}")
    return [name for name in LAWS if not only or name in only]


def _held(name: str, context: Context, progress: LawProgress | None) -> LawResult:
    """One law, with its time."""
    subject, began, first = context.subject, perf_counter(), context.subject.runs
    expected = subject.seconds * _runs(name, context)

    def tick() -> None:
        if progress is not None:
            progress(name, expected if subject.runs > first else 0.0 if math.isnan(expected) else expected)

    subject.tick = tick
    result = not_taken(context.not_finite) if context.not_finite else LAWS[name](context)
    notes = (*result.notes, context.remark) if context.remark else result.notes
    if subject.dropped and result.number == result.number:
        notes = (*notes, "dropout was switched off")
    dtype = str(subject.dtype).removeprefix("torch.")
    return replace(result, name=name, dtype=dtype, seconds=perf_counter() - began, notes=notes)


def _runs(name: str, context: Context) -> float:
    """About how many runs a law needs where it holds; a backward pass counts as two."""
    inputs = context.inputs
    pairs = 2 * max(0, inputs.batch - 1).bit_length()
    each = {
        "isolation": 3 * pairs,
        "causality": 3 * min(MOST_CUTS, inputs.steps),
        "chunks": 3,
        "steps": 4,
        "padding": inputs.batch,
        "carry": most_tried(inputs.steps) + min(MOST_STREAMED, inputs.steps),
        "reset": 6,
        "save": 3,
    }
    return each[name] + 2.0


def _context(
    model: Any,
    x: Any,
    state: Any,
    lengths: Any,
    starts: Any,
    run: Run | None,
    step: Callable[[Any, Any, Any], Any] | None,
    reset: Callable[[Any], Any] | None,
    batch_first: bool | None,
) -> Context:
    """Everything that can be found out about a model by calling it."""
    if isinstance(model, nn.RNNCellBase) and run is None:
        run = _over_time
    subject = Subject(model, run, reset)
    x, state, lengths, packs = taken_apart(subject, x, state, lengths)
    subject.packs = packs
    if subject.signature.needs_state and state is None and run is None:
        name = subject.signature.states[0]
        raise UserError(
            f"{type(model).__name__}.forward needs {name}: give it as state=…, or say by run=… how to call"
        )
    if isinstance(lengths, Tensor):
        subject.lengths_device = lengths.device
    lengths = None if lengths is None else torch.as_tensor(lengths).detach().cpu().to(torch.int64)
    x = changed(differentiable(x), lambda tensor: tensor.detach())
    state = changed(differentiable(state), lambda tensor: tensor.detach())
    inputs, calls = first_run(subject, x, state, lengths, batch_first)
    inputs, shape = probed(subject, inputs)
    where = None if starts is None else starts_of(starts, inputs)
    context = Context(subject, inputs, shape, calls, where, step, _keeps_state(subject, inputs))
    return _repeated(context)


def _turned(context: Context, make: Callable[[], Context]) -> Context | None:
    """The same with batch before time, where that keeps the sequences apart; None where it does not."""
    try:
        other = make()
        is_apart = other.inputs.batch > 1 and not isolation(other).broken
    except Exception:  # the model cannot be called so
        return None
    text = "x was taken as (B, T, …), as only so its sequences are kept apart; batch_first = … says it"
    return replace(other, remark=text) if is_apart else None


def _not_finite(context: Context, outputs: list[Tensor]) -> str:
    """Where what comes out is NaN or infinite for the first time, in words."""
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
    """With what differs between two calls that draw other random numbers."""
    subject, inputs = context.subject, context.inputs
    results, states = [], []
    for seed in (0, 1):
        with subject.fresh(seed), seen_calls(subject.model) as calls:
            result = subject.call(inputs)
        results.append([tensor.detach() for tensor in context.shape.laid_out(result, inputs)])
        states.append(calls)
    if not_finite := _not_finite(context, results[0]):
        return replace(context, not_finite=not_finite)
    everywhere = torch.ones(inputs.steps, inputs.batch, dtype=torch.bool)
    apart = largest_change(zip(*results, strict=True), everywhere, subject.tolerance)
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
    with subject.fresh():
        before = kept_tensors(subject.model)
        subject.call(inputs)
        after = kept_tensors(subject.model)
    return any(
        name not in before or before[name].shape != tensor.shape or not torch.equal(before[name], tensor)
        for name, tensor in after.items()
    )


def _over_time(cell: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """A Cell, called with one timestep after another."""
    outputs = []
    for part in x:
        state = cell(part, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(outputs), state

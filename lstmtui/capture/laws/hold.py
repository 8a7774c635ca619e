"""`laws`: test a model and an input against the laws of state, one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import torch

from lstmtui.analysis.laws import NAMES, LawResult
from lstmtui.capture.laws.carry import MOST_STREAMED, carry
from lstmtui.capture.laws.causality import MOST_CUTS, causality
from lstmtui.capture.laws.chunks import chunks, steps
from lstmtui.capture.laws.consumption import most_tried
from lstmtui.capture.laws.context import Context, not_taken
from lstmtui.capture.laws.context_of import context_of
from lstmtui.capture.laws.default_device import host_by_default
from lstmtui.capture.laws.isolation import isolation
from lstmtui.capture.laws.padding import padding
from lstmtui.capture.laws.reset import reset
from lstmtui.capture.laws.save import save
from lstmtui.capture.laws.subject import Run
from lstmtui.capture.modules.arguments import differentiable
from lstmtui.closest import meant_or_all
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
    factory: Callable[[], Any] | None = None,
    batch_first: bool | None = None,
    only: Collection[str] = (),
    progress: LawProgress | None = None,
) -> tuple[LawResult, ...]:
    """Test a model against the laws of state, which `lstmtui help laws` lists; there is a result for each.

        assert not any(law.broken for law in lstmtui.laws(model, x))

    A copy of the model runs, in float64 if that works, in the model's own mode but without dropout. How the
    model takes and returns its state is read off its `forward`: `forward(x, state) -> (y, state)` and the
    like, nn.LSTM, nn.GRU, nn.RNN, `lstmtui.Recurrent`, and modules that store the state on themselves and
    have a method `reset`.

    Args:
        model: an nn.Module, or a function of x, such as a loop of your own.
        x: (T, B, input) or tokens (T, B); B comes first if the model is batch_first. A tuple is several
            arguments, a dict is keyword arguments.
        state: the initial state, as the model takes it. If left out, the model's own.
        lengths: int (B,), the number of timesteps of each sequence.
        starts: bool, shaped as the first two axes of x. True where a new document, episode or the like
            begins, that is, where the state is to be reset before x is read.
        run: called with (model, x, state) in place of the model, if the model is called in some other way;
            returns y, or (y, state).
        step: your own function for one timestep, called with (model, x at t, state); returns (y, state).
        reset: called with the model before each fresh start, if the model stores its state on itself.
        factory: builds a new model, into which the state_dict is loaded. If left out, the model's class is
            called when a new one is needed, provided the model stores the arguments under their own names.
        batch_first: whether x is (B, T, …). If left out, the first recurrent layer tells.
        only: the names of the laws to test. If left out, all.
        progress: called before each run with (law, seconds that the law takes in all, or 0 if unknown). It
            may raise `lstmtui.Cancelled` to stop.

    Raises:
        UserError: there is no law of that name, or an argument does not fit x.
    """
    names = _names(only)
    with torch.inference_mode(False), host_by_default():
        x, state = differentiable(x), differentiable(state)
        make = partial(context_of, model, x, state, lengths, starts, run, step, reset, factory)
        context, isolated = make(batch_first), None
        if batch_first is None and not context.calls:
            context, isolated = _with_axes(context, partial(make, True), progress)
        return tuple(
            isolated if name == "isolation" and isolated else _held(name, context, progress) for name in names
        )


def _with_axes(
    context: Context, turned: Callable[[], Context], progress: LawProgress | None
) -> tuple[Context, LawResult | None]:
    """Where no recurrent layer told which axis is time: that of which the other one keeps sequences apart.

    Args:
        context: where x is (T, B, …).
        turned: makes that where x is (B, T, …).
        progress: as of `laws`.

    Returns:
        One of the two; and what its isolation came to, where that was tried.
    """
    if context.not_finite:
        return replace(context, remark="x was taken as (T, B, …); batch_first = … says it"), None
    result = _held("isolation", context, progress)
    if not result.broken:
        return context, result
    try:
        other = turned()
    except Exception:  # the model cannot be called so
        return context, result
    text = "x was taken as (B, T, …), as only so its sequences are kept apart; batch_first = … says it"
    other = replace(other, remark=text)
    apart = _held("isolation", other, progress)
    is_better = other.inputs.batch > 1 and not apart.broken
    return (other, apart) if is_better else (context, result)


def _names(only: Collection[str]) -> list[str]:
    for name in only:
        if name not in NAMES:
            raise UserError(f"there is no law {name}; {meant_or_all(name, NAMES)}")
    return [name for name in LAWS if not only or name in only]


def _held(name: str, context: Context, progress: LawProgress | None) -> LawResult:
    """The result of one law, with the time that it took."""
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
        "save": 6,
    }
    return each[name] + 2.0

"""Whether what the loss reads at a timestep depends on later input; found by gradients, which are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from lstmtui.arrays import Array
from lstmtui.capture.gradients import holds_functions, leaves_of
from lstmtui.capture.loss.followed_input import FollowedInput, Part
from lstmtui.capture.loss.loss_target import target_offset
from lstmtui.capture.loss.meant_ahead import MIXES, convolutions, mixing_norms
from lstmtui.capture.loss.question import Question
from lstmtui.capture.loss.reach import latest_reached, stack_of, stacked_behind
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.modules.interception import is_plain
from lstmtui.capture.taps.tap import Tap
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.models.torch_compat import has_backward_hooks
from lstmtui.trace.look_ahead import LookAhead
from lstmtui.wording import first_line

_Turn = Callable[[Tensor], Tensor]

SOON = 16
"""Of outputs that are made timestep by timestep the one after so many is looked at."""


MOST_TRIED = 6
"""At how many more timesteps it is looked where some of the input is read at other timesteps too."""
LONG = 20_000
"""Of longer runs it is not searched which of these timesteps are unlike the others: it takes too long."""


def look_ahead(loss: Tensor, module: nn.Module, output: Tensor | None, turn: _Turn, tap: Tap) -> LookAhead:
    """Whether the loss reads what depends on later input; asked before the loss is differentiated.

    The part of the loss that is read from y up to a timestep is differentiated by the input. A recurrent
    layer is not run back for that: which of its inputs a timestep has seen is known.

    Args:
        loss: the scalar.
        module: what is recorded.
        output: y, or None.
        turn: lays y out as (T, B, units).
        tap: what has recorded it.
    """
    followed = tap.cuts.input
    if why := _why_not(loss, module, output, tap):
        return LookAhead("unknown", why)
    assert output is not None
    try:
        of_output: Sequence[Tensor | None] = torch.autograd.grad(
            loss, output, retain_graph=True, allow_unused=True
        )
        d_output = of_output[0]
        if d_output is None:
            return LookAhead("unknown", "the loss does not read y")
        turned = turn(output)
        each = _stacked(output, d_output, turned)
        question = Question(turned, turn(d_output), [], tap.runs, each)
        seen = _plain(tap.runs[0]) if is_plain(module) else _seen(module, question, followed)
    except RuntimeError as error:
        return LookAhead("unknown", f"autograd cannot go back twice: {first_line(error)}")
    return _of_target(seen, target_offset(loss, output, tap.origins, followed.tensors))


def _why_not(loss: Tensor, module: nn.Module, output: Tensor | None, tap: Tap) -> str:
    """Why nothing can be seen, or why looking would be noticed; empty where it can."""
    if not loss.requires_grad:
        return "the loss has no gradient"
    if output is None or not output.requires_grad:
        return "the model returns nothing that surely has a value for each timestep"
    if tap.recomputation.is_possible or tap.cuts.is_checkpointed:
        return "activation checkpoints make the graph only on the way back"
    if tap.cuts.is_hooked or any(map(has_backward_hooks, module.modules())):
        return "the model has hooks on the way back, which would be called for it"
    return ""


def _plain(run: ModuleRun) -> LookAhead:
    """The answer for a recurrent module by itself."""
    if run.layout.bidirectional:
        return LookAhead("meant", _reads_backward(run), 0, run.steps - 1)
    return LookAhead("none", "a layer that reads forward has seen nothing that comes later")


def _seen(module: nn.Module, question: Question, followed: FollowedInput) -> LookAhead:
    """The answer for a model that does something before, between or after its layers."""
    steps, runs = len(question.outputs), question.runs
    read = np.flatnonzero(numpy_of((question.d_outputs != 0).flatten(1).any(1)))
    early = read[read < steps - 1]
    if not len(early):
        t = steps - 1
        return LookAhead("none", "y is read at the last timestep alone, and nothing comes after it", t, t)
    question.parts = list(_of_time(followed.parts, steps, batch_first=bool(runs) and runs[0].batch_first))
    if not question.parts:
        return LookAhead("unknown", followed.lost or "no input of the model has the timesteps of y")
    middle = min(len(early) // 2, SOON) if question.each else len(early) // 2
    tried = sorted({int(early[middle]), int(early[max(0, middle - 1)])})
    for t in tried:
        latest = question.latest(0, t + 1, "pointwise")
        if latest > t:
            return _ahead(module, question, t, latest)
    is_whole = latest >= 0 and not followed.lost and not holds_functions(question.outputs)
    more = _suspects(question, early) if is_whole else []
    for suspect in more:
        later = question.latest(0, suspect + 1, "pointwise")
        if later > suspect:
            return _ahead(module, question, suspect, later)
    backward = next((run for run in runs if run.layout.bidirectional), None)
    if backward is not None and (whole := question.latest(0, t + 1, "whole")) > t:
        return LookAhead("meant", _reads_backward(backward), t, whole)
    if not is_whole:
        return LookAhead("unknown", followed.lost or "its gradient does not come back to all of the input")
    where = f"up to {_listed(sorted({*tried, *more}))}" if more else "at any timestep"
    return LookAhead("none", f"no gradient goes from what is read {where} to a later input", t, latest)


def _suspects(question: Question, early: Array) -> list[int]:
    """The timesteps that are read up to which it is worth to look; none where that is settled for all."""
    ends, elsewhere = [edge for edge, _ in question.each], np.array([], np.int64)
    if not ends:
        stacked = stacked_behind(question.outputs, len(question.outputs), question.parts)
        ends = [] if stacked is None else stacked.ends
        elsewhere = question.read_elsewhere(stacked)
        if stacked is None and len(elsewhere) and len(question.outputs) <= LONG:
            elsewhere = np.concatenate([question.read_unlike_others(), elsewhere])
    # What is read at an earlier timestep is, if anywhere, seen at the last one before it that is read.
    at = np.searchsorted(early, elsewhere) - 1
    suspects = early[at[at >= 0]].tolist()
    if ends:
        reached = latest_reached(ends, question.parts)
        suspects = [t for t in early.tolist() if reached[t] > t] + suspects
    suspects = list(dict.fromkeys(suspects))
    if len(suspects) <= MOST_TRIED:
        return suspects
    first, rest = suspects[: MOST_TRIED // 2], suspects[MOST_TRIED // 2 :]
    spread = np.linspace(0, len(rest) - 1, MOST_TRIED - len(first)).astype(int)
    return [*first, *(rest[n] for n in spread)]


def _listed(timesteps: Sequence[int]) -> str:
    *first, last = (f"t={t}" for t in timesteps)
    return f"{', '.join(first)} and {last}" if first else last


def _stacked(output: Tensor, d_output: Tensor, turned: Tensor) -> list[tuple[GradientEdge, Tensor]]:
    """The tensors that an output was stacked of, one for each timestep; none where it is not made so.

    Args:
        output: as the model returned it.
        d_output: ∂L/∂ it.
        turned: the output as (T, B, units).
    """
    stacked = stack_of(output.grad_fn)
    if stacked is None or len(stacked.ends) != len(turned) or output.shape[stacked.axis] != len(turned):
        return []
    if not torch.equal(output.select(stacked.axis, 0).flatten(), turned[0].flatten()):
        return []
    return list(zip(stacked.ends, d_output.unbind(stacked.axis), strict=True))


def _ahead(module: nn.Module, question: Question, t: int, latest: int) -> LookAhead:
    """What is said of a run whose reads look ahead, and whether it is meant to be so."""
    leaves = {id(leaf) for leaf in leaves_of(question.outputs)}

    def is_used(own: nn.Module) -> bool:
        return any(id(parameter) in leaves for parameter in own.parameters(recurse=False))

    names, reach = convolutions(module, is_used)
    if names and latest <= t + reach:
        text = f"{names} is padded on both sides, so that y at t depends on x up to t + {reach}"
        return LookAhead("meant", text, t, latest)
    if mixing := mixing_norms(module, is_used):
        return LookAhead("meant", f"{mixing} {MIXES}", t, latest)
    if (decoder := _decoder(question.runs)) is not None:
        return LookAhead("meant", f"{_name(decoder)} begins from a state that is made of all of x", t, latest)
    own = question.latest(t, t + 1, "pointwise")
    what, until = (f"at t={t}", own) if own > t else (f"up to t={t}", latest)
    return LookAhead("ahead", f"what the loss reads {what} depends on x up to t={until}", t, until)


def _of_target(seen: LookAhead, offset: int | None) -> LookAhead:
    """The answer, which differs if the loss compares y with the input itself.

    Args:
        seen: without.
        offset: how many timesteps later the input is that y is compared with; None: it is another target.
    """
    if offset is None or seen.kind == "unknown":
        return seen
    if offset > 0 and seen.until - seen.t >= offset:
        text = f"the loss compares y at t with x of t + {offset}, which it has seen: {seen.text}"
        return replace(seen, kind="ahead", text=text)
    if offset <= 0 and seen.kind == "none" and seen.until == seen.t:
        which = "itself" if not offset else f"− {-offset}"
        text = f"the loss compares y at t with x of t {which}, which the model has read"
        return replace(seen, kind="copied", text=text)
    return seen


def _decoder(runs: Sequence[ModuleRun]) -> ModuleRun | None:
    """The first run that begins from what another one has left."""
    for run in runs:
        if any(origin.kind in ("layer", "computed") for origin in run.origins.values()):
            return run
    return None


def _of_time(parts: Sequence[Part], steps: int, *, batch_first: bool) -> Iterator[tuple[Part, int]]:
    """The parts of inputs that have so many timesteps, with the axis that is time."""
    for part in parts:
        axes = [axis for axis, size in enumerate(part.shape) if size == steps]
        if axes:
            yield part, axes[0] if len(axes) == 1 else int(batch_first)


def _reads_backward(run: ModuleRun) -> str:
    return f"{_name(run)} reads backward too, so that it has read what comes after each timestep"


def _name(run: ModuleRun) -> str:
    return run.path or type(run.module).__name__

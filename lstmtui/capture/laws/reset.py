"""The law `reset`: after a reset, the output is that of a fresh start."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.context import Context, broken, gradient_not_finite, held, not_taken
from lstmtui.capture.laws.first_place import first_place, output_place, recorded, recorded_call
from lstmtui.capture.laws.influence import Dependence, Influence, largest_change
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.part_of_trace import part_of
from lstmtui.trace import Trace
from lstmtui.wording import counted

MOST_STARTS = 16
"""How many of the places where a sequence begins anew are tried."""


def reset(context: Context) -> LawResult:
    """Hold it where sequences begin anew, after the model's own reset, and between two fresh starts."""
    if context.drawn:
        return broken(
            f"two fresh starts differ: the state that {context.drawn} begins from is drawn anew in each call",
            context.apart,
            0.0,
            Place(-1, None, context.drawn, "", "h"),
        )
    if context.differs:
        return not_taken(context.differs)
    texts, largest = [], 0.0
    if context.starts is not None:
        outcome = _at_starts(context, context.starts)
        if isinstance(outcome, LawResult):
            return outcome
        texts.append(outcome)
    if context.keeps_state and context.subject.reset is not None:
        after = _after_reset(context)
        if isinstance(after, LawResult):
            return after
        texts.append("after the model's own reset it begins as it did at first")
    if not texts:
        return not_taken(
            "no reset is known: starts=… says where sequences begin, reset=… how the model is reset"
        )
    return held("; ".join(texts), largest, context.subject.tolerance)


def _at_starts(context: Context, starts: Tensor) -> LawResult | str:
    """Every (t, sequence) with t > 0 where one begins, or evenly spread ones of them."""
    where = [(int(t), int(b)) for t, b in starts.nonzero() if t > 0]
    if not where:
        return not_taken("every sequence begins at t=0 only")
    numbers = [
        n
        for n, output in enumerate(context.shape.outputs)
        if not output.own_steps and (output.batch is not None or context.inputs.batch == 1)
    ]
    if not numbers and context.other_steps:
        return not_taken(context.other_steps)
    if not numbers:
        return not_taken("no output has a value for each sequence")
    tried = where[:: -(-len(where) // MOST_STARTS)]
    memory = _Memory(context, starts, Dependence(context.subject, context.shape, context.inputs, numbers))
    for t, sequence in tried:
        influence = memory.of(t, sequence)
        if influence.is_there:
            return _remembered(context, memory, t, sequence, influence)
        if memory.is_early(t, sequence):
            return broken(
                f"sequence {sequence} begins anew one timestep early: at t={t - 1} nothing before it counts, "
                f"and it is to begin at t={t}",
                place=Place(t - 1, None, "", "", "y", None, sequence),
            )
        outcome = _fresh(context, starts, t, sequence)
        if outcome is not None:
            return outcome
    if not memory.dependence.is_finite:
        return gradient_not_finite("a change before a start changes nothing after it")
    of = (
        f"{len(tried)} of {counted(len(where), 'start')}"
        if len(tried) < len(where)
        else counted(len(where), "start")
    )
    by = "the gradient to what came before is exactly 0, and " if memory.dependence.has_gradient else ""
    return f"at {of} {by}the output is that of a fresh start"


class _Memory:
    """How much of earlier input is left at a timestep."""

    def __init__(self, context: Context, starts: Tensor, dependence: Dependence) -> None:
        self._inputs, self._starts, self.dependence = context.inputs, starts, dependence
        leads = context.inputs.tensors[0]
        # Tokens may say themselves where a sequence ends: those beside a start are not changed.
        self._kept = torch.zeros_like(starts) if leads.is_floating_point() else _beside(starts)

    def of(self, t: int, sequence: int) -> Influence:
        """How much of what comes out from t on depends on x before t."""
        late = torch.zeros(self._inputs.steps, self._inputs.batch, dtype=torch.bool)
        late[t:, sequence] = True
        return self.dependence.of(late, self.before(t, sequence))

    def before(self, t: int, sequence: int) -> Tensor:
        """bool (T, B): x of a sequence before t."""
        before = torch.zeros(self._inputs.steps, self._inputs.batch, dtype=torch.bool)
        before[:t, sequence] = True
        return before & ~self._kept

    def is_early(self, t: int, sequence: int) -> bool:
        """Whether it forgets at t − 1 too, and is not without memory anyway."""
        if t < 2 or bool(self._starts[t - 1, sequence]) or t + 1 >= self._inputs.steps:
            return False
        if bool(self._starts[t + 1, sequence]) or self.of(t - 1, sequence).is_there:
            return False
        return self.of(t + 1, sequence).is_there


def _beside(starts: Tensor) -> Tensor:
    """bool (T, B): the timesteps at which a sequence starts, and those just before them."""
    return starts | torch.cat([starts[1:], torch.zeros_like(starts[:1])])


def _remembered(context: Context, memory: _Memory, t: int, sequence: int, influence: Influence) -> LawResult:
    """What came before a start still counts: because the reset comes late or early, or not at all."""
    inputs, subject = context.inputs, context.subject
    when = "what came before is never forgotten"
    for by in (1, 2, 3):
        if t + by < inputs.steps and not memory.of(t + by, sequence).is_there:
            when = f"it is forgotten {counted(by, 'timestep')} late, at t={t + by}"
            break
        if t - by > 0 and not memory.of(t - by, sequence).is_there:
            when = f"what came before t={t - by} is forgotten there, {counted(by, 'timestep')} early"
            break
    text = f"sequence {sequence} is to begin anew at t={t}, and {when}"
    if influence.gradient > 0:
        text += f"; the gradient to x before t={t} is up to {influence.gradient:.3g}"
    changed = inputs.different(memory.before(t, sequence))
    runs = [recorded_call(subject, part) for part in (inputs, changed)]
    if all(run is not None and (run.steps, run.batch) == (inputs.steps, inputs.batch) for run in runs):
        parts = [
            part_of(run, sequence, t, inputs.steps, with_initial=False) for run in runs if run is not None
        ]
        parting = first_place(subject, parts)
        if parting is not None:
            place, apart = parting
            at = replace(place, t=t + (place.t or 0), batch=sequence)
            return broken(f"{text}; {apart.a:.6g} becomes {apart.b:.6g}", influence.largest, 0.0, at)
    return broken(text, influence.largest, 0.0, Place(t, None, "", "", "y", None, sequence))


def _fresh(context: Context, starts: Tensor, t: int, sequence: int) -> LawResult | None:
    """What is broken where the outputs after a start are not those of a run that begins there."""
    inputs, subject = context.inputs, context.subject
    later = starts[t + 1 :, sequence].nonzero()
    stop = t + 1 + int(later[0]) if len(later) else inputs.steps
    alone = inputs.of([sequence]).cut(t, inputs.steps)
    try:
        result = subject.once(alone)
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None  # a batch of one, or another length, is nothing that it takes
    numbers = [n for n, output in enumerate(context.shape.outputs) if output.time is not None]
    whole = context.shape.laid_out(subject.once(inputs), inputs)
    single = context.shape.laid_out(result, alone)
    column = sequence if inputs.batch > 1 else 0
    pairs = [
        (whole[n][t:stop, column : column + 1].detach(), single[n][: stop - t].detach()) for n in numbers
    ]
    of = torch.ones(stop - t, 1, dtype=torch.bool)
    names = [context.shape.outputs[n].name for n in numbers]
    place = output_place(names, [a for a, _ in pairs], [b for _, b in pairs], of, subject.tolerance)
    if place is None:
        return None
    largest = largest_change(pairs, of, subject.tolerance)
    at = replace(place, t=t + (place.t or 0), batch=sequence)
    return broken(
        f"sequence {sequence} begins anew at t={t}, and is up to {largest:.3g} away from a fresh start",
        largest,
        subject.tolerance,
        at,
    )


def _after_reset(context: Context) -> LawResult | None:
    """What is broken where a model that was reset does not run as it did at first."""
    inputs, subject = context.inputs, context.subject
    assert subject.reset is not None
    sources: list[Tensor] = []

    def leafed(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        sources.append(tensor.detach().clone().requires_grad_())
        return sources[-1]

    before = inputs.mapped(lambda leaf, tensor: leafed(tensor))
    with subject.fresh():
        first = context.shape.laid_out(subject.call(before), inputs)
        subject.reset(subject.model)
        second = context.shape.laid_out(subject.call(inputs), inputs)
    gradient = _gradient(second, sources)
    names = [output.name for output in context.shape.outputs]
    of = torch.ones(inputs.steps, inputs.batch, dtype=torch.bool)
    fresh, after_reset = ([t.detach() for t in tensors] for tensors in (first, second))
    place = output_place(names, fresh, after_reset, of, subject.tolerance)
    if place is None and not gradient:
        return None
    if place is None:
        return broken(
            f"after the reset the gradient to what came before it is up to {gradient:.3g}", gradient, 0.0
        )
    largest = largest_change(zip(fresh, after_reset, strict=True), of, subject.tolerance)
    text = f"after the model's own reset, {place.quantity} is up to {largest:.3g} away from a fresh start"
    parting = first_place(subject, (recorded_call(subject, inputs), _recorded_after_reset(context, inputs)))
    if parting is not None:
        place, apart = parting
        text += f"; {apart.a:.6g} becomes {apart.b:.6g}"
    return broken(text, largest, subject.tolerance, place)


def _recorded_after_reset(context: Context, inputs: Inputs) -> Trace | None:
    subject = context.subject

    def first() -> None:
        subject.call(inputs)
        assert subject.reset is not None
        subject.reset(subject.model)

    return recorded(subject, lambda: subject.call(inputs).tensors, first)


def _gradient(outputs: list[Tensor], sources: list[Tensor]) -> float:
    total = sum((t.sum() for t in outputs if t.requires_grad), torch.zeros(()))
    if not sources or not total.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    return max((float(g.abs().max()) for g in gradients if g is not None), default=0.0)

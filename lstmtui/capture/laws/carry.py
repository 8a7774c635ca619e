"""The law `carry`: the state that a call begins with is the one that the call before returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lstmtui.analysis.laws import LawResult, Place
from lstmtui.capture.laws.calls import SeenCall
from lstmtui.capture.laws.chunks import one_step
from lstmtui.capture.laws.consumption import Consumed, Drive, consumption
from lstmtui.capture.laws.context import Context, broken, held, not_taken
from lstmtui.capture.laws.handover import wrong_layer
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.wording import counted

MOST_STREAMED = 24
"""How many timesteps are called one by one where a model goes on from its own state."""


@dataclass
class _Findings:
    """What the calls of one module read."""

    broken: LawResult | None = None
    judged: int = 0
    """How many calls go on from the one before."""
    apart: str = ""
    """Why nothing is said of its calls."""
    notes: tuple[str, ...] = ()


def carry(context: Context) -> LawResult:
    """Hold it in the model's own loop, in calls that go on from each other, and between its modules."""
    if context.differs:
        return not_taken(context.differs)
    wrong = wrong_layer(context.calls)
    if wrong is not None:
        return wrong
    judged = 0
    notes: list[str] = []
    apart: list[str] = []
    for inputs, drive, is_streamed in _drives(context):
        every = consumption(context.subject, inputs, drive)
        notes += _left_out(context, inputs, every)
        for consumed in every:
            findings = _judged(consumed, is_streamed=is_streamed)
            if findings.broken is not None:
                return findings.broken
            judged += findings.judged
            notes += findings.notes
            apart += [findings.apart] if findings.apart else []
    if not judged:
        return not_taken(apart[0] if apart else _why_not(context), tuple(notes))
    text = f"{counted(judged, 'call')} of recurrent layers: the state has read x up to the timestep before"
    return held(text, notes=(*notes, *apart))


def _left_out(context: Context, inputs: Inputs, every: list[Consumed]) -> list[str]:
    """A note where not all timesteps were looked at."""
    steps, tried = context.inputs.steps, min((len(consumed.times) for consumed in every), default=0)
    if not tried or tried == steps:
        return []
    where = "the first " if inputs.steps == tried else ""
    return [f"x was changed at {where}{tried:,} of {steps:,} timesteps"]


def _why_not(context: Context) -> str:
    if not context.calls:
        return "no call of a recurrent layer of PyTorch's or lstmtui's was seen"
    if context.backward_layer and context.hands_on:
        return f"{context.backward_layer} reads backward too, so it needs the whole sequence in one call"
    if not context.hands_on:
        return "each recurrent layer is called once, and the model takes no state"
    return "no state is carried from one call to another"


def _drives(context: Context) -> list[tuple[Inputs, Drive, bool]]:
    """How calls follow each other: (input, what makes the calls, whether it is called step by step)."""
    subject = context.subject
    drives: list[tuple[Inputs, Drive, bool]] = []
    names = [id(call.module) for call in context.calls]
    if len(set(names)) < len(names):
        drives.append((context.inputs, subject.call, False))
    if (
        (context.hands_on or context.step is not None)
        and not context.backward_layer
        and context.inputs.steps > 1
    ):
        part = context.inputs.cut(0, min(context.inputs.steps, MOST_STREAMED)).unpadded()
        drives.append((part, lambda inputs: _stream(context, inputs), True))
    return drives


def _stream(context: Context, inputs: Inputs) -> None:
    """Call the model, or the user's own step, with one timestep after another."""
    state: Any = inputs.state
    for t in range(inputs.steps):
        part = inputs.cut(t, t + 1)
        try:
            result = one_step(context, part, state)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
            return  # a call of one timestep is nothing that it takes; `steps` says so
        state = result.state


def _judged(consumed: Consumed, *, is_streamed: bool) -> _Findings:
    """Whether the state of each call has read what the calls before have, and no more."""
    twice = _read_twice(consumed)
    if twice is not None:
        return _Findings(twice)
    carried, lost = _carried(consumed)
    calls = len(consumed.calls)
    if not carried.any():
        if not lost.any():
            return _Findings(apart=f"{consumed.name}: what its calls read does not depend on x in order")
        if consumed.is_single:
            return _Findings(_never(consumed, lost))
        return _Findings(
            apart=f"{consumed.name} is called {calls} times, each time from a state of its own: of separate "
            "sequences, or a state that is never carried on"
        )
    notes = [*_begun_anew(consumed, lost)]
    if not is_streamed:
        cut = _detached(consumed, carried)
        if isinstance(cut, LawResult):
            return _Findings(cut)
        notes += cut
    return _Findings(None, int(carried.any(1).sum()), "", tuple(notes))


def _read_twice(consumed: Consumed) -> LawResult | None:
    """The first call whose state has read already what it reads first.

    Only where that depends on one timestep of x: what a model has made itself, such as the next token, may
    depend on all that its state has read.
    """
    reads, state, last = (consumed.newest(f) for f in (consumed.first, consumed.state, consumed.last))
    is_direct = consumed.first.sum(-1) == 1
    for b in range(reads.shape[1]):
        ends = torch.stack([reads[:, b], last[:, b]], 1).flatten()
        own = [int(t) for t in ends if t >= 0]
        overlap = _overlap(reads[:, b], last[:, b], state[:, b], is_direct[:, b])
        if overlap is not None:
            t = int(reads[overlap, b])
            return broken(
                f"{consumed.name} reads x of t={t} again, with a state that has read up to "
                f"t={int(state[overlap, b])}: the call before has read it",
                place=Place(t, None, consumed.name, "", "h", None, b),
            )
        in_order = own == sorted(own) and len(set(own)) > 1
        if not in_order or bool((state[:, b] > reads[:, b])[reads[:, b] >= 0].any()):
            continue
        for n in range(len(reads)):
            if not is_direct[n, b] or state[n, b] != reads[n, b]:
                continue
            t = int(reads[n, b])
            readers = (last[:n, b] == t).nonzero()
            was_read = len(readers) > 0
            if was_read and not _is_same(consumed, int(readers[0]), n, b):
                continue
            how = "the call before has read it" if was_read else "it is carried too early"
            return broken(
                f"{consumed.name} reads x of t={t} with a state that has read it already: {how}",
                place=Place(t, None, consumed.name, "", "h", None, b),
            )
    return None


def _overlap(reads: Tensor, last: Tensor, state: Tensor, is_direct: Tensor) -> int | None:
    """The first call that reads some of what the call before has read, and goes on from the end of that."""
    for n in range(1, len(reads)):
        within = reads[n - 1] < reads[n] < last[n - 1]
        if within and is_direct[n] and is_direct[n - 1] and state[n] == last[n - 1]:
            return n
    return None


def _is_same(consumed: Consumed, earlier: int, later: int, b: int) -> bool:
    """Whether a call begins with the very numbers that an earlier one has ended with, whatever x is."""
    return torch.equal(consumed.last_hash[:, earlier, b], consumed.first_hash[:, later, b])


def _carried(consumed: Consumed) -> tuple[Tensor, Tensor]:
    """bool (calls, B): whether the state has read what came just before; whether it has not, and ought to."""
    reads, last = consumed.newest(consumed.first), consumed.newest(consumed.last)
    carried, lost = torch.zeros(reads.shape, dtype=torch.bool), torch.zeros(reads.shape, dtype=torch.bool)
    place = {int(t): n for n, t in enumerate(consumed.times)}
    for b in range(reads.shape[1]):
        seen: list[int] = []
        for n in (reads[:, b].maximum(last[:, b]) >= 0).nonzero().flatten().tolist():
            t = int(reads[n, b])
            before = max((end for end in seen if end < t), default=-1)
            if before >= 0 and consumed.were_tried(before, t):
                own = bool(consumed.state[n, b, place[before]])
                carried[n, b], lost[n, b] = own, not own
            seen.append(int(last[n, b]))
    return carried, lost


def _never(consumed: Consumed, lost: Tensor) -> LawResult:
    n = int(lost.any(1).nonzero()[0])
    call, b = consumed.calls[n], int(lost[n].nonzero()[0])
    begins = (
        "zeros" if call.before is None or not any(s.any() for s in call.before) else "the same state again"
    )
    t = int(consumed.newest(consumed.first)[n, b])
    return broken(
        f"{consumed.name} is called {len(consumed.calls)} times, one timestep each, and begins each time "
        f"from {begins}: the state that a call leaves is never carried on",
        place=Place(t, None, consumed.name, "", "h", None, b),
    )


def _begun_anew(consumed: Consumed, lost: Tensor) -> list[str]:
    """A note on the timesteps at which some sequences go on from another state."""
    if not lost.any():
        return []
    reads = consumed.newest(consumed.first)
    places = [f"t={int(reads[n, b])} of sequence {int(b)}" for n, b in lost.nonzero()[:4]]
    more = ", …" if int(lost.sum()) > 4 else ""
    return [f"{consumed.name} begins anew at {', '.join(places)}{more}"]


def _detached(consumed: Consumed, carried: Tensor) -> LawResult | list[str]:
    """Where a state is carried on as a number only, and no gradient goes back through it."""
    cut, whole = [], 0
    for n in range(1, len(consumed.calls)):
        if carried[n].any():
            is_cut = _is_cut(consumed.calls[n - 1], consumed.calls[n])
            whole += not is_cut
            cut += [int(consumed.newest(consumed.first)[n].max())] if is_cut else []
    if not cut:
        return []
    if not whole and consumed.is_single:
        return broken(
            f"{consumed.name}: the state is detached before every timestep, so that no gradient goes from "
            "one to the one before",
            place=Place(cut[0], None, consumed.name, "", "h"),
        )
    shown = ", ".join(f"t={t}" for t in cut[:6]) + (", …" if len(cut) > 6 else "")
    return [f"{consumed.name}: the state is detached before {shown}"]


def _is_cut(before: SeenCall, call: SeenCall) -> bool:
    """Whether a call has left a state that has a gradient, and the next is given one that has none."""
    leaves = any(state.requires_grad for state in before.after)
    return leaves and call.before is not None and not any(state.requires_grad for state in call.before)

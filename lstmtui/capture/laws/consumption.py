"""What each recurrent call reads, and what its state has read: found by changing x at each timestep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.laws.calls import SeenCall, seen_calls
from lstmtui.capture.laws.inputs import Inputs
from lstmtui.capture.laws.subject import Subject

Drive = Callable[[Inputs], Any]

MOST_RUN = 1 << 14
"""Timesteps that are run in all: for each one that is tried the whole sequence is run once."""
FEWEST_TRIED = 16
STRETCH = 8
"""How many timesteps follow each other where not all are tried."""


@dataclass(frozen=True)
class Consumed:
    """The calls of one recurrent module, and on which timesteps of x they depend.

    Attributes of (calls, B, tried) are bool: whether it is another where x at a timestep is.
    """

    calls: list[SeenCall]
    times: Tensor
    """int (tried,): the timesteps at which x was changed, in order."""
    first: Tensor
    """What the first timestep of a call reads."""
    last: Tensor
    """What its last timestep reads."""
    state: Tensor
    """The states it is given."""
    first_hash: Tensor
    """int64 (runs, calls, B): of the numbers that its first timestep reads, in each of the runs."""
    last_hash: Tensor
    """The same of its last timestep."""

    @property
    def name(self) -> str:
        """The module's path."""
        return self.calls[0].name

    def newest(self, flags: Tensor) -> Tensor:
        """int (calls, B): the latest timestep that is set of flags (calls, B, tried); −1 where none is."""
        return (flags * (self.times + 1)).amax(-1) - 1

    def were_tried(self, start: int, stop: int) -> bool:
        """Whether x was changed at every timestep from one to before another."""
        return int(((self.times >= start) & (self.times < stop)).sum()) == stop - start

    @property
    def is_single(self) -> bool:
        """Whether every call is one timestep."""
        return all(call.steps == 1 for call in self.calls)


def consumption(subject: Subject, inputs: Inputs, drive: Drive) -> list[Consumed]:
    """What is consumed by every module that is called more than once with the sequences of the input.

    Args:
        subject: what is run, once for each timestep that is tried.
        inputs: what it is given.
        drive: makes the calls.
    """
    modules = _by_module(_calls(subject, inputs, drive), inputs.batch)
    times = timesteps_to_try(inputs.steps, list(modules.values()))
    flags = {key: _Flags(calls, inputs.batch, times) for key, calls in modules.items()}
    for t in times:
        where = torch.zeros(inputs.steps, inputs.batch, dtype=torch.bool)
        where[t] = True
        other = _by_module(_calls(subject, inputs.different(where), drive), inputs.batch)
        for key in list(flags):
            if key not in other or len(other[key]) != len(modules[key]):
                del flags[key]  # which calls there are depends on x: nothing can be matched
            else:
                flags[key].add(t, modules[key], other[key])
    return [
        Consumed(modules[key], torch.tensor(times), own.first, own.last, own.state, *own.hashes())
        for key, own in flags.items()
    ]


def most_tried(steps: int) -> int:
    """How many of so many timesteps are tried."""
    return min(steps, max(FEWEST_TRIED, MOST_RUN // max(1, steps)))


def timesteps_to_try(steps: int, modules: Sequence[Sequence[SeenCall]]) -> list[int]:
    """All timesteps, or as many of them as the time for it allows, in order.

    Where calls are stretches of time it is those on both sides of their seams; else they come in stretches,
    all over the sequence, so that calls that follow each other are seen.

    Args:
        steps: T.
        modules: the calls of each module.
    """
    most = most_tried(steps)
    if steps <= most:
        return list(range(steps))
    seams: set[int] = set()
    for calls in modules:
        lengths = [call.steps for call in calls]
        if max(lengths) > 1:
            # From both ends: where something is read twice or left out, one of them is right.
            ends = [*accumulate(lengths), *(steps - length for length in accumulate(reversed(lengths)))]
            seams |= {end - 1 for end in ends if 0 < end < steps}
    length = 2 if seams else STRETCH
    starts = sorted(seams) or list(range(steps - STRETCH + 1))
    count = min(len(starts), most // length)
    chosen = {starts[n * (len(starts) - 1) // max(1, count - 1)] for n in range(count)}
    return sorted({start + t for start in chosen for t in range(length)})


class _Flags:
    """Which calls of a module changed in each run with another x."""

    def __init__(self, calls: list[SeenCall], batch: int, times: Sequence[int]) -> None:
        self._place = {t: place for place, t in enumerate(times)}
        shape = (len(calls), batch, len(times))
        self.first, self.last, self.state = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
        self._hashes = [_hashes(calls)]

    def add(self, t: int, calls: list[SeenCall], others: list[SeenCall]) -> None:
        """The calls of the run with another x at t, beside those of the run as it is."""
        self._hashes.append(_hashes(others))
        at = self._place[t]
        for n, (a, b) in enumerate(zip(calls, others, strict=True)):
            self.first[n, :, at] = _rows_differ(a.x[0], b.x[0])
            self.last[n, :, at] = _rows_differ(a.x[-1], b.x[-1])
            if a.before is not None and b.before is not None:
                for state, changed in zip(a.before, b.before, strict=True):
                    self.state[n, :, at] |= _rows_differ(state.transpose(0, 1), changed.transpose(0, 1))

    def hashes(self) -> tuple[Tensor, Tensor]:
        """The hashes of the first and of the last timesteps, each (runs, calls, B)."""
        every = torch.stack(self._hashes)
        return every[:, 0], every[:, 1]


def _hashes(calls: list[SeenCall]) -> Tensor:
    """int64 (2, calls, B): of what the first timestep of each reads, and of what the last does."""
    rows = [[call.x[at].detach().cpu().numpy() for call in calls] for at in (0, -1)]
    return torch.tensor([[[hash(row.tobytes()) for row in call] for call in part] for part in rows])


def _rows_differ(a: Tensor, b: Tensor) -> Tensor:
    """bool (B,): in which sequences two tensors (B, …) differ; NaN is equal to NaN."""
    apart = (a != b) & ~(torch.isnan(a) & torch.isnan(b))
    return apart.reshape(len(a), -1).any(1).cpu()


def _calls(subject: Subject, inputs: Inputs, drive: Drive) -> list[SeenCall]:
    with subject.fresh(), seen_calls(subject.model) as calls:
        drive(inputs)
    return calls


def _by_module(calls: list[SeenCall], batch: int) -> dict[int, list[SeenCall]]:
    modules: dict[int, list[SeenCall]] = {}
    for call in calls:
        modules.setdefault(id(call.module), []).append(call)
    return {
        key: own
        for key, own in modules.items()
        if len(own) > 1 and all(call.batch == batch for call in own) and not _reads_backward(own[0])
    }


def _reads_backward(call: SeenCall) -> bool:
    layout = getattr(call.module, "layout", None)
    return bool(getattr(call.module, "bidirectional", False) or getattr(layout, "bidirectional", False))

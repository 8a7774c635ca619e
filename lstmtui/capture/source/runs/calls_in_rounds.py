"""Calls in the rounds of what calls them, and those before and after these rounds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from lstmtui.capture.source.bindings import Call
from lstmtui.capture.source.runs.owner import Spot
from lstmtui.capture.source.runs.run import Run


def followed(outer: Sequence[Spot], sizes: Collection[int]) -> list[tuple[Run, int]]:
    """For each call of a module or a function, the round that it is in: of the run that calls it.

    A call outside of all rounds, as one that makes the first state of a loop or reads out the last, is
    before those of the next call that is in any, or after those of the last one: round −1.

    Args:
        outer: the rounds in which the calls were made, in order.
        sizes: of the axes of the input that may be time.

    Returns:
        Empty where the calls are timesteps of their own: they are made in one round, or are as many as the
        input has timesteps, of which a loop makes fewer.
    """
    spots = [(run, number) for run, number in outer if run is not None]
    rounds = {spot for spot in spots if spot[1] >= 0}
    if len(spots) < len(outer) or not rounds or len(rounds) < min(2, len(outer)):
        return []
    for first in {_first(run) for run, _ in rounds}:
        own = {spot for spot in rounds if _first(spot[0]) is first}
        calls = [number for run, number in spots if _first(run) is first]
        if -1 in calls and len(calls) in sizes and len(own) not in sizes:
            return []
    return _placed(spots)


def _placed(spots: Sequence[tuple[Run, int]]) -> list[tuple[Run, int]]:
    """The same, those outside of rounds as of the run that the next call in a round is in, else the last.

    That is one of the same caller, if any is.
    """
    near: dict[Run | None, Run] = {}
    for run, number in spots:
        if number >= 0:
            near[_first(run)] = near[None] = run
    placed = list[tuple[Run, int]]()
    for run, number in reversed(spots):
        if number >= 0:
            near[_first(run)] = near[None] = run
        placed.append((run if number >= 0 else near.get(_first(run), near[None]), number))
    return placed[::-1]


def _first(run: Run) -> Run:
    """Of the loops of a call the first."""
    return run.beside or run


def with_callers(calls: Iterable[Call]) -> set[int]:
    """The numbers of calls and of those that they are in."""
    numbers: set[int] = set()
    for own in calls:
        call: Call | None = own
        while call is not None and call.number not in numbers:
            numbers.add(call.number)
            call = call.caller
    return numbers

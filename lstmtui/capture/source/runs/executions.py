"""Loops over time that run several times within one call, and which of these go on from one another.

A function that the call calls twice runs its loops twice, and so does a loop round another: of chunks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.code.heads import items_read_in_loops, reads_counter
from lstmtui.capture.source.runs.layer_loops import Group, LayerLoops
from lstmtui.capture.source.runs.streams import (
    Handed,
    Reading,
    begins_from,
    handed_on,
    is_stacked,
    read_whole_sequences,
    reads_items,
)
from lstmtui.capture.source.runs.time_loops import Loop, Place, is_mark
from lstmtui.capture.source.tracing.weights_behind import FIRST_PASSES

Key = Place
"""Which execution of a loop: where it was, and its header with the pass 0."""


@dataclass(eq=False)
class Execution(Reading):
    """One execution of a loop."""

    key: Key = ()
    modules: set[int] = field(default_factory=set)
    """The ids of those that its first passes call."""

    @property
    def first_bound(self) -> Iterator[Binding]:
        """What its first passes bind."""
        for number in range(FIRST_PASSES):
            yield from self.rounds.get(number, ())


@dataclass(eq=False)
class Rounds:
    """The rounds of one run: of the passes of a loop."""

    loop: Loop
    starts: dict[Key, int] = field(default_factory=dict)
    """The round that each execution begins with."""
    passes: int = 0
    """How many there are."""
    stretches: list[tuple[Call, int]] = field(default_factory=list)
    """Where executions follow each other: the call of the function of each, and how many passes it has."""
    handed: list[Handed] = field(default_factory=list)
    """What each of these but the first begins from."""
    is_read: bool = False
    """Whether each of these is known to read a sequence."""

    def is_over(self, sizes: Collection[int]) -> bool:
        """Whether they are over what has one of these sizes, and not something within each timestep."""
        counts = {passes for _, passes in self.stretches}
        return self.is_read or (self.passes in sizes and (not counts or not counts <= {*sizes}))


class Executions:
    """The executions of the loops of calls.

    Args:
        groups: all that was bound, those together that were bound in the same passes of a call.
        outermost: the call of a module or of a function with timesteps of its own that each call is in.
        place_of: in which loops something was, from a call inwards, with marks of further calls.
        layers: tells loops over layers.
        sizes: of the axes of the input that may be time, if longer than 1.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        outermost: Mapping[int, Call],
        place_of: Callable[[Call, Passes, Call], Place],
        layers: LayerLoops,
        sizes: Collection[int],
    ) -> None:
        self._place_of, self._layers, self._sizes = place_of, layers, sizes
        self._groups: dict[int, list[Group]] = defaultdict(list)
        """By the number of the outermost call that they are in, with those that it makes of others."""
        self._called: dict[tuple[int, Passes], set[int]] = defaultdict(set)
        """By the number of a call and the passes of its loops: the ids of the modules that it calls there."""
        heard = set[int]()
        for group in groups:
            here = outermost[group[0].number]
            self._groups[here.number].append(group)
            while here.caller is not None and here.number not in heard:
                heard.add(here.number)
                caller, passes = here.caller, here.passes
                if here.module is not None:
                    self._called[caller.number, passes].add(id(here.module))
                here = outermost[caller.number]
                self._groups[here.number].append((caller, passes, []))

    def rounds_of(self, call: Call, loops: Mapping[Loop, int]) -> list[Rounds]:
        """The rounds of each run that an outermost call is, in the order in which they began.

        Args:
            call: a call.
            loops: its loops over time, with how many passes each has.
        """
        groups = self._groups.get(call.number, ())
        if len(loops) == 1 and all(own is call and len(passes) < 2 for own, passes, _ in groups):
            return [Rounds(loop, passes=count) for loop, count in loops.items()]  # as most calls are
        places = [self._place_of(own, passes, call) for own, passes, _ in groups]
        begun: dict[Loop, int] = {}
        for at, place in enumerate(places):
            loop: Loop = ()
            for header, _ in place:
                if not is_mark(header):
                    loop = (*loop, header)
                    begun.setdefault(loop, at)
        if not any(len(place) > 1 for place in places):
            every = [Rounds(loop, passes=count) for loop, count in loops.items()]
        else:
            each = _passes_of_each(places)
            every = [
                o for loop, count in loops.items() for o in self._of_loop(call, loop, count, places, each)
            ]
        return sorted(every, key=lambda own: begun.get(own.loop, len(places)))

    def _of_loop(
        self,
        call: Call,
        loop: Loop,
        count: int,
        places: Sequence[Place],
        passes: Mapping[Loop, Mapping[Key, int]],
    ) -> list[Rounds]:
        outer = max(passes.get(loop[:-1], {}).values(), default=0)
        if outer > count and self._is_within_steps(call, loop, places):
            return self._of_loop(call, loop[:-1], outer, places, passes)
        inner = [own for own in passes if len(own) > len(loop) and own[: len(loop)] == loop]
        for own in (loop, *inner):
            each = passes.get(own, {})
            if len(each) > 1 and (own is loop or self._may_be_chunks(each, count)):
                together = self._one_another([*self._executions(call, own, places)])
                is_one = len(together) == 1 and not self._layers.is_over_layers(call, own)
                if together and (own is loop or is_one):
                    return [self._in_a_row(own, executions) for executions in together]
        sites: dict[Loop, Rounds] = {}
        for key, own_passes in passes.get(loop, {}).items():
            rounds = sites.setdefault(tuple(header for header, _ in key), Rounds(loop))
            rounds.starts[key] = 0
            rounds.passes = max(rounds.passes, own_passes)
        if len(sites) < 2:
            return [Rounds(loop, passes=count)]
        return [*sites.values()]

    def _is_within_steps(self, call: Call, loop: Loop, places: Sequence[Place]) -> bool:
        """Whether a loop goes on with the state of one round it, as a solver does, and reads nothing."""
        executions = [*self._executions(call, loop, places)]
        if len([*self._linked(executions)]) > 1 or len({_around(e.key) for e in executions}) < 2:
            return False
        code, line = executions[0].call.code, loop[-1][1]
        has_items = any(b.line == line for b in executions[0].rounds.get(0, ()))
        return not (
            has_items or reads_counter(code, line) or reads_items(executions[0], executions[0].before)
        )

    def _may_be_chunks(self, passes: Mapping[Key, int], count: int) -> bool:
        """Whether the executions of a loop may be what one round it goes through in so many passes.

        With no more passes than that one they divide nothing: it is what some of its timesteps have.
        """
        total = sum(passes.values())
        is_chosen = count not in self._sizes or total in self._sizes
        return is_chosen and total > count and len({*map(_around, passes)}) > 1

    def _executions(self, call: Call, loop: Loop, places: Sequence[Place]) -> Iterator[Execution]:
        """Those of a loop, in order."""
        executions: dict[Key, Execution] = {}
        before: dict[int, list[Binding]] = defaultdict(list)
        """By the number of a call: what was bound since the last execution."""
        for (own, at, together), place in zip(self._groups[call.number], places, strict=True):
            depth = depth_of(place, loop)
            if depth < 0:
                before[own.number] += together
                continue
            key = (*place[:depth], (loop[-1], 0))
            if key not in executions:
                its = own
                while len(self._place_of(its, (), call)) > depth and its.caller is not None:
                    its = its.caller
                executions[key] = Execution(its, loop, 0, before.pop(its.number, []), key=key)
            execution, number = executions[key], place[depth][1]
            execution.passes = max(execution.passes, number + 1)
            execution.rounds.setdefault(number, []).extend(together)
            if number < FIRST_PASSES:
                execution.modules |= self._called.get((own.number, at), set())
        yield from executions.values()

    def _one_another(self, executions: list[Execution]) -> list[list[Execution]]:
        """Those together that are of one run; none where all run over the same timesteps."""
        total, count = sum(e.passes for e in executions), len(executions)
        is_sum = total in self._sizes and any(e.passes not in self._sizes for e in executions)
        if len({_around(e.key) for e in executions}) == 1:
            return [executions] if is_sum and not self._differ(executions) else [*self._linked(executions)]
        # What a loop round others goes through are chunks where each of these reads one of its own.
        if not self._may_be_chunks({e.key: e.passes for e in executions}, count):
            return []
        if not is_read(executions[:2], total) or self._differ(executions):
            return []
        is_uneven = len({e.passes for e in executions}) > 1
        if is_sum and (is_uneven or count not in self._sizes):
            return [executions]
        linked = [*self._linked(executions)]
        return linked if len(linked) == 1 else []

    def _linked(self, executions: Sequence[Execution]) -> Iterator[list[Execution]]:
        together = [executions[0]]
        for pair in pairwise(executions):
            if begins_from(*pair) is None or self._differ(pair):
                yield together
                together = []
            together.append(pair[1])
        yield together

    def _differ(self, executions: Sequence[Execution]) -> bool:
        """Whether any two in a row have each parameters or modules that the other lacks: two layers."""
        weights = [self._layers.weights_of(e.first_bound) | e.modules for e in executions]
        return any(one - other and other - one for one, other in pairwise(weights))

    def _in_a_row(self, loop: Loop, executions: Sequence[Execution]) -> Rounds:
        rounds = Rounds(loop)
        for execution in executions:
            rounds.starts[execution.key] = rounds.passes
            rounds.passes += execution.passes
            rounds.stretches.append((execution.call, execution.passes))
        rounds.handed = handed_on(executions)
        own = any(reads_items(execution, execution.before) for execution in executions)
        rounds.is_read = own or is_read(executions, rounds.passes)
        return rounds


def _passes_of_each(places: Sequence[Place]) -> dict[Loop, dict[Key, int]]:
    """By loop, the outer ones first: how many passes each execution of it has, in order."""
    passes: dict[Loop, dict[Key, int]] = {}
    for place in places:
        loop: Loop = ()
        for depth, (header, number) in enumerate(place):
            if not is_mark(header):
                loop = (*loop, header)
                each, key = passes.setdefault(loop, {}), (*place[:depth], (header, 0))
                each[key] = max(each.get(key, 0), number + 1)
    return passes


def _around(key: Key) -> tuple[int, ...]:
    """The passes of the loops round an execution."""
    return tuple(number for header, number in key[:-1] if not is_mark(header))


def depth_of(place: Place, loop: Loop) -> int:
    """Where the pass of a loop is in a place; −1 outside of it."""
    depth = 0
    for at, (header, _) in enumerate(place):
        if is_mark(header):
            continue
        if header != loop[depth]:
            return -1
        depth += 1
        if depth == len(loop):
            return at
    return -1


def is_read(executions: Sequence[Execution], total: int) -> bool:
    """Whether each execution reads a sequence of its own, or by its counter a part of one for all."""
    own = [executions[0], *(_without_made(*pair) for pair in pairwise(executions))]
    if len(own) > 1 and read_whole_sequences(own):
        return True
    call, line = executions[0].call, executions[0].loop[-1][1]
    for (header, name), axes in items_read_in_loops(call.code).items():
        for b in executions[0].before if header == line else ():
            shape = b.value.shape
            if b.name == name and any(axis < len(shape) and shape[axis] >= total for axis in axes):
                return True
    return False


def _without_made(before: Execution, execution: Execution) -> Execution:
    """An execution without the sequences that it has of what the one before it has made, as layers have."""
    new = [b for b in execution.before if not is_stacked(b, before)]
    return replace(execution, before=new)

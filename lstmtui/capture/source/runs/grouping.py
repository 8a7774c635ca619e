"""Calls and bindings, put together into runs and the rounds of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial

from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.runs.calls_in_rounds import followed, with_callers
from lstmtui.capture.source.runs.depth_loops import DepthLoops, Timesteps
from lstmtui.capture.source.runs.executions import Executions
from lstmtui.capture.source.runs.layer_loops import LayerLoops
from lstmtui.capture.source.runs.owner import Owner, Spot, always, in_executions, in_loops
from lstmtui.capture.source.runs.repeated_calls import RepeatedCalls, is_within_itself
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.source.runs.streams import (
    Handed,
    carries,
    hand_on_alone,
    handed_on,
    joined,
    read_whole_sequences,
    readings,
)
from lstmtui.capture.source.runs.time_loops import Loop, Place, Places

Stream = tuple[list[Call], list[Handed]]
"""Calls that go on from one another, and what each but the first is given of what the one before it left."""


class Grouping:
    """The runs of what was recorded.

    Args:
        calls: in the order in which they began.
        bindings: in order.
        sizes: of the axes of the model's input that may be time.
        is_named: whether the user has named a function to be recorded, which is then a run of its own.
        inputs: the shapes of the model's input.
        at_once: says how many timesteps are computed without a loop of the user's.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        bindings: Sequence[Binding],
        sizes: Collection[int],
        is_named: Callable[[Call], bool] = lambda call: False,
        inputs: Sequence[tuple[int, ...]] = (),
        at_once: Callable[[], Collection[int]] = tuple,
    ) -> None:
        self._places, self._is_named = Places(calls, bindings), is_named
        self._every, self._bindings, self._inputs = calls, bindings, inputs
        self._is_recursive = any(map(is_within_itself, calls))
        self._sizes = {size for size in sizes if size > 1}
        self._owners: dict[int, Owner] = {}
        self._outermost: dict[int, Call] = {}
        self._repeated: dict[int, Spot] = {}
        """By the number of a call of a function, the calls of which are rounds: which of them it is."""
        self._groups = [*self._places.groups(bindings)]
        binding = with_callers(call for call, *_ in self._groups)
        for call in calls:
            self._add(call, binds=call.number in binding or bool(call.raised))
        self._layers = LayerLoops(self._groups, self._outermost, self._places.of)
        marked = partial(self._places.of, marked=True)
        self._executions = Executions(self._groups, self._outermost, marked, self._layers, self._sizes)
        timesteps = Timesteps(self._sizes, inputs, at_once)
        self._depth = DepthLoops(calls, self._outermost, self._places, self._layers, timesteps)
        for call, passes in dict.fromkeys((call, passes) for call, passes, _ in self._groups):
            outermost = self._outermost[call.number]
            self._owner(call).places[outermost.number].append(self._places.of(call, passes, outermost))
        for call in calls:
            outermost = self._outermost[call.number]
            ends = self._owner(call).ends[outermost.number]
            ends += [self._places.of(call, end, outermost) for end in (call.reached or {}).values()]
        begun: set[int] = set()
        for owner in self._owners.values():
            self._place_below(owner, begun)
        spots: dict[tuple[Call, Passes], Spot] = {}
        for call, passes, together in self._groups:
            if (call, passes) not in spots:
                spots[call, passes] = self.spot(call, passes)
            run, number = spots[call, passes]
            assert run is not None
            run.add(number, together)
        self.runs = [run for owner in self._owners.values() for run in owner.runs]
        """In the order in which their modules or functions began."""
        del self._depth  # which can reach what the model returned
        for run in self.runs:
            # A loop that binds nothing at all is none over time.
            last = run.passes if run.within is None else len(run.within.rounds)
            run.reach(last - 1 if run.rounds else -1)

    def spot(self, call: Call, passes: Passes = ()) -> Spot:
        """The run and the round that a line of a call belongs to; round −1: before or after all rounds."""
        outermost = self._outermost[call.number]
        return self._spot(call, outermost, self._places.of(call, passes, outermost, marked=True))

    def _spot(self, call: Call | None, outermost: Call, place: Place) -> Spot:
        while call is not None and self._repeated:
            if call.number in self._repeated:
                return self._repeated[call.number]
            call = None if call is outermost else call.caller
        return self._owner(outermost).spots[outermost.number](place)

    def _owner(self, call: Call) -> Owner:
        outermost = self._outermost[call.number]
        return self._owners[id(outermost.code if outermost.module is None else outermost.module)]

    def _add(self, call: Call, *, binds: bool) -> None:
        """Give a call to its owner; `binds`: whether it or what it calls binds or raises anything."""
        caller = call.caller
        if call.module is None and caller is not None and not self._is_named(call):
            self._outermost[call.number] = self._outermost[caller.number]
        else:
            self._outermost[call.number] = call
            key = id(call.code if call.module is None else call.module)
            if key not in self._owners:
                name = call.name if call.module is None else type(call.module).__name__
                self._owners[key] = Owner(name if call.module is None else call.path, name)
            self._owners[key].calls.append(call)
        if caller is not None and binds:
            outer = self._outermost[caller.number]
            self._owner(caller).places[outer.number].append(self._places.of_call(call, outer))
        outer = self._outermost[call.number]
        if not self._places.of_call(call, outer):
            self._owner(call).inner[outer.number].append(call)

    def _place_below(self, owner: Owner, begun: set[int]) -> None:
        """Place an owner, after those that call it, which may have begun later.

        Args:
            owner: of calls.
            begun: the ids of those of which this was begun; of two that call each other, the first is first.
        """
        if id(owner) in begun:
            return
        begun.add(id(owner))
        for call in owner.calls:
            if call.caller is not None:
                self._place_below(self._owner(call.caller), begun)
        self._place(owner)

    def _place(self, owner: Owner) -> None:
        """Say for each call of an owner what its rounds are."""
        outer = [self._outer_spot(owner, call) for call in owner.calls]
        streams = self._streams(owner, outer)
        if streams:
            for stream in streams:
                self._place_stream(owner, stream)
        elif spots := followed(outer, self._sizes):
            self._follow(owner, spots)
        elif len(owner.calls) > 1:
            steps = self._calls.in_time(owner.calls)
            run = self._new_run(owner, steps[0], len(steps))
            run.reach(len(steps) - 1)
            owner.spots |= {call.number: always((run, -1)) for call in owner.calls}
            owner.spots |= {call.number: always((run, number)) for number, call in enumerate(steps)}
        else:
            self._place_loops(owner, owner.calls[0])

    def _outer_spot(self, owner: Owner, call: Call) -> Spot:
        """The round of what called; none where that is itself, or is called by it too and placed later."""
        caller = call.caller
        if caller is None or self._owner(caller) is owner:
            return None, -1
        outermost = self._outermost[caller.number]
        if outermost.number not in self._owner(caller).spots:
            return None, -1
        return self._spot(caller, outermost, self._places.of_call(call, outermost, marked=True))

    def _follow(self, owner: Owner, spots: Sequence[tuple[Run, int]]) -> None:
        """What is called in the rounds of another has the same rounds."""
        own: dict[int, Run] = {}
        for call, (run, number) in zip(owner.calls, spots, strict=True):
            if id(run) not in own:
                own[id(run)] = self._new_run(owner, call, 0)
                own[id(run)].within = run
            mine = own[id(run)]
            mine.calls += number >= 0
            mine.reach(number)
            owner.spots[call.number] = always((mine, number))

    def _streams(self, owner: Owner, outer: Sequence[Spot]) -> list[Stream]:
        """The calls that go on from one another, where each has a loop over the input of its own.

        None are where the calls are timesteps, and what they loop over is within these.
        """
        in_none = not any(number >= 0 for _, number in outer)
        if in_none and (len(owner.calls) == 1 or self._depth.are_at_once(owner.calls)):
            return [([call], []) for call in owner.calls]
        if not all(any(owner.places[call.number]) for call in owner.calls):
            return []
        first = [next(iter(self._loops_of(owner, call).items()), ((), 0)) for call in owner.calls]
        total, is_cut = sum(passes for _, passes in first), bool(owner.calls[-1].raised)
        is_whole = total in self._sizes or (is_cut and total < max(self._sizes, default=0))  # all chunks
        loops = {
            call.number: (call, loop, passes)
            for call in owner.calls
            for loop, passes in reversed(self._loops_of(owner, call).items())
            if passes in self._sizes or (is_whole and loop)
            if not self._layers.is_over_layers(call, loop)
        }
        if len(loops) < len(owner.calls):
            return []
        if len(owner.calls) == 1:
            return [(owner.calls, [])]
        calls = readings(loops, self._groups, self._places.of)
        is_seen = read_whole_sequences(calls)
        streams = [*joined(calls)] if is_seen else [([call], []) for call in owner.calls]
        if is_seen and len(streams) < len(calls):
            return streams
        if any(reading.passes not in self._sizes for reading in calls):
            return [(owner.calls, handed_on(calls))] if is_seen and is_whole else []
        if not is_seen and hand_on_alone(calls):
            return []
        # Where it cannot be seen what the loops read, it is the numbers of calls and passes that tell.
        is_as_long = len(calls) in self._sizes and not (is_seen and not owner.calls[0].is_in_module)
        within = [spot for spot in outer if spot[1] >= 0]
        is_within = 1 < len({*within}) == len(within)
        if is_as_long and not is_seen:
            return []
        if is_seen and self._depth.are_whole(calls):
            return streams
        return [] if is_within and carries(owner.calls, self._bindings) else streams

    def _loops_of(self, owner: Owner, call: Call) -> dict[Loop, int]:
        """The loops over time of a call, those of most calls of its owner, with how many passes each has."""
        if not owner.loops:
            layers, is_depth = self._layers, self._depth.is_depth
            owner.choose_loops(self._sizes, layers.is_round, layers.goes_on, layers.is_over_layers, is_depth)
        return owner.loops[call.number]

    def _place_stream(self, owner: Owner, stream: Stream) -> None:
        """The passes of loops over time in calls that go on from one another are the rounds of one run."""
        calls, handed = stream
        if len(calls) == 1:
            self._place_loops(owner, calls[0])
            return
        runs: dict[Loop, Run] = {}
        for call in calls:
            passes = self._loops_of(owner, call)
            for loop in passes:
                if loop not in runs:
                    runs[loop] = self._new_run(owner, call, 0)
            first, *others = runs.values()
            for other in others:
                other.beside = first
            own = [(loop, runs[loop], runs[loop].passes) for loop in passes]
            owner.spots[call.number] = in_loops(own, first)
            for loop, run, _ in own:
                run.calls, run.passes = run.calls + 1, run.passes + passes[loop]
                run.stretches.append((call, passes[loop]))
        first.handed = handed

    def _place_loops(self, owner: Owner, call: Call) -> None:
        """The passes of the loops over time in a call are its rounds."""
        passes = self._loops_of(owner, call)
        inner = (c for c in self._every if self._outermost[c.number] is call)
        nodes = self._calls.over_a_tree(inner) if self._is_recursive else []
        if nodes and all(loop[-1][0] == id(nodes[0].code) for loop in passes):
            self._place_repeated(owner, call, [nodes])
            return
        rounds = self._executions.rounds_of(call, passes)
        steps = (
            []
            if any(own.is_over(self._sizes) for own in rounds)
            else self._calls.over_time(owner.inner[call.number], self._sizes)
        )
        if any(len(own) in self._sizes or max(passes.values(), default=0) < len(own) for own in steps):
            self._place_repeated(owner, call, steps)
            return
        runs = [(own, self._new_run(owner, call, max(1, len(own.stretches)))) for own in rounds]
        for own, run in runs:
            run.passes, run.stretches, run.handed = own.passes, own.stretches, own.handed
        first = runs[0][1] if runs else self._new_run(owner, call, 1)
        for _, run in runs[1:]:
            run.beside = first
        owner.spots[call.number] = in_executions(runs, first)

    def _place_repeated(self, owner: Owner, call: Call, steps: Sequence[Sequence[Call]]) -> None:
        """The calls of some functions that a call makes are its rounds."""
        runs = [self._new_run(owner, own[0], len(own)) for own in steps]
        owner.spots[call.number] = always((runs[0], -1))
        for run, own in zip(runs, steps, strict=True):
            run.beside = runs[0]
            # Others of the same function, such as the one that ends a recursion, are no rounds.
            alike = {c.number for c in owner.inner[call.number] if c.code is own[0].code}
            self._repeated |= dict.fromkeys(alike, (runs[0], -1))
            self._repeated |= {inner.number: (run, number) for number, inner in enumerate(own)}

    @cached_property
    def _calls(self) -> RepeatedCalls:
        return RepeatedCalls(self._bindings, self._inputs)

    def _new_run(self, owner: Owner, call: Call, calls: int) -> Run:
        path = f"{owner.path}@{len(owner.runs) + 1}" if owner.runs else owner.path
        run = Run(path, owner.name, call, calls)
        owner.runs.append(run)
        return run

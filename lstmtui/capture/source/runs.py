"""Calls and bindings, put together into runs and the rounds of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.repeated_calls import RepeatedCalls, is_within_itself
from lstmtui.capture.source.time_loops import Loop, Place, Places, loops_over_time, pass_of, passes_of


@dataclass(eq=False)
class Run:
    """One module instance, or one function, over time."""

    path: str
    """Where the module is, with @2, @3 … for its further runs; of a function its name."""
    name: str
    """What runs: the module's class, or the function."""
    call: Call
    """Its first call."""
    calls: int = 0
    """How many calls the rounds come from."""
    rounds: list[list[Binding]] = field(default_factory=list)
    """What each round bound, in order."""
    outside: list[Binding] = field(default_factory=list)
    """What was bound before and after the rounds, in order."""
    passes: int = 0
    """Of the loop in one call that its rounds are; 0: they are calls, each with its own locals."""
    within: Run | None = None
    """The run in whose rounds its calls are."""
    beside: Run | None = None
    """Of several loops of a function the first, which has what was bound outside of all."""

    raising: Call | None = None
    """What raised the exception that has ended it."""

    def add(self, number: int, bindings: Iterable[Binding]) -> None:
        """Put bindings into a round; −1: outside of all."""
        self.reach(number)
        into = self.outside if number < 0 else self.rounds[number]
        into += bindings

    def reach(self, number: int) -> None:
        """Have at least this round, even where it binds nothing."""
        while len(self.rounds) <= number:
            self.rounds.append([])

    def before(self) -> list[Binding]:
        """What its function bound before the first round."""
        first = next((own[0].order for own in self.rounds if own), None)
        return [b for b in (self.beside or self).outside if first is None or b.order < first]


Spot = tuple["Run | None", int]
"""A round of a run; None: outside of the rounds."""


@dataclass(eq=False)
class _Owner:
    """Everything that one module instance or function did."""

    path: str
    name: str
    calls: list[Call] = field(default_factory=list)
    places: dict[int, list[Place]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: the loops in which something was bound or called in it."""
    ends: dict[int, list[Place]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: the last pass of each loop in it."""
    inner: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: that one and the calls within it that are in no loop."""
    runs: list[Run] = field(default_factory=list)
    spots: dict[int, Callable[[Place], Spot]] = field(default_factory=dict)
    """By the number of an own call: the round of what ran in these loops of it."""


class Grouping:
    """The runs of what was recorded.

    Args:
        calls: in the order in which they began.
        bindings: in order.
        sizes: of the axes of the model's input that may be time.
        is_named: whether the user has named a function to be recorded, which is then a run of its own.
        inputs: the shapes of the model's input.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        bindings: Sequence[Binding],
        sizes: Collection[int],
        is_named: Callable[[Call], bool] = lambda call: False,
        inputs: Sequence[tuple[int, ...]] = (),
    ) -> None:
        self._places, self._is_named = Places(calls, bindings), is_named
        self._every, self._bindings, self._inputs = calls, bindings, inputs
        self._is_recursive = any(map(is_within_itself, calls))
        self._sizes = {size for size in sizes if size > 1}
        self._owners: dict[int, _Owner] = {}
        self._outermost: dict[int, Call] = {}
        self._repeated: dict[int, Spot] = {}
        """By the number of a call of a function, the calls of which are rounds: which of them it is."""
        self._within: dict[tuple[int, Loop], tuple[set[Loop], int]] = {}
        for call in calls:
            self._add(call)
        self._groups = [*self._places.groups(bindings)]
        for call, passes in dict.fromkeys((call, passes) for call, passes, _ in self._groups):
            outermost = self._outermost[call.number]
            self._owner(call).places[outermost.number].append(self._places.of(call, passes, outermost))
        for call in calls:
            outermost = self._outermost[call.number]
            ends = self._owner(call).ends[outermost.number]
            ends += [self._places.of(call, end, outermost) for end in (call.reached or {}).values()]
        for owner in self._owners.values():
            self._place(owner)
        spots: dict[tuple[Call, Passes], Spot] = {}
        for call, passes, together in self._groups:
            if (call, passes) not in spots:
                spots[call, passes] = self.spot(call, passes)
            run, number = spots[call, passes]
            assert run is not None
            run.add(number, together)
        self.runs = [run for owner in self._owners.values() for run in owner.runs]
        """In the order in which their modules or functions began."""
        for run in self.runs:
            # A loop that binds nothing at all is none over time.
            last = run.passes if run.within is None else len(run.within.rounds)
            run.reach(last - 1 if run.rounds else -1)

    def spot(self, call: Call, passes: Passes = ()) -> Spot:
        """The run and the round that a line of a call belongs to; round −1: before or after all rounds."""
        outermost = self._outermost[call.number]
        return self._spot(call, outermost, self._places.of(call, passes, outermost))

    def _spot(self, call: Call | None, outermost: Call, place: Place) -> Spot:
        while call is not None and self._repeated:
            if call.number in self._repeated:
                return self._repeated[call.number]
            call = None if call is outermost else call.caller
        return self._owner(outermost).spots[outermost.number](place)

    def _owner(self, call: Call) -> _Owner:
        outermost = self._outermost[call.number]
        return self._owners[id(outermost.code if outermost.module is None else outermost.module)]

    def _add(self, call: Call) -> None:
        caller = call.caller
        if call.module is None and caller is not None and not self._is_named(call):
            self._outermost[call.number] = self._outermost[caller.number]
        else:
            self._outermost[call.number] = call
            key = id(call.code if call.module is None else call.module)
            if key not in self._owners:
                name = call.name if call.module is None else type(call.module).__name__
                self._owners[key] = _Owner(name if call.module is None else call.path, name)
            self._owners[key].calls.append(call)
        if caller is not None:
            outer = self._outermost[caller.number]
            self._owner(caller).places[outer.number].append(self._places.of_call(call, outer))
        outer = self._outermost[call.number]
        if not self._places.of_call(call, outer):
            self._owner(call).inner[outer.number].append(call)

    def _place(self, owner: _Owner) -> None:
        """Say for each call of an owner what its rounds are."""
        outer = [self._outer_spot(owner, call) for call in owner.calls]
        in_rounds = all(run is not None and number >= 0 for run, number in outer)
        if self._are_sequences(owner):
            for call in owner.calls:
                self._place_loops(owner, call)
        elif in_rounds and (len(owner.calls) == 1 or len(set(outer)) > 1):
            self._follow(owner, outer)
        elif len(owner.calls) > 1:
            steps = self._calls.in_time(owner.calls)
            run = self._new_run(owner, steps[0], len(steps))
            run.reach(len(steps) - 1)
            owner.spots |= {call.number: _always((run, -1)) for call in owner.calls}
            owner.spots |= {call.number: _always((run, number)) for number, call in enumerate(steps)}
        else:
            self._place_loops(owner, owner.calls[0])

    def _outer_spot(self, owner: _Owner, call: Call) -> Spot:
        """The round of the module or function that called; none where it called itself."""
        caller = call.caller
        if caller is None or self._owner(caller) is owner:
            return None, -1
        outermost = self._outermost[caller.number]
        return self._spot(caller, outermost, self._places.of_call(call, outermost))

    def _follow(self, owner: _Owner, outer: Sequence[Spot]) -> None:
        """What is called in the rounds of another has the same rounds."""
        own: dict[int, Run] = {}
        for call, (run, number) in zip(owner.calls, outer, strict=True):
            if id(run) not in own:
                own[id(run)] = self._new_run(owner, call, 0)
                own[id(run)].within = run
            mine = own[id(run)]
            mine.calls += 1
            mine.reach(number)
            owner.spots[call.number] = _always((mine, number))

    def _are_sequences(self, owner: _Owner) -> bool:
        """Whether each call has a loop over the input of its own, and the calls are no loop over it."""
        return len(owner.calls) not in self._sizes and all(
            any(passes in self._sizes for passes in passes_of(owner.places[call.number]).values())
            for call in owner.calls
        )

    def _place_loops(self, owner: _Owner, call: Call) -> None:
        """The passes of the loops over time in a call are its rounds."""
        places, ends = owner.places[call.number], owner.ends[call.number]
        passes = loops_over_time(places, self._sizes, ends, partial(self._is_round, call))
        inner = (c for c in self._every if self._outermost[c.number] is call)
        nodes = self._calls.over_a_tree(inner) if self._is_recursive else []
        if nodes and all(loop[-1][0] == id(nodes[0].code) for loop in passes):
            self._place_repeated(owner, call, [nodes])
            return
        steps = (
            []
            if self._sizes & {*passes.values()}
            else self._calls.over_time(owner.inner[call.number], self._sizes)
        )
        if any(len(own) in self._sizes or max(passes.values(), default=0) < len(own) for own in steps):
            self._place_repeated(owner, call, steps)
            return
        runs = [(loop, self._new_run(owner, call, 1)) for loop in passes]
        for loop, run in runs:
            run.passes = passes[loop]
        first = runs[0][1] if runs else self._new_run(owner, call, 1)
        for _, run in runs[1:]:
            run.beside = first

        def spot(place: Place) -> Spot:
            for loop, run in runs:
                number = pass_of(place, loop)
                if number is not None:
                    return run, number
            return first, -1

        owner.spots[call.number] = spot

    def _place_repeated(self, owner: _Owner, call: Call, steps: Sequence[Sequence[Call]]) -> None:
        """The calls of some functions that a call makes are its rounds."""
        runs = [self._new_run(owner, own[0], len(own)) for own in steps]
        owner.spots[call.number] = _always((runs[0], -1))
        for run, own in zip(runs, steps, strict=True):
            run.beside = runs[0]
            # Others of the same function, such as the one that ends a recursion, are no rounds.
            alike = {c.number for c in owner.inner[call.number] if c.code is own[0].code}
            self._repeated |= dict.fromkeys(alike, (runs[0], -1))
            self._repeated |= {inner.number: (run, number) for number, inner in enumerate(own)}

    def _is_round(self, call: Call, outer: Loop, loop: Loop, passes: Mapping[Loop, int]) -> bool:
        """Whether an outer loop of a call is one of layers, and the one within it is over time.

        Of loops with as many passes that is the one that takes its items from a tensor. Tensors lead with
        their sequences, so that a loop with as many passes as these have is none over time.
        """
        key = call.number, outer
        if key not in self._within:
            self._within[key] = self._within_loop(call, outer)
        items, lead = self._within[key]
        return (
            loop in items and outer not in items if passes[loop] == passes[outer] else lead == passes[outer]
        )

    def _within_loop(self, call: Call, outer: Loop) -> tuple[set[Loop], int]:
        """Of a loop the loops in it whose heads bind tensors, and what most tensors in it lead with."""
        bound = [
            (binding, place)
            for own, within, together in self._groups
            if self._outermost[own.number] is call
            and pass_of(place := self._places.of(own, within, call), outer) is not None
            for binding in together
        ]
        items = {
            tuple(head for head, _ in place)
            for b, place in bound
            if place[-1][0] == (id(b.call.code), b.line)
        }
        leads = Counter(binding.value.shape[0] for binding, _ in bound if binding.value.dim() > 1)
        return items, max(leads.items(), key=lambda item: item[1], default=(0, 0))[0]

    @cached_property
    def _calls(self) -> RepeatedCalls:
        return RepeatedCalls(self._bindings, self._inputs)

    def _new_run(self, owner: _Owner, call: Call, calls: int) -> Run:
        path = f"{owner.path}@{len(owner.runs) + 1}" if owner.runs else owner.path
        run = Run(path, owner.name, call, calls)
        owner.runs.append(run)
        return run


def _always(spot: Spot) -> Callable[[Place], Spot]:
    return lambda place: spot

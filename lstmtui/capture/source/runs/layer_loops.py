"""Of two loops within each other, either of which may be over time: whether the outer one is over layers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import CodeType

from lstmtui.capture.equality import same
from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.code.heads import items_read_in_loops
from lstmtui.capture.source.code.reading_order import reads_before_binding
from lstmtui.capture.source.runs.loop_weights import goes_through_unlike, weights_differ
from lstmtui.capture.source.runs.time_loops import Loop, Place, pass_of
from lstmtui.capture.source.tracing.weights_behind import FIRST_PASSES, WeightsBehind

Group = tuple[Call, Passes, list[Binding]]
"""What was bound in the same passes of a call."""


class LayerLoops:
    """The loops of layers round loops over time.

    Args:
        groups: all that was bound.
        outermost: the call of a module or of a function with timesteps of its own that each call is in.
        place_of: in which loops something was, from a call inwards.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        outermost: Mapping[int, Call],
        place_of: Callable[[Call, Passes, Call], Place],
    ) -> None:
        self._groups, self._outermost, self._place_of = groups, outermost, place_of
        self._within: dict[tuple[int, Loop], tuple[set[Loop], int]] = {}
        self._over_layers: dict[tuple[int, Loop], bool] = {}
        self._bound_in: dict[int, list[tuple[Place, list[Binding]]]] = {}
        self._bound_by: dict[int, dict[Loop, list[Binding]]] = {}

    def is_round(self, call: Call, outer: Loop, loop: Loop, passes: Mapping[Loop, int]) -> bool:
        """Whether an outer loop of a call is one of layers, and the one within it is over time.

        Of loops with as many passes that is the one that takes its items from a tensor. Tensors lead with
        their sequences, so that a loop with as many passes as these have is none over time. Neither is one
        whose passes do not go on from one another where those of the one within do, which reads items.
        """
        is_over_layers = self.is_over_layers(call, outer)
        if is_over_layers is not self.is_over_layers(call, loop):
            return is_over_layers
        key = call.number, outer
        if key not in self._within:
            self._within[key] = self._within_loop(call, outer)
        items, lead = self._within[key]
        # Sequences are gone through one by one: what a pass begins from is none of what another has made.
        if loop in items and self._is_in_each(call, outer, loop):
            return True
        return (
            loop in items and outer not in items if passes[loop] == passes[outer] else lead == passes[outer]
        )

    def is_over_layers(self, call: Call, loop: Loop) -> bool:
        """Whether passes of a loop compute each with parameters of its own, as far as the graph tells.

        One that goes through the parameters themselves is one too.
        """
        key = call.number, loop
        if key not in self._over_layers:
            is_of_own = weights_differ(self._weights, loop, self._bound_below(call))
            self._over_layers[key] = is_of_own or goes_through_unlike(loop, self.bound_by(call, loop))
        return self._over_layers[key]

    def weights_of(self, bindings: Iterable[Binding]) -> set[int]:
        """The parameters that values are computed with."""
        return set().union(*map(self._weights.of, bindings))

    @cached_property
    def _weights(self) -> WeightsBehind:
        return WeightsBehind(binding for *_, together in self._groups for binding in together)

    @cached_property
    def _groups_in(self) -> dict[int, list[Group]]:
        """What was bound, by the number of the outermost call that it was bound in."""
        groups: dict[int, list[Group]] = defaultdict(list)
        for group in self._groups:
            groups[self._outermost[group[0].number].number].append(group)
        return groups

    @cached_property
    def _groups_below(self) -> dict[int, list[Group]]:
        """By the number of an outermost call: what it and the modules that it calls bind in first passes."""
        groups: dict[int, list[Group]] = defaultdict(list)
        for group in self._groups:
            here, passes, _ = group
            while all(number < FIRST_PASSES for _, number in passes):
                if here is self._outermost[here.number]:
                    groups[here.number].append(group)
                if here.caller is None:
                    break
                here, passes = here.caller, here.passes
        return groups

    def _bound_below(self, call: Call) -> Iterator[tuple[Place, list[Binding]]]:
        """What was bound in an outermost call and in modules that it calls, in the first passes of loops."""
        for own, within, together in self._groups_below.get(call.number, ()):
            yield self._place_of(own, within, call), together

    def bound_in(self, call: Call) -> list[tuple[Place, list[Binding]]]:
        """What was bound in an outermost call, with the loops that it was in."""
        number = call.number
        if number not in self._bound_in:
            groups = self._groups_in.get(number, ())
            self._bound_in[number] = [(self._place_of(own, at, call), bound) for own, at, bound in groups]
        return self._bound_in[number]

    def bound_by(self, call: Call, loop: Loop) -> list[Binding]:
        """What a loop of an outermost call itself binds, and no loop within it."""
        number = call.number
        if number not in self._bound_by:
            by_loop = self._bound_by[number] = defaultdict[Loop, list[Binding]](list)
            for place, bound in self.bound_in(call):
                by_loop[tuple(header for header, _ in place)] += bound
        return self._bound_by[number].get(loop, [])

    def goes_on(self, call: Call, loop: Loop) -> bool:
        """Whether passes of a loop have what those before made, or read names before they bind them."""
        if any(_hands_on(bound, loop) for bound in (self.bound_in(call), self._bound_below(call))):
            return True
        lines: dict[tuple[CodeType, str], list[int]] = defaultdict(list)
        for place, together in self.bound_in(call):
            if pass_of(place, loop) is not None and len(place) == len(loop):
                for b in together:
                    if b.line > 0 and id(b.call.code) == loop[-1][0]:
                        lines[b.call.code, b.name].append(b.line)
        return any(reads_before_binding(code, name, own) for (code, name), own in lines.items())

    def _is_in_each(self, call: Call, outer: Loop, loop: Loop) -> bool:
        """Whether a loop goes on through what each pass of the one round it takes, which itself does not."""
        own = [b for b in self.bound_by(call, loop) if id(b.call.code) == loop[-1][0]]
        if not own or not self.goes_on(call, loop) or self.goes_on(call, outer):
            return False
        code = own[0].call.code
        inside = (bound for place, bound in self.bound_in(call) if pass_of(place, outer) is not None)
        every = [b for bound in inside for b in bound if b.call.code is code and b.line > 0]
        lines = {b.line for b in every}
        if any(reads_before_binding(code, name, lines) for name in {b.name for b in every}):
            return False
        (_, around), (_, line) = outer[-1], loop[-1]
        read = items_read_in_loops(code)
        if any(at == line and (around, name) in read for at, name in read):
            return True  # x[b, t]
        taken = [b for b in self.bound_by(call, outer) if b.value.dim() > 1]
        heads = [b for b in own if b.line == line]
        return any(
            (line, b.name) in read or any(same(b.value[0], head.value) for head in heads[:FIRST_PASSES])
            for b in taken
        )

    def _within_loop(self, call: Call, outer: Loop) -> tuple[set[Loop], int]:
        """Of a loop the loops in it whose heads bind tensors, and what most tensors in it lead with."""
        every = self.bound_in(call)
        bound = [(b, place) for place, own in every if pass_of(place, outer) is not None for b in own]
        items = {
            tuple(head for head, _ in place)
            for b, place in bound
            if place[-1][0] == (id(b.call.code), b.line)
        }
        # A counter takes them too: x[t].
        names = {(b.call.code, b.name) for _, own in every for b in own}
        counted = {
            (id(code), line)
            for code in {code for code, _ in names}
            for line, name in items_read_in_loops(code)
            if (code, name) in names
        }
        items |= {loop for _, place in bound for loop in _loops_of(place) if loop[-1] in counted}
        leads = Counter(binding.value.shape[0] for binding, _ in bound if binding.value.dim() > 1)
        return items, max(leads.items(), key=lambda item: item[1], default=(0, 0))[0]


def _hands_on(bound: Iterable[tuple[Place, list[Binding]]], loop: Loop) -> bool:
    """Whether a name in a pass of a loop is bound to a tensor that one before it has made."""
    made: dict[int, int] = {}
    """The pass that has made a tensor; −1: it is from elsewhere."""
    for place, together in bound:
        number = pass_of(place, loop)
        for b in together:
            is_made = number is not None and b.line > 0 and not b.leaf
            first = made.setdefault(b.identity, number if number is not None and is_made else -1)
            if number is not None and 0 <= first < number:
                return True
    return False


def _loops_of(place: Place) -> list[Loop]:
    """The loops that a place is in, outermost first."""
    heads = tuple(head for head, _ in place)
    return [heads[:depth] for depth in range(1, len(heads) + 1)]

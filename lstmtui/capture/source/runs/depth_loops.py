"""Loops each pass of which computes all timesteps: over layers, or of one layer that is applied again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.code.heads import items_read_in_loops, reads_counter
from lstmtui.capture.source.code.reading_order import reads_before_binding
from lstmtui.capture.source.input_axes import Shape
from lstmtui.capture.source.runs.layer_loops import LayerLoops
from lstmtui.capture.source.runs.streams import Reading
from lstmtui.capture.source.runs.time_loops import Loop, Places, pass_of, passes_of
from lstmtui.capture.source.tracing.weights_behind import FIRST_PASSES


@dataclass(frozen=True)
class Timesteps:
    """What is known of the timesteps of the input."""

    sizes: Collection[int]
    """Of the axes that may be time, if longer than 1."""
    inputs: Sequence[Shape]
    """The shapes of the model's input."""
    at_once: Callable[[], Collection[int]]
    """Says how many are computed without a loop of the user's, as by a recurrent layer or a scan."""

    def is_whole(self, binding: Binding) -> bool:
        """Whether a tensor leads with the two axes that the input leads with, and is no slice of that."""
        shape = tuple(binding.value.shape)
        leads = (way for own in self.inputs if len(own) > 1 for way in (own[:2], own[1::-1]))
        return len(shape) >= max([3, *map(len, self.inputs)]) and shape[:2] in leads

    def counts(self, wholes: Iterable[Binding]) -> set[int]:
        """How many timesteps such tensors may have."""
        return {size for b in wholes for size in b.value.shape[:2] if size in self.sizes}


class DepthLoops:
    """The loops of depth, and the calls of layers that are computed for all timesteps at once.

    Args:
        calls: all, in the order in which they began.
        outermost: the call of a module or of a function with timesteps of its own that each call is in.
        places: in which loops calls were.
        layers: tells loops with parameters of their own, and what calls bind.
        timesteps: of the input.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        outermost: Mapping[int, Call],
        places: Places,
        layers: LayerLoops,
        timesteps: Timesteps,
    ) -> None:
        self._calls, self._outermost, self._places = calls, outermost, places
        self._layers, self._timesteps = layers, timesteps
        self._loops: dict[tuple[int, Loop], bool] = {}

    def is_depth(self, call: Call, loop: Loop) -> bool:
        """Whether each pass of a loop of an outermost call computes all timesteps.

        It reads no item of a sequence, what it takes with it has an axis of timesteps and one of sequences
        as the input has, and within it or beside it there is what runs over these timesteps.
        """
        key = call.number, loop
        if key not in self._loops:
            counts = self._timesteps.counts(self._wholes(call, loop))
            counts &= self._counts_in(call, loop) if counts else set()
            self._loops[key] = bool(counts) and not self._may_count(call, loop, counts)
        return self._loops[key]

    def _may_count(self, call: Call, loop: Loop, counts: Collection[int]) -> bool:
        """Whether a loop makes as many passes as there are timesteps, by a number that its passes read."""
        bound = [(place, b) for place, own in self._layers.bound_in(call) for b in own]
        inside = [(place, b) for place, b in bound if pass_of(place, loop) is not None]
        near = {count + more for count in counts for more in (-1, 0, 1)}
        if passes_of(place for place, _ in inside).get(loop, 0) not in near or self._differ(call, loop):
            return False
        codes = {b.call.code for _, b in inside if id(b.call.code) == loop[-1][0]}
        return any(reads_counter(code, loop[-1][1]) for code in codes)

    def are_at_once(self, calls: Iterable[Call]) -> bool:
        """Whether a model calls a module again and again, each time for all timesteps, without a loop."""
        for call in calls:
            counts = self._timesteps.counts(self._given(call))
            if not call.is_in_module or counts.isdisjoint(self._timesteps.at_once()):
                return False
        return True

    def are_whole(self, calls: Iterable[Reading]) -> bool:
        """Whether each of these is given a tensor of as many timesteps as its loop has passes."""
        return all(any(r.passes in b.value.shape[:2] for b in self._given(r.call)) for r in calls)

    def _given(self, call: Call) -> list[Binding]:
        """The tensors of all timesteps that a call is given."""
        bound = (b for _, own in self._layers.bound_in(call) for b in own if b.call is call and not b.line)
        return [b for b in bound if self._timesteps.is_whole(b)]

    def _wholes(self, call: Call, loop: Loop) -> list[Binding]:
        """The tensors of all timesteps that the passes of a loop take with them; none if it reads a sequence.

        Of passes with layers of their own it is enough that they make or are given such tensors.
        """
        own = self._bound_by(call, loop)
        if self._reads_items(own, loop, call):
            return []
        heads = [b for b in own if b.line == loop[-1][1] and self._timesteps.is_whole(b)]
        if heads and (call.module is not None or call.is_in_module):
            return heads
        made = [b for b in own if b.line != loop[-1][1] and b.value.is_floating_point() and b.value.dim() > 1]
        carried = _read_first(own)
        taken = [b for b in made if b.name in carried]
        wholes = [b for b in taken or made if self._timesteps.is_whole(b)]
        if taken and len(wholes) == len(taken):
            return wholes
        if not self._differ(call, loop):
            return []
        given = (b for _, made in self._made_in(call, loop) for b in self._given(made))
        return wholes if taken else [*wholes, *given]

    def _bound_by(self, call: Call, loop: Loop) -> list[Binding]:
        """What the lines of a loop itself bind, and nothing that they call, which is other code."""
        code = loop[-1][0]
        return [b for b in self._layers.bound_by(call, loop) if b.line > 0 and id(b.call.code) == code]

    def _reads_items(self, own: Sequence[Binding], loop: Loop, call: Call) -> bool:
        """Whether passes take an item of a tensor each: bound by the head of the loop, or by its counter."""
        line = loop[-1][1]
        heads = (b for b in own if b.line == line and b.value.dim() and not (b.leaf and not b.absent))
        if any(not self._timesteps.is_whole(b) for b in heads):
            return True
        code = own[0].call.code if own else None
        read = set() if code is None else {name for at, name in items_read_in_loops(code) if at == line}
        every = (b for _, bound in self._layers.bound_in(call) for b in bound) if read else ()
        return any(b.name in read and b.call.code is code and self._timesteps.is_whole(b) for b in every)

    def _differ(self, call: Call, loop: Loop) -> bool:
        """Whether passes compute with parameters or call modules of their own."""
        modules: dict[int, set[int]] = defaultdict(set)
        for number, made in self._made_in(call, loop):
            if number < FIRST_PASSES:
                modules[number] |= {id(made.module), *self._layers.weights_of(self._given(made))}
        pairs = pairwise(modules.values())
        return any(a - b and b - a for a, b in pairs) or self._layers.is_over_layers(call, loop)

    def _counts_in(self, call: Call, loop: Loop) -> set[int]:
        """How many timesteps there are of what runs over them within the passes of a loop."""
        counts = {*self._timesteps.at_once()}
        for _, made in self._made_in(call, loop):
            counts |= self._counts[made.number]
        for own, count in passes_of(place for place, _ in self._layers.bound_in(call)).items():
            is_within = own[: len(loop)] == loop
            if own == loop[: len(own)] or not (is_within or self._is_over_items(call, own)):
                continue
            if not self._layers.is_over_layers(call, own):
                counts.add(count)
        return counts

    def _is_over_items(self, call: Call, loop: Loop) -> bool:
        """Whether each pass of a loop takes an item, or its number, and goes on from the one before."""
        own = self._bound_by(call, loop)
        states = (b for b in own if b.value.is_floating_point() and b.value.numel() > 1)
        if not _read_first(own).isdisjoint(b.name for b in states):
            return self._reads_items(own, loop, call) or reads_counter(own[0].call.code, loop[-1][1])
        return False

    def _made_in(self, call: Call, loop: Loop) -> Iterator[tuple[int, Call]]:
        """The calls of modules that passes of a loop make, each with the number of the pass."""
        for made in self._made[call.number]:
            number = pass_of(self._places.of_call(made, call), loop)
            if number is not None:
                yield number, made

    @cached_property
    def _made(self) -> dict[int, list[Call]]:
        """By the number of an outermost call: the outermost calls that it makes."""
        made: dict[int, list[Call]] = defaultdict(list)
        for call in self._calls:
            if call.caller is not None and self._outermost[call.number] is call:
                made[self._outermost[call.caller.number].number].append(call)
        return made

    @cached_property
    def _counts(self) -> dict[int, set[int]]:
        """By the number of an outermost call: how many passes loops have in it and in calls that it makes."""
        counts: dict[int, set[int]] = {}
        for call in reversed(self._calls):
            if self._outermost[call.number] is call:
                places = (place for place, _ in self._layers.bound_in(call))
                below = (counts[made.number] for made in self._made[call.number])
                counts[call.number] = {*passes_of(places).values()}.union(*below)
        return counts


def _read_first(bindings: Sequence[Binding]) -> set[str]:
    """The names that the lines of a loop read before they bind them."""
    lines = [b.line for b in bindings]
    last = {b.name: b for b in bindings}
    return {name for name, b in last.items() if reads_before_binding(b.call.code, name, lines)}

"""Calls of a module that each read timesteps in a loop of their own, and which go on from one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor

from lstmtui.capture.equality import same
from lstmtui.capture.origins.continuity import same_in_part
from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.code.heads import items_read_in_loops
from lstmtui.capture.source.code.reading_order import reads_before_binding, reads_first
from lstmtui.capture.source.runs.time_loops import Loop, Place, Places, pass_of

_LOOKED_AT = 8
"""In how many passes of a loop it is looked whether a name has the numbers of a tensor there."""


@dataclass(eq=False)
class Reading:
    """One call, and what it binds before its loop over time and in it."""

    call: Call
    loop: Loop
    passes: int
    before: list[Binding] = field(default_factory=list)
    """Its arguments, and what is bound before the first pass, in order."""
    rounds: dict[int, list[Binding]] = field(default_factory=dict)
    """What each pass bound, in order."""

    def may_be_over(self, size: int) -> bool:
        """Whether its passes may be the items of an axis: all of them, unless it has raised."""
        return size == self.passes or (bool(self.call.raised) and size > self.passes)

    @property
    def left(self) -> list[Binding]:
        """What names are bound to at the end of the last pass that has not been there since the first."""
        first, last = self.rounds.get(0, []), self.rounds.get(self.passes - 1, [])
        old = {binding.identity for binding in first} if self.passes > 1 else set()
        return [b for b in last if b.identity not in old and b.value.is_floating_point() and b.value.any()]


@dataclass(eq=False, slots=True)
class Handed:
    """What a call is given of what the one before it has left."""

    left: Binding
    """At the end of the last pass of that one."""
    given: Binding
    """To the other, before its first pass."""


def readings(
    loops: Mapping[int, tuple[Call, Loop, int]],
    groups: Iterable[tuple[Call, Passes, list[Binding]]],
    place_of: Callable[[Call, Passes, Call], Place],
) -> list[Reading]:
    """The calls with what they bind, in order.

    Args:
        loops: by the numbers of the calls, each with its loop over time and how many passes that has.
        groups: all bindings, those together that were bound in the same passes of a call.
        place_of: in which loops those were, from a call inwards.
    """
    own = {number: Reading(*parts) for number, parts in loops.items()}
    for call, passes, together in groups:
        outer: Call | None = call
        while outer is not None and outer.number not in own:
            outer = outer.caller
        if outer is None:
            continue
        reading = own[outer.number]
        number = pass_of(place_of(call, passes, outer), reading.loop)
        if number is not None:
            reading.rounds.setdefault(number, []).extend(together)
        elif not reading.rounds:
            reading.before += together
    return [*own.values()]


def goes_on(before: Reading, reading: Reading) -> Handed | None:
    """What a call begins from that another has left, changed or not; None where it is nothing of that.

    That is a tensor which a pass of the loop leaves to the next, alone or as one of several layers' states:
    the sequence that a call returns is none, so that layers which share a module do not go on from another.
    """
    left = before.left
    by_identity = {binding.identity: binding for binding in left}
    for given in (*reading.before, *reading.rounds.get(0, [])):
        if (same := by_identity.get(given.identity)) is not None:
            return Handed(same, given)
    for given in reading.before:
        for binding in reversed(left):
            if _is_of(given.value, binding.value):
                return Handed(binding, given)
    return None


def begins_from(before: Reading, reading: Reading) -> Handed | None:
    """The same, also where both are loops of one call, to which it is a name that it does not bind anew."""
    handed = goes_on(before, reading)
    if handed is not None or before.call is not reading.call:
        return handed
    anew = {b.name for b in reading.before}
    names = (b for b in reversed(before.left) if b.name not in anew and b.call is reading.call)
    return next((Handed(left, left) for left in names if _reads_first(reading, left)), None)


def handed_on(calls: Sequence[Reading]) -> list[Handed]:
    """What each call but the first begins from, beside what the one before it has left; empty: not known."""
    handed = list[Handed]()
    for before, reading in pairwise(calls):
        state = begins_from(before, reading)
        if state is None:
            given = {b.name: b for b in reading.before}
            names = (b for b in reversed(before.left) if b.name in given and _reads_first(before, b))
            state = next((Handed(left, given[left.name]) for left in names), None)
        if state is None:
            return []
        handed.append(state)
    return handed


def _reads_first(reading: Reading, left: Binding) -> bool:
    """Whether passes of a loop read a name before they bind it."""
    code = left.call.code
    lines = [b.line for own in reading.rounds.values() for b in own if b.call.code is code and b.line]
    return bool(lines) and reads_before_binding(code, left.name, lines)


def _is_of(given: Tensor, left: Tensor) -> bool:
    """Whether a state is what was left, in some sequence or all; of one number its value does not tell."""
    return bool(given.dim()) and given.shape == left.shape and same_in_part((given,), (left,))


def is_stacked(given: Binding, before: Reading) -> bool:
    """Whether a tensor holds what each pass of the loop of the call before has made, one behind another."""
    value = given.value
    return (
        value.dim() > 1
        and len(value) == before.passes
        and all(
            _binds(before.rounds.get(n, ()), value[n]) for n in {0, before.passes // 2, before.passes - 1}
        )
    )


def _handed_whole(calls: Sequence[Reading]) -> set[str]:
    """The arguments by which each call is given what the passes of the one before it have made."""
    each = [
        {b.name for b in reading.before if not b.line and is_stacked(b, before)}
        for before, reading in pairwise(calls)
    ]
    return set.intersection(*each)


def _new(calls: Sequence[Reading]) -> list[list[Binding]]:
    """What each call is given or makes before its loop: neither parameters nor what all are given."""
    everywhere = set.intersection(*({b.identity for b in reading.before} for reading in calls))
    return [
        [b for b in r.before if b.identity not in everywhere and not (b.leaf and not b.absent)] for r in calls
    ]


def read_whole_sequences(calls: Sequence[Reading]) -> bool:
    """Whether the loop of each call takes its items from a tensor that this call was given or has made.

    Neither a parameter is such a tensor, nor what all calls are given, nor a state that an earlier call left:
    what the loop of that has made is one where there is another input, as of a cell that loops over layers.
    """
    # The first call has a state of the same name to begin from.
    names = {h.given.name for a, b in pairwise(calls) if (h := goes_on(a, b)) is not None}
    new, whole = _new(calls), _handed_whole(calls)
    given = {b.name for own in new for b in own if not b.line}
    if given - whole:
        names |= whole
    # All calls may be given one sequence, as in training on it; what all are given beside others is none.
    read = new if given - names else [r.before for r in calls]
    for reading, own in zip(calls, read, strict=True):
        if not reads_items(reading, [b for b in own if b.name not in names]):
            return False
    return True


def reads_items(reading: Reading, tensors: Iterable[Binding]) -> bool:
    """Whether each pass of a loop takes an item of one of these."""
    sizes = ((b, b.value.shape[:2]) for b in tensors if b.value.dim() > 1)
    matrices = (b for b, own in sizes if any(map(reading.may_be_over, own)))
    return any(_takes_items(reading, matrix) for matrix in matrices)


def hand_on_alone(calls: Sequence[Reading]) -> bool:
    """Whether calls can only loop over what the calls before them have made: layers, not timesteps."""
    whole = _handed_whole(calls)
    others = (b for own in _new(calls) for b in own if not b.line and b.name not in whole)
    passes = {reading.passes for reading in calls}
    return bool(whole) and not any(b.value.dim() > 2 and passes & {*b.value.shape[:2]} for b in others)


def _takes_items(reading: Reading, tensor: Binding) -> bool:
    """Whether each pass of a loop reads what a tensor holds at its place, by the numbers or by the code."""
    value, passes = tensor.value, reading.passes
    axes = [axis for axis in (0, 1) if reading.may_be_over(value.shape[axis])]
    step = max(1, (passes - 1) // (_LOOKED_AT - 1))
    numbers = [*range(0, passes - 1, step), passes - 1]
    for axis in axes:
        items = [value.select(axis, number) for number in numbers]
        if same(items[0], items[-1]):
            continue
        for order in (numbers, [passes - 1 - number for number in numbers]):
            if all(_binds(reading.rounds.get(n, ()), item) for n, item in zip(order, items, strict=True)):
                return True
    (code, line) = reading.loop[-1]
    own = next((b.call.code for own in reading.rounds.values() for b in own if id(b.call.code) == code), None)
    if own is None:
        return False
    places = items_read_in_loops(own).get((line, tensor.name), ())
    return tensor.call.code is own and any(axis in places for axis in axes)


def _binds(bindings: Collection[Binding], item: Tensor) -> bool:
    return any(binding.value.shape == item.shape and same(binding.value, item) for binding in bindings)


def joined(calls: Sequence[Reading]) -> Iterator[tuple[list[Call], list[Handed]]]:
    """Calls that go on from one another, with what each but the first was given."""
    together, handed = [calls[0].call], list[Handed]()
    for before, reading in pairwise(calls):
        state = goes_on(before, reading)
        if state is None:
            yield together, handed
            together, handed = [reading.call], []
        else:
            together.append(reading.call)
            handed.append(state)
    yield together, handed


def carries(calls: Sequence[Call], bindings: Collection[Binding]) -> bool:
    """Whether the loop in which calls are made takes a tensor with it from pass to pass.

    Most calls may be given one that the call before has bound a name to, where that loop is further out.
    """
    caller, lines = calls[0].caller, {line for call in calls for line, _ in call.passes[-1:]}
    names: dict[str, list[int]] = defaultdict(list)
    for b in bindings:
        if b.call is caller and b.value.dim() and lines & {line for line, _ in b.passes}:
            names[b.name].append(b.line)
    own = [line for bound in names.values() for line in bound]
    if caller is not None and any(
        reads_first(caller.code, name, range(min(own), max(own) + 1), attribute=False) for name in names
    ):
        return True
    return _are_chained(calls, bindings)


def _are_chained(calls: Sequence[Call], bindings: Iterable[Binding]) -> bool:
    numbers = {call.number for call in calls}
    given, made = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for b in bindings:
        if b.call.number in numbers:
            (made if b.line else given)[b.call.number].add(b.identity)
    pairs = [*pairwise(calls)]
    return 2 * sum(bool(made[a.number] & given[b.number]) for a, b in pairs) > len(pairs)


def takes_apart(argument: Binding, bindings: Collection[Binding]) -> bool:
    """Whether a matrix that a function is given is a sequence: whether one of its loops takes it apart.

    It may take apart what is made of it, as of tokens, that is as long.

    Args:
        argument: of a call.
        bindings: of the same call.
    """
    call, loops = argument.call, dict[tuple[int, ...], Reading]()
    if not any(binding.passes for binding in bindings):
        return False
    for _, passes, together in Places([call], bindings).groups(bindings):
        for depth, (line, number) in enumerate(passes, start=1):
            lines = tuple(around for around, _ in passes[:depth])
            loop = loops.setdefault(lines, Reading(call, ((id(call.code), line),), 0))
            loop.passes = max(loop.passes, number + 1)
            loop.rounds.setdefault(number, []).extend(together)
    made = [b for b in bindings if b.value.dim() > 1 and not (b.leaf and not b.absent)]
    return any(
        loop.passes in argument.value.shape[:2] and loop.passes in b.value.shape[:2] and _takes_items(loop, b)
        for lines, loop in loops.items()
        for b in made
        if len(b.passes) < len(lines) and tuple(line for line, _ in b.passes) == lines[: len(b.passes)]
    )

"""Calls of a function that repeat without a loop of the user's: recursion, functools.reduce, map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from lstmtui.capture.source.bindings import RETURNED, Binding, Call

_OF_NONE = -1
"""In place of the number of a call that others are within."""


class RepeatedCalls:
    """Which calls of functions are timesteps, and in which order.

    Args:
        bindings: all of them, in order.
        inputs: the shapes of the model's input.
    """

    def __init__(self, bindings: Iterable[Binding], inputs: Iterable[tuple[int, ...]]) -> None:
        self._inputs = {way for shape in inputs for way in (shape[:2], shape[1::-1])}
        self._bound: dict[int, list[Binding]] = defaultdict(list)
        self._binding: set[int] = set()
        """The numbers of the calls in which, or in what they call, anything is bound."""
        for binding in bindings:
            self._bound[binding.call.number].append(binding)
            call: Call | None = binding.call
            while call is not None and call.number not in self._binding:
                self._binding.add(call.number)
                call = call.caller

    def over_time(self, calls: Sequence[Call], sizes: Collection[int]) -> list[list[Call]]:
        """Those of some calls that are timesteps, in the order of time: a list for each function.

        Of calls of one function that are as many as the input has timesteps, or in which each is given what
        the one before it has made.

        Args:
            calls: none of them within a loop, in the order in which they began.
            sizes: of the axes of the input that may be time.
        """
        by_code: dict[int, list[Call]] = defaultdict(list)
        for call in calls:
            by_code[id(call.code)].append(call)
        repeated = [own for own in by_code.values() if len(own) > 1]
        steps = [own for own in map(self.in_time, repeated) if self._are_timesteps(own, sizes)]
        most = [own for own in steps if len(own) in sizes] or steps
        chosen: list[list[Call]] = []
        codes: set[int] = set()
        for own in most:
            # What a chosen function calls is a part of its timesteps.
            if not codes & {id(outer.code) for outer in _callers(own[0]) if outer.code is not own[0].code}:
                chosen.append(own)
                codes.add(id(own[0].code))
        return chosen

    def in_time(self, calls: list[Call]) -> list[Call]:
        """The calls of one function in the order of time; without that which ends a recursion.

        Where calls are within each other, each goes on from what it was given by the one round it, or makes
        something of what the one within it returns.
        """
        if {*_below(calls)} == {_OF_NONE}:
            return calls
        making = [call for call in calls if any(map(_is_of_name, self._bound[call.number]))]
        calls = making or calls
        return [*_returning(_below(calls))] if _are_made_on_the_way_back(calls) else calls

    def over_a_tree(self, calls: Iterable[Call]) -> list[Call]:
        """Those calls of a function that calls itself several times, each for a node, in the order of time.

        Where they return what is made of nodes, that is of all nodes below one before the one itself; else as
        they began. None are where a node is given all timesteps, as in a scan that halves them.

        Args:
            calls: in the order in which they began.
        """
        by_code: dict[int, list[Call]] = defaultdict(list)
        for call in calls:
            by_code[id(call.code)].append(call)
        for own in by_code.values():
            below = _below(own) if len(own) > 2 else {}
            branches = any(len(nodes) > 1 for number, nodes in below.items() if number != _OF_NONE)
            if not branches or self._has_all_timesteps(self._shapes_given(own)):
                continue
            if any(call.number in self._binding for call in own):
                return [*_returning(below)] if _are_made_on_the_way_back(own) else own
        return []

    def _are_timesteps(self, calls: Sequence[Call], sizes: Collection[int]) -> bool:
        if not any(call.number in self._binding for call in calls):
            return False  # they log, count or check
        shapes = self._shapes_given(calls)
        if self._has_all_timesteps(shapes):
            return False
        if self._is_chained(calls):
            return True
        return len(calls) in sizes and not any(len(calls) in shape[:2] for shape in shapes)

    def _shapes_given(self, calls: Sequence[Call]) -> set[tuple[int, ...]]:
        """The shapes of the tensors that calls are given, of those that not all are given alike."""
        arguments = [[b for b in self._bound[call.number] if not b.line] for call in calls]
        same = set.intersection(*({binding.identity for binding in own} for own in arguments))
        return {tuple(b.value.shape) for own in arguments for b in own if b.identity not in same}

    def _has_all_timesteps(self, shapes: Iterable[tuple[int, ...]]) -> bool:
        return any(len(shape) > 2 and shape[:2] in self._inputs for shape in shapes)

    def _is_chained(self, calls: Sequence[Call]) -> bool:
        """Whether each call is within the one before it, or the other way round, or is given what it made."""
        for earlier, later in pairwise(calls):
            is_nested = _nearest(later) is earlier or _nearest(earlier) is later
            bound = {binding.identity for binding in self._bound[later.number]}
            if not is_nested and (earlier.returned < 0 or earlier.returned not in bound):
                return False
        return True


def is_within_itself(call: Call) -> bool:
    """Whether a function was called by itself."""
    return call.caller is not None and call.caller.code is call.code


def _are_made_on_the_way_back(calls: Iterable[Call]) -> bool:
    """Whether calls within each other each return a tensor of their own."""
    returned = [call.returned for call in calls]
    return len(set(returned)) > 1 and -1 not in returned


def _below(calls: Sequence[Call]) -> dict[int, list[Call]]:
    """Calls by the number of the nearest of them that each is within."""
    numbers = {call.number for call in calls}
    below: dict[int, list[Call]] = defaultdict(list)
    for call in calls:
        above = next((outer.number for outer in _callers(call) if outer.number in numbers), _OF_NONE)
        below[above].append(call)
    return below


def _returning(below: Mapping[int, Sequence[Call]]) -> Iterator[Call]:
    """Calls in the order in which they return, by the number of the one that each is within."""
    waiting = [(call, False) for call in reversed(below[_OF_NONE])]
    while waiting:
        call, is_done = waiting.pop()
        if is_done:
            yield call
        else:
            waiting.append((call, True))
            waiting += [(inner, False) for inner in reversed(below.get(call.number, ()))]


def _is_of_name(binding: Binding) -> bool:
    """Whether a line binds a name, which neither arguments are nor what is returned without one."""
    return binding.line > 0 and not binding.name.startswith(RETURNED)


def _nearest(call: Call) -> Call | None:
    """The innermost call of the same function that a call is within."""
    return next((outer for outer in _callers(call) if outer.code is call.code), None)


def _callers(call: Call) -> Iterable[Call]:
    here = call.caller
    while here is not None:
        yield here
        here = here.caller

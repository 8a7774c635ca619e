"""Which loop of a function is the one over time, and in which pass of it a line ran."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias

from lstmtui.capture.source.bindings import RETURNED, Binding, Call, Passes
from lstmtui.capture.source.code.heads import lines_of_tests, names_in_comprehensions

Place: TypeAlias = tuple[tuple[tuple[int, int], int], ...]
"""The loops that something ran in, outermost first: (function and line of the loop, which pass).

A marked one also has what marks the further call of a function in the same passes, as a loop with the pass 0.
"""

Loop: TypeAlias = tuple[tuple[int, int], ...]
"""A loop, after those round it: function and line of each."""


class Places:
    """In which loops calls and bindings were.

    What the head of a loop binds or calls for its first pass may be seen before that pass begins. What it
    binds is taken to be in it, and what it calls where later passes call that there too.

    Args:
        calls: all of them.
        bindings: all of them.
    """

    def __init__(self, calls: Iterable[Call], bindings: Iterable[Binding]) -> None:
        self._of_calls: dict[tuple[int, int, bool], Place] = {}
        self._calls = [*calls]
        called = [_called(call) for call in self._calls]
        self._called_in_heads = {
            (code, line, what) for code, line, what, passes in called if _is_in_head(line, passes)
        }
        self._heads: dict[tuple[int, int], int] = {}
        """The line of a loop's header, by function and line; a while loop's test may have further lines."""
        self._read = set[int]()
        """The functions whose lines were looked at for these."""
        self._comprehended: dict[tuple[int, int], frozenset[str]] = {}
        """Which names are bound in the comprehensions of a line, by function and line."""
        self._last: dict[tuple[int, Passes, int], int] = {}
        """The last pass of a loop that binds more than its head does, by call, loops round it and line."""
        passes: Passes = ()
        is_beyond = False
        for binding in bindings:
            if binding.passes is not passes:
                passes, is_beyond = binding.passes, False
                self._add_heads(binding.call, passes)
            if passes and not is_beyond and self._head_of(binding) != passes[-1][0]:
                (line, number), outer = passes[-1], passes[:-1]
                self._last[binding.call.number, outer, line] = number
                is_beyond = True

    @cached_property
    def _marks(self) -> dict[int, Place]:
        """By the numbers of further calls of functions in the same passes of a module: their marks."""
        modules: dict[int, Call] = {}
        """By the number of a call: that of the module that it is in."""
        times: Counter[tuple[int, Place, int]] = Counter()
        marks: dict[int, Place] = {}
        for call in self._calls:
            outer = call if call.caller is None else modules[call.caller.number]
            modules[call.number] = call if call.module is not None else outer
            if call.module is None and call.caller is not None:
                key = outer.number, self.of_call(call, outer), id(call.code)
                if times[key]:
                    marks[call.number] = (((id(call.code), -times[key]), 0),)
                times[key] += 1
        return marks

    def _add_heads(self, call: Call, passes: Passes) -> None:
        code = id(call.code)
        if passes and code not in self._read:
            self._read.add(code)
            self._heads |= {(code, line): header for line, header in lines_of_tests(call.code).items()}
            inside = names_in_comprehensions(call.code)
            self._comprehended |= {(code, line): names for line, names in inside.items()}
        for line, _ in passes:
            self._heads.setdefault((code, line), line)

    def _head_of(self, binding: Binding) -> int:
        """The line of the header of the loop in whose head a binding was; −1: it was in none."""
        place = id(binding.call.code), binding.line
        inside = self._comprehended.get(place)
        return -1 if inside is not None and binding.name not in inside else self._heads.get(place, -1)

    def groups(self, bindings: Iterable[Binding]) -> Iterator[tuple[Call, Passes, list[Binding]]]:
        """Bindings in order, those that follow each other in the same loops of the same call together."""
        lines = {line for _, line in self._heads}
        call, passes, together = None, None, list[Binding]()
        for binding in bindings:
            if binding.passes is not passes or binding.call is not call or binding.line in lines:
                call, passes = binding.call, binding.passes
                together = [binding]
                yield call, self._passes_of(binding), together
                if binding.line in lines:
                    call = None
            else:
                together.append(binding)

    def _passes_of(self, binding: Binding) -> Passes:
        """The loops of its function that a binding was in."""
        line, passes = self._head_of(binding), binding.passes
        if line < 0 or binding.name.startswith(RETURNED):
            return passes
        if not _is_in_head(line, passes):
            return *passes, (line, 0)
        return self._without_test(binding.call, line, passes)

    def _without_test(self, call: Call, line: int, passes: Passes) -> Passes:
        """The last test of a while loop, which lets no further pass begin, is of the pass before it."""
        outer, lines = passes[:-1], tuple(header for header, _ in passes)
        last = self._last.get((call.number, outer, line))
        is_test = passes[-1][0] == line and last is not None and lines not in (call.reached or {})
        return (*outer, (line, min(passes[-1][1], last))) if is_test and last is not None else passes

    def of_call(self, call: Call, outer: Call | None, *, marked: bool = False) -> Place:
        """The loops that a call was in, from those of `outer`, which called it, inwards.

        Args:
            call: any.
            outer: a call that it was within; None: from everything inwards.
            marked: whether the further calls of the function that makes it, in the same passes, are told
                from the first.
        """
        if call.caller is None:
            return ()
        code, line, what, passes = _called(call)
        is_first = (code, line, what) in self._called_in_heads and not _is_in_head(line, passes)
        return self.of(call.caller, (*passes, (line, 0)) if is_first else passes, outer, marked=marked)

    def of(self, call: Call, passes: Passes, outer: Call | None, *, marked: bool = False) -> Place:
        """The loops that a line of a call was in, as `of_call` has those of the call."""
        key = (call.number, -1 if outer is None else outer.number, marked)
        if key not in self._of_calls:
            mark = self._marks.get(call.number, ()) if marked else ()
            self._of_calls[key] = () if call is outer else self.of_call(call, outer) + mark
        function = id(call.code)
        return self._of_calls[key] + tuple(((function, line), number) for line, number in passes)


def is_mark(header: tuple[int, int]) -> bool:
    """Whether it is no loop's: it marks which further call of a function in the same passes it is."""
    return header[1] < 0


def _called(call: Call) -> tuple[object, int, object, Passes]:
    return None if call.caller is None else id(call.caller.code), call.line, id(call.code), call.passes


def _is_in_head(line: int, passes: Passes) -> bool:
    """Whether a line is the head of a loop that it is in."""
    return any(header == line for header, _ in passes)


def loops_over_time(
    places: Iterable[Place],
    sizes: Collection[int],
    ends: Iterable[Place] = (),
    is_round: Callable[[Loop, Loop, Mapping[Loop, int]], bool] = lambda outer, loop, passes: False,
    goes_on: Callable[[Loop], bool] = lambda loop: True,
    is_over_layers: Callable[[Loop], bool] = lambda loop: False,
    is_depth: Callable[[Loop], bool] = lambda loop: False,
) -> dict[Loop, int]:
    """The loops whose passes are timesteps, with how many, those beside each other in order.

    Below each other, that is the outermost whose number of passes is the size of an axis of the input (or one
    more or less where it leaves out an end, unless not that but one round it goes on from pass to pass), and
    else the outermost with several passes.

    Args:
        places: of all that ran.
        sizes: of the axes of the input that may be time, if longer than 1.
        ends: the last pass of loops, which may have bound and called nothing. Where the input has as many
            timesteps as passes that did, the one more is none; a loop that does in less than half of them
            looks for something.
        is_round: whether a loop that may be over time is round another that is, by the passes of all.
        goes_on: whether the passes of a loop go on from what the ones before them have made.
        is_over_layers: whether the passes of a loop have parameters of their own, so that one is no timestep
            where those of a loop round it have not.
        is_depth: whether each pass of a loop computes all timesteps, so that none is one.
    """
    passes = passes_of(places)
    for loop, count in passes_of(ends).items():
        is_most = passes.get(loop, count) < count <= 2 * passes.get(loop, 0)
        if is_most and (count in sizes or passes[loop] not in sizes):
            passes[loop] = count
    depth = {loop for loop in passes if is_depth(loop)}
    passes |= dict.fromkeys(depth, 1)
    inner: dict[Loop, list[Loop]] = defaultdict(list)
    for loop in passes:
        inner[loop[:-1]].append(loop)

    near = {size + more for size in sizes for more in (-1, 0, 1)} - {0, 1}
    several = range(2, max(passes.values(), default=1) + 1)
    chosen: list[Loop] = []
    for loop in inner[()]:
        for counts in (sizes, near, several):
            loops = _outermost(loop, counts, passes, inner, is_round, is_over_layers)
            if loops:
                chosen += loops if counts is not near else _going_on(loops, passes, goes_on)
                break
    if len(chosen) > 1 and any(map(goes_on, chosen)):
        # What makes a state for each layer, say, is none beside what goes on.
        chosen = [loop for loop in chosen if passes[loop] in sizes or goes_on(loop)]
    # One timestep is a sequence too, where there is no longer one.
    alone = [loop for loop in inner[()] if loop not in depth][:1]
    return {loop: passes[loop] for loop in chosen or alone}


def _outermost(
    loop: Loop,
    counts: Collection[int],
    passes: Mapping[Loop, int],
    inner: Mapping[Loop, list[Loop]],
    is_round: Callable[[Loop, Loop, Mapping[Loop, int]], bool],
    is_over_layers: Callable[[Loop], bool],
) -> list[Loop]:
    """A loop, or those within it, whose number of passes is one of these."""
    within = [
        further
        for below in inner.get(loop, ())
        for further in _outermost(below, counts, passes, inner, is_round, is_over_layers)
    ]
    if within and passes[loop] > 1 and not is_over_layers(loop):
        within = [further for further in within if not is_over_layers(further)]
    if passes[loop] not in counts or any(is_round(loop, further, passes) for further in within):
        return within
    return [loop]


def _going_on(
    loops: Iterable[Loop], passes: Mapping[Loop, int], goes_on: Callable[[Loop], bool]
) -> Iterator[Loop]:
    """Each loop, or the outermost round it that goes on from pass to pass where it does not itself."""
    chosen: set[Loop] = set()
    for loop in loops:
        around = [loop[:depth] for depth in range(1, len(loop)) if passes[loop[:depth]] > 1]
        further = [] if not around or goes_on(loop) else [outer for outer in around if goes_on(outer)]
        over_time = further[0] if further else loop
        if over_time not in chosen:
            chosen.add(over_time)
            yield over_time


def passes_of(places: Iterable[Place]) -> dict[Loop, int]:
    """How many passes each loop had, the outer ones before those in them."""
    passes: dict[Loop, int] = {}
    for place in places:
        loop: Loop = ()
        for header, number in place:
            if is_mark(header):
                continue
            loop = (*loop, header)
            passes[loop] = max(passes.get(loop, 0), number + 1)
    return passes


def pass_of(place: Place, loop: Loop) -> int | None:
    """The pass of a loop that a place is in; None outside of it."""
    if len(place) < len(loop):
        return None
    for (header, _), own in zip(place, loop, strict=False):
        if header != own:
            return None
    return place[len(loop) - 1][1]

"""Which variables one round passes on to the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence, Set
from itertools import pairwise
from types import CodeType
from typing import TypeAlias

from torch import Tensor

from lstmtui.capture.equality import equal
from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.code.assignments import reads_item
from lstmtui.capture.source.code.containers import kept_in
from lstmtui.capture.source.code.reading_order import accesses, reads_first, reads_key_first
from lstmtui.capture.source.layers.series import Series, fullest_round, key_of
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.source.tracing.attributes import is_item

_KEY = re.compile(r"\['(\w+)'\]$")
"""Of an item of a dict."""
_LEAST = 3
"""In how many rounds an argument has the numbers of the round before, until that is no chance."""


def carried_by(series: Sequence[Series], run: Run) -> dict[Series, list[Series]]:
    """For each series those to which the next round binds the same tensor, or which it reads under its name.

    The tensor that a name has at the end of a round goes on where the next round binds the very same object
    to a name, where its code reads the name before it binds it anew, and where an argument of the next round
    has the same numbers in every round (a state that was stacked and taken apart in between).
    """
    last = {(part.code, part.written): part.first.call for part in series if not part.place and part.rounds}
    # What a function bound that is called again in the round is overwritten by no other call.
    ends = [
        part
        for part in series
        if part.rounds and not (part.place and last.get((part.code, part.written)) is part.first.call)
    ]
    times = Counter([binding.identity for part in series for own in part.rounds for binding in own])
    several = {identity for identity, count in times.items() if count > 1}
    bound = _by_identity(series, [n for n, own in enumerate(run.rounds) if own], several)
    carried: dict[Series, list[Series]] = {}
    for part in ends:
        is_among = not several.isdisjoint([own[-1].identity for own in part.rounds if own])
        targets = _going_on(part, bound) if is_among else []
        if not targets and is_read_first(part, run):
            targets = [part]
        if targets:
            carried[part] = targets
    taken = {other for targets in carried.values() for other in targets}
    free = [other for other in series if other.rounds and other not in taken]
    for part in ends:
        if part not in carried and not part.place:
            same = [other for other in free if _has_same_numbers(part, other)]
            carried |= {part: [min(same, key=lambda other: other.first.order)]} if same else {}
    return {part: _outermost(targets, run) for part, targets in _once(carried, run).items()}


Bound: TypeAlias = dict[int, dict[int, list[Series]]]
"""For each round that binds anything which names it binds to each tensor that is bound several times."""


def _by_identity(series: Sequence[Series], rounds: Sequence[int], several: Set[int]) -> Bound:
    bound: Bound = {number: {} for number in rounds}
    for part in series if several else ():
        for number, names in bound.items():
            for binding in part.rounds[number]:
                if binding.identity in several:
                    names.setdefault(binding.identity, []).append(part)
    return bound


def _going_on(part: Series, bound: Bound) -> list[Series]:
    """The names that the next round binds to the tensor at the end of a round, and that round does not."""
    targets: dict[Series, int] = {}
    lasting: set[Series] = set()
    identities = set()
    for (number, names), following in zip(bound.items(), [*bound.values()][1:], strict=False):
        if own := part.rounds[number]:
            identity = own[-1].identity
            identities.add(identity)
            lasting.update(names.get(identity, ()))
            for other in following.get(identity, ()):
                targets[other] = targets.get(other, 0) + 1
    # A tensor that is bound in round after round is a constant.
    return [other for other, times in targets.items() if other not in lasting and times <= len(identities)]


def _once(carried: dict[Series, list[Series]], run: Run) -> dict[Series, list[Series]]:
    """Each tensor under one name: the last of the run's own function, where that has any."""
    names: dict[int, Series] = {}
    for part in carried:
        last = next(own[-1].identity for own in reversed(part.rounds) if own)
        other = names.get(last)
        if other is None or part.code is run.call.code or other.code is not run.call.code:
            names[last] = part
    return {part: carried[part] for part in names.values()}


def _outermost(targets: list[Series], run: Run) -> list[Series]:
    """Those of the run's own function where there are any: others are handed them from there."""
    return [part for part in targets if part.code is run.call.code] or targets


def initial_of(target: Series, run: Run) -> Binding | None:
    """What a carried state was before the first round; None where nothing has bound it."""
    first = target.rounds[0]
    if target.line == 0 and first:
        return first[0]
    before = [b for b in run.before() if key_of(run, b) == (target.code, target.written)]
    if before:
        return before[-1]
    return first[0] if first and not is_read_first(target, run) else None


def _has_same_numbers(part: Series, other: Series) -> bool:
    """Whether a name has, in every round, the numbers that another had at the end of the round before."""
    if part is other or len(part.rounds) < _LEAST:
        return False
    numbers: list[Tensor] = []
    # The last rounds first: most others are told from these.
    for own, following in zip(reversed(part.rounds[:-1]), reversed(other.rounds[1:]), strict=True):
        if own and following:
            value = own[-1].value
            if not value.is_floating_point() or not equal(value, following[0].value):
                return False
            numbers.append(value)
    is_constant = all(equal(a, b) for a, b in pairwise(numbers))
    return len(numbers) >= _LEAST - 1 and not is_constant


def is_read_first(part: Series, run: Run) -> bool:
    """Whether a round reads a name before it binds it: a loop's variable, or an attribute."""
    if not part.line:
        return False  # what an argument has is handed on by whoever calls
    is_attribute, key = "." in part.written, _KEY.search(part.written)
    code, calls = part.first.call.code, _calls_of(part)
    are_gone = not run.passes or len(calls) > max(1, len(run.stretches))
    # An attribute may be called as a local is.
    outer = {*code.co_freevars, *code.co_names}.difference(code.co_varnames, code.co_cellvars)
    if not (is_attribute or key or part.written in outer) and are_gone:
        return False  # the locals of a call are gone with it
    # Rounds of other lines, as those of a condition, may have another number of bindings.
    rounds = {len(own): own for own in (*run.rounds[1:], fullest_round(run))}
    bound = ({b.line for b in own if b.call.code is code and b.line} for own in rounds.values())
    between = [run.lines_between(calls, own) for own in bound if own]
    tensors = {b.name for own in rounds.values() for b in own}
    names = (part.written, *(kept_in(code).get(part.written, frozenset()) - tensors))
    return any(_is_read_first(code, name, lines) for name in names for lines in between)


def _calls_of(part: Series) -> list[Call]:
    calls = {binding.call.number: binding.call for own in part.rounds for binding in own}
    return [*calls.values()]


def _is_read_first(code: CodeType, written: str, lines: Collection[int]) -> bool:
    """Whether these lines of a function read a name, an attribute or an item before they bind it."""
    if is_item(written):
        if reads_item(code, written, lines):
            return True
        kinds = [*accesses(code, written.rpartition("[")[0], lines, attribute=False)]
        return kinds[:1] == ["LOAD"] and "STORE" in kinds  # all of a tuple is handed on
    key = _KEY.search(written)
    base = written if key is None else written[: key.start()]
    if key is not None and (is_read := reads_key_first(code, key[1], lines)) is not None:
        return is_read
    is_attribute, name = "." in base, base.rpartition(".")[2]  # or the dict is handed on as a whole
    return reads_first(code, name, lines, attribute=is_attribute)

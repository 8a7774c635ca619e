"""The stops of `into` in a run: what rounds bind, what functions return, and which rounds come to which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import CodeType
from typing import NamedTuple, TypeAlias

import numpy as np

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.layers.returns import Returns
from lstmtui.capture.source.layers.series import Series, fullest_round
from lstmtui.capture.source.runs.run import Run
from lstmtui.trace.order import NEVER
from lstmtui.trace.source import PassedOver, Stage

_MOST = 1 << 18
"""Numbers of stages passed over; of more, inner steps past those of a round are left out."""
Key: TypeAlias = tuple[Stage, tuple[int, ...]]
"""A stage, and the lines of the calls from the run's own function down to it."""


class _Stop(NamedTuple):
    """What binds a name in a round, or returns what one is bound to."""

    order: int
    key: Key
    binding: Binding


class Stages(NamedTuple):
    """The stops of `into` in a run."""

    stages: tuple[Stage, ...]
    passed_over: tuple[PassedOver, ...]
    """Which of them rounds do not come to."""
    order: Array
    """(stages, T): the orders of what each round binds there; NEVER where it does not come there."""


def stages_of(
    run: Run, steps: int, shown: Sequence[Series], returns: Returns, numbers: Mapping[CodeType, int]
) -> Stages:
    """The bindings of all rounds as one order of stages, and which of them rounds pass over.

    Before what binds a name to what a function has returned, that has a stage of its own. The order is that
    of the fullest round, between what is bound before and after all rounds. What other rounds come to
    besides, as in another branch of an if, stands behind what they have come to before it.

    Args:
        run: whose they are.
        steps: how many rounds it has.
        shown: the names.
        returns: what functions have returned that these are bound to.
        numbers: of the functions.
    """
    rounds = _Rounds(run, returns, numbers)
    in_rounds = [part for part in shown if part.whole is None]
    whole = [part for part in shown if part.whole is not None]
    fullest = fullest_round(run)
    number = next((n for n, own in enumerate(run.rounds) if own is fullest), 0)
    outside = rounds.outside(whole)
    keys = _in_order([*rounds.stops(number, in_rounds), *outside])
    names = {(part.code, part.written) for part in in_rounds if rounds.vary(part)}
    # Where one place of a name varies, what it is in the end does.
    varying = [part for part in in_rounds if (part.code, part.written) in names]
    come_to = []
    for n in range(len(run.rounds)) if varying else ():
        own = rounds.stops(n, varying)
        if not {stop.key for stop in own}.issubset(keys):
            _insert(keys, _in_order(rounds.stops(n, in_rounds)))
        come_to.append(own)
    counts = {part.name: [*map(len, part.rounds)] for part in varying}
    of_varying = {key: n for n, key in enumerate(keys) if key[0].variable in counts}
    entries = [_entry(number, own, of_varying) for number, own in enumerate(come_to)]
    if sum(len(entry.stages) for entry in entries) > _MOST:
        inner = {n: (stage.variable, stage.inner_step) for (stage, _), n in of_varying.items()}
        entries = [_without_inner_steps(entry, inner, counts) for entry in entries]
    order = _Order(keys, steps)
    for part in whole:
        order.add_whole(part, rounds.outside([part]))
    for part in in_rounds:
        if (part.code, part.written) not in names:
            order.add_alike(part, rounds.stops(number, [part]))
    for n, stops in enumerate(come_to):
        order.add(n, stops)
    return Stages(tuple(stage for stage, _ in keys), _by_start(entries), order.numbers)


class _Order:
    """When each round came to each stage.

    Args:
        keys: of the stages.
        steps: how many rounds there are.
    """

    def __init__(self, keys: Sequence[Key], steps: int) -> None:
        self._at = {key: n for n, key in enumerate(keys)}
        self.numbers = np.full((len(keys), steps), NEVER, dtype=np.int64)

    def add(self, number: int, stops: Iterable[_Stop]) -> None:
        """What one round came to."""
        for stop in stops:
            self.numbers[self._at[stop.key], number] = stop.order

    def add_alike(self, part: Series, stops: Sequence[_Stop]) -> None:
        """A name that all rounds bind as often and at the same stages, which are those of one of them."""
        for step, stop in enumerate(stops):
            orders = [own[step].order for own in part.rounds]
            self.numbers[self._at[stop.key], : len(orders)] = orders

    def add_whole(self, part: Series, stops: Iterable[_Stop]) -> None:
        """What is bound to all timesteps at once, or in each of several calls to those of it."""
        pieces = part.pieces or [(part.first, self.numbers.shape[1])]
        counts = [steps for _, steps in pieces]
        for stop in stops:
            own = stop.order - stop.binding.order
            self.numbers[self._at[stop.key], : sum(counts)] = np.repeat(
                [binding.order + own for binding, _ in pieces], counts
            )


class _Rounds:
    """What rounds bind, as stages.

    Args:
        run: whose rounds they are.
        returns: what functions have returned that names are bound to.
        numbers: of the functions.
    """

    def __init__(self, run: Run, returns: Returns, numbers: Mapping[CodeType, int]) -> None:
        self._own, self._returns = run.call, returns
        self._numbers = numbers
        self._by_id: dict[int, int] = {}  # to hash a code takes long
        self._has_inner: dict[Series, bool] = {}
        self._sites: dict[int, tuple[int, ...]] = {}

    def stops(self, number: int, parts: Iterable[Series]) -> list[_Stop]:
        """What a round binds some names to."""
        return [stop for part in parts for stop in self._of(part, part.rounds[number])]

    def outside(self, parts: Iterable[Series]) -> list[_Stop]:
        """The same of names that are bound outside of the rounds."""
        return [stop for part in parts for stop in self._of(part, [part.first])]

    def vary(self, part: Series) -> bool:
        """Whether rounds may bind a name at several lines, or do not all bind it as often."""
        bindings = part.bindings
        if len(set(map(len, part.rounds))) > 1 or len({b.line for b in bindings}) > 1:
            return True
        calls = {b.call.number: b.call for b in bindings}
        places = {(id(call.code), self._site(call)) for call in calls.values()}
        return len(places) > 1 or (bool(self._returns) and any(id(b) in self._returns for b in bindings))

    def _of(self, part: Series, own: Sequence[Binding]) -> list[_Stop]:
        if part not in self._has_inner:
            self._has_inner[part] = any(len(bindings) > 1 for bindings in part.rounds)
        stops = []
        for step, binding in enumerate(own):
            for here in (*self._returns.get(id(binding), ()), binding):
                site = self._site(here.call)
                inner = step if self._has_inner[part] else -1
                function = self._function(here.call.code)
                stage = Stage(part.name, function, here.line, len(site), inner, here is not binding)
                stops.append(_Stop(here.order, (stage, site), here))
        return stops

    def _function(self, code: CodeType) -> int:
        """The number of a function; those of a file that was loaded twice are equal, and one."""
        if id(code) not in self._by_id:
            self._by_id[id(code)] = self._numbers[code]
        return self._by_id[id(code)]

    def _site(self, call: Call) -> tuple[int, ...]:
        """The lines of the calls from the run's own function, or the forward of a module, down to a call."""
        site = self._sites.get(call.number)
        if site is None:
            is_own = call.code is self._own.code or call.module is not None or call.caller is None
            site = () if is_own or call.caller is None else (*self._site(call.caller), call.line)
            self._sites[call.number] = site
        return site


def _in_order(stops: Iterable[_Stop]) -> list[Key]:
    return list(dict.fromkeys(stop.key for stop in sorted(stops, key=itemgetter(0))))


def _insert(keys: list[Key], others: Sequence[Key]) -> None:
    """Put the stages of another round among those there are.

    Each that is new comes behind the one before it, and where no round has told its place among those that
    follow there, behind those of lines before its own.
    """
    at = 0
    known = {key: n for n, key in enumerate(others) if key in keys}
    for n, key in enumerate(others):
        if key in known:
            at = keys.index(key) + 1
        else:
            following = min((keys.index(own) for own, m in known.items() if m > n), default=len(keys))
            while at < following and _own_line(keys[at]) < _own_line(key):
                at += 1
            keys.insert(at, key)
            at += 1


def _own_line(key: Key) -> int:
    """The line of the run's own function that a stage is at, or in a call from."""
    stage, site = key
    return site[0] if site else stage.line


def _entry(number: int, own: Sequence[_Stop], varying: Mapping[Key, int]) -> PassedOver:
    """What a round passes over of the stages that vary, and which of them are one binding."""
    here = {varying[stop.key] for stop in own}
    first: dict[int, int] = {}
    for stop in sorted(own, key=lambda stop: varying[stop.key]):
        first.setdefault(id(stop.binding), varying[stop.key])
    again = sorted(here - {*first.values()})
    return PassedOver(number, tuple(n for n in varying.values() if n not in here), tuple(again))


def _without_inner_steps(
    entry: PassedOver, inner: Mapping[int, tuple[str, int]], counts: Mapping[str, Sequence[int]]
) -> PassedOver:
    """The same without those past the inner steps that a round has."""
    kept = [n for n in entry.stages if not 0 < counts[inner[n][0]][entry.start] <= inner[n][1]]
    return PassedOver(entry.start, tuple(kept), entry.again)


def _by_start(entries: Sequence[PassedOver]) -> tuple[PassedOver, ...]:
    """Those from which on other stages are passed over than before; none where none ever is."""
    facts = [(entry.stages, entry.again) for entry in entries]
    starts = [n for n, own in enumerate(facts) if n == 0 or own != facts[n - 1]]
    return tuple(entries[n] for n in starts) if any(any(own) for own in facts) else ()

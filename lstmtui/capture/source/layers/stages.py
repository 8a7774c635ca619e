"""The stops of `into` in a run: what rounds bind, what functions return, and which rounds come to which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import CodeType

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.layers.returns import Returns
from lstmtui.capture.source.layers.series import Series, fullest_round
from lstmtui.capture.source.runs.run import Run
from lstmtui.trace.source import PassedOver, Stage


def stages_of(
    run: Run, shown: Sequence[Series], returns: Returns, numbers: Mapping[CodeType, int]
) -> tuple[tuple[Stage, ...], tuple[PassedOver, ...]]:
    """The bindings of all rounds as one order of stages, and which of them rounds pass over.

    Before what binds a name to what a function has returned, that has a stage of its own. The order is that
    of the fullest round, between what is bound before and after all rounds. What other rounds come to
    besides, as in another branch of an if, stands behind what they have come to before it.

    Args:
        run: whose they are.
        shown: the names.
        returns: what functions have returned that these are bound to.
        numbers: of the functions.
    """
    rounds = _Rounds(run, returns, numbers)
    in_rounds = [part for part in shown if part.whole is None]
    fullest = fullest_round(run)
    number = next((n for n, own in enumerate(run.rounds) if own is fullest), 0)
    first = rounds.stops(number, in_rounds) + rounds.outside(part for part in shown if part.whole is not None)
    stages = _in_order(first)
    varying = [part for part in in_rounds if rounds.vary(part)]
    if not varying:
        return tuple(stages), ()
    come_to = []
    for n in range(len(run.rounds)):
        own = {stage for _, stage in rounds.stops(n, varying)}
        if not own.issubset(stages):
            _insert(stages, _in_order(rounds.stops(n, in_rounds)))
        come_to.append(own)
    by_name = {part.name: part for part in varying}
    of_varying = [(n, s, by_name[s.variable]) for n, s in enumerate(stages) if s.variable in by_name]
    return tuple(stages), _by_start(
        [
            tuple(n for n, s, part in of_varying if s not in own and _may_be_of(s, part.rounds[number]))
            for number, own in enumerate(come_to)
        ]
    )


class _Rounds:
    """What rounds bind, as stages.

    Args:
        run: whose rounds they are.
        returns: what functions have returned that names are bound to.
        numbers: of the functions.
    """

    def __init__(self, run: Run, returns: Returns, numbers: Mapping[CodeType, int]) -> None:
        self._run, self._returns = run, returns
        self._numbers = {id(code): number for code, number in numbers.items()}  # to hash a code takes long
        self._inner: dict[Series, bool] = {}

    def stops(self, number: int, parts: Iterable[Series]) -> list[tuple[int, Stage]]:
        """What a round binds some names to: stages, each with its place in the order of all bindings."""
        return [stop for part in parts for stop in self._of(part, part.rounds[number])]

    def outside(self, parts: Iterable[Series]) -> list[tuple[int, Stage]]:
        """The same of names that are bound outside of the rounds."""
        return [stop for part in parts for stop in self._of(part, [part.first])]

    def vary(self, part: Series) -> bool:
        """Whether rounds may bind a name at several lines, or do not all bind it as often."""
        if len(set(map(len, part.rounds))) > 1:
            return True
        bindings = part.bindings
        places = {(b.line, id(b.call.code)) for b in bindings}
        is_own = all(b.call is self._run.call for b in bindings)
        depths = {0} if is_own else {b.call.depth_below(self._run.call.code) for b in bindings}
        is_returned = bool(self._returns) and any(id(b) in self._returns for b in bindings)
        # Inner steps are stages of their own, and may be of several lines in the same way in each round.
        return len(places) > 1 or len(depths) > 1 or is_returned

    def _of(self, part: Series, own: Sequence[Binding]) -> list[tuple[int, Stage]]:
        if part not in self._inner:
            self._inner[part] = any(len(bindings) > 1 for bindings in part.rounds)
        return [
            (
                here.order,
                Stage(
                    part.name,
                    self._numbers[id(here.call.code)],
                    here.line,
                    here.call.depth_below(self._run.call.code),
                    step if self._inner[part] else -1,
                    here is not binding,
                ),
            )
            for step, binding in enumerate(own)
            for here in (*self._returns.get(id(binding), ()), binding)
        ]


def _in_order(stops: list[tuple[int, Stage]]) -> list[Stage]:
    return list(dict.fromkeys(stage for _, stage in sorted(stops, key=lambda stop: stop[0])))


def _insert(stages: list[Stage], others: Sequence[Stage]) -> None:
    """Put the stages of another round among those there are, each that is new behind the one before it."""
    at = 0
    for stage in others:
        if stage in stages:
            at = stages.index(stage) + 1
        else:
            stages.insert(at, stage)
            at += 1


def _may_be_of(stage: Stage, bound: Sequence[Binding]) -> bool:
    """Whether a stage is none of inner steps past those of a round, which the number of these tells."""
    return not bound or stage.inner_step < len(bound)


def _by_start(rounds: Sequence[tuple[int, ...]]) -> tuple[PassedOver, ...]:
    """The rounds from which on other stages are passed over than before; none where none ever is."""
    starts = [n for n, own in enumerate(rounds) if n == 0 or own != rounds[n - 1]]
    return tuple(PassedOver(n, rounds[n]) for n in starts) if any(rounds) else ()

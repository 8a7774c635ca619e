"""The bindings of a run, put together by name: what each name was bound to in each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from types import CodeType
from typing import TypeAlias

import torch

from lstmtui.capture.source.bindings import RETURNED, Binding, Call
from lstmtui.capture.source.complex_numbers import real_parts
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.source.tracing.rows import block_of

_LEAST = 512
"""Numbers of a tensor, from which on a view of it takes less memory."""
Key: TypeAlias = tuple[CodeType, str]
"""A name of a function."""


@dataclass(eq=False)
class Series:
    """One name over the rounds: all that it was bound to, or at one of several places in a round."""

    code: CodeType
    """Whose name it is."""
    written: str
    """The name as the source writes it."""
    place: int
    """Which of the places of a round that bind the name, from 1; 0: what it is in the end."""
    line: int
    rounds: list[list[Binding]]
    """What each round bound, in order: several where a loop of its own does. Empty: the round did not."""
    whole: Binding | None = None
    """In place of rounds: a tensor that may be of all timesteps."""
    pieces: Sequence[tuple[Binding, int]] = ()
    """Of calls that go on from one another: the tensor of each, with how many timesteps the call has."""
    name: str = ""
    """The quantity."""
    units: frozenset[int] = frozenset()
    """The axes of its tensors that are known to be units."""
    is_complex: bool = False
    """Whether its last axis is the real and the imaginary parts of complex numbers."""
    block: torch.Tensor | None = field(default=None, init=False)
    """The values of all rounds, (T, …), where each binds it once, to a tensor of its own."""

    def show_complex(self) -> None:
        """Have each complex number as its real and its imaginary part, along an axis behind all others."""
        self.is_complex = any(binding.value.is_complex() for binding in self.bindings)
        if self.is_complex:
            for binding in self.bindings:
                binding.value = real_parts(binding.value)

    def gather(self) -> None:
        """Have the values in one tensor where they are side by side or take more memory than their places."""
        bindings = self.bindings
        is_once = self.whole is None and all(len(own) == 1 for own in self.rounds)
        if not is_once or len({binding.identity for binding in bindings}) < len(bindings):
            return
        values = [binding.value for binding in bindings]
        self.block = block_of(values)
        if self.block is not None:
            self.kinds = frozenset({(values[0].shape, values[0].dtype, values[0].device)})
        elif len(self.kinds) == 1 and values[0].numel() >= _LEAST:
            self.block = torch.stack(values)
            for binding, row in zip(bindings, self.block.unbind(), strict=True):
                binding.value = row

    @cached_property
    def bindings(self) -> list[Binding]:
        """All of them."""
        if self.pieces:
            return [binding for binding, _ in self.pieces]
        return [*chain.from_iterable(self.rounds)] if self.whole is None else [self.whole]

    @cached_property
    def kinds(self) -> frozenset[tuple[torch.Size, torch.dtype, torch.device]]:
        """The shapes, dtypes and devices of what it was bound to."""
        values = [binding.value for binding in self.bindings]
        return frozenset(
            zip([v.shape for v in values], [v.dtype for v in values], [v.device for v in values], strict=True)
        )

    @property
    def is_returned(self) -> bool:
        """Whether it is what the function returns, which it has no name for."""
        return self.written.startswith(RETURNED)

    @property
    def first(self) -> Binding:
        """The first of them."""
        return self.whole or next(own[0] for own in self.rounds if own)

    @property
    def last(self) -> Binding:
        """The last of them."""
        return self.whole or next(own[-1] for own in reversed(self.rounds) if own)


Site: TypeAlias = tuple[int, ...]
"""The lines of the calls from the run's own function down to what binds a name, and the line that does."""


class _Sites:
    """Where each binding of a run is."""

    def __init__(self, run: Run) -> None:
        self._own = run.call
        self._calls: dict[int, Site] = {}

    def of(self, binding: Binding) -> Site:
        return (*self._of_call(binding.call), binding.line)

    def are_one(self, rounds: Sequence[Sequence[Binding]]) -> bool:
        """Whether all are at one line of the run's own function, which most names are."""
        own = self._own.code
        lines = {b.line if b.call.code is own else -1 for bindings in rounds for b in bindings}
        return len(lines) == 1 and -1 not in lines

    def _of_call(self, call: Call) -> Site:
        if call.number not in self._calls:
            caller = None if call.code is self._own.code or call.module is not None else call.caller
            self._calls[call.number] = () if caller is None else (*self._of_call(caller), call.line)
        return self._calls[call.number]


def series_of(run: Run) -> list[Series]:
    """Every name of the rounds of a run, once for each of several places that bind it."""
    by_key: dict[Key, list[list[Binding]]] = {}
    by_code: dict[int, dict[str, list[list[Binding]]]] = {}  # to hash a code object takes long
    none: list[Binding] = []
    call = None
    for number, bindings in enumerate(run.rounds):
        for binding in bindings:
            if binding.call is not call:
                call = binding.call
                by_name = by_code.setdefault(id(call.code), {})
            rounds = by_name.get(binding.name)
            if rounds is None:
                rounds = by_key.setdefault(key_of(run, binding), [none] * len(run.rounds))
                by_name[binding.name] = rounds
            if rounds[number]:
                rounds[number].append(binding)
            else:
                rounds[number] = [binding]
    sites = _Sites(run)
    return [part for key, rounds in by_key.items() for part in _of_name(key, rounds, sites)]


def key_of(run: Run, binding: Binding) -> Key:
    """A name of a function; the attributes of a module are the same in all of its functions."""
    is_attribute = binding.name.startswith("self.")
    return (run.call.code if is_attribute else binding.call.code), binding.name


def outside_of(run: Run) -> list[Series]:
    """What is bound outside of the rounds, each place once, with its last value there.

    Where calls go on from one another, it is what each of them has bound there.
    """
    places: dict[tuple[Key, int], dict[int, Binding]] = {}
    for binding in run.outside:
        # By the stretch, as functions that are called before or after the rounds are other calls in each.
        stretch = run.stretch_of(binding)
        places.setdefault((key_of(run, binding), binding.line), {})[stretch] = binding
    by_name: dict[Key, list[list[Binding]]] = {}
    for (key, _), each in places.items():
        by_name.setdefault(key, []).append([*each.values()])
    return [
        _whole(run, key, number if number < len(own) else 0, each)
        for key, own in by_name.items()
        for number, each in enumerate(own, start=1)
    ]


def _whole(run: Run, key: Key, place: int, bindings: Sequence[Binding]) -> Series:
    """What is bound at one place outside of the rounds: its last value, or that of each call."""
    pieces = _pieces(run, bindings)
    return Series(*key, place, bindings[-1].line, [], bindings[0 if pieces else -1], pieces)


def _pieces(run: Run, bindings: Sequence[Binding]) -> list[tuple[Binding, int]]:
    is_of_each = len(bindings) == len(run.stretches) and len({b.identity for b in bindings}) > 1
    rounds = [rounds for _, rounds in run.stretches]
    return [*zip(bindings, rounds, strict=True)] if is_of_each else []


def _of_name(key: Key, rounds: list[list[Binding]], sites: _Sites) -> list[Series]:
    if sites.are_one(rounds):
        return [Series(*key, 0, _line(rounds), rounds)]
    places = _places([{sites.of(binding) for binding in own} for own in rounds])
    numbered = [[(places[sites.of(b)], b) for b in own] for own in rounds]
    fullest = max(numbered, key=lambda own: len({place for place, _ in own}))
    last = {place: n for n, (place, _) in enumerate(fullest)}
    order = sorted(set(places.values()), key=lambda place: last.get(place, -1))
    # The last place has the plain name, and one of its own too where another one ends a round that has both.
    is_past = any(own and own[-1][0] != order[-1] and order[-1] in dict(own) for own in numbered)
    parts = []
    for number, place in enumerate(order if is_past else order[:-1], start=1):
        own = [[b for p, b in bindings if p == place] for bindings in numbered]
        parts.append(Series(*key, number, _line(own), own))
    # What the name is in the end, also where a condition passes over the last place.
    ends = [[b for p, b in bindings if p == bindings[-1][0]] for bindings in numbered]
    own = [[b for p, b in bindings if p == order[-1]] for bindings in numbered]
    return [*parts, Series(*key, 0, _line(own), ends)]


def _line(rounds: Sequence[Sequence[Binding]]) -> int:
    return next(own[0].line for own in rounds if own)


def _places(rounds: Sequence[set[Site]]) -> dict[Site, int]:
    """Lines of which at most one runs in a round, as in the branches of an if, are one place."""
    together: dict[Site, set[Site]] = {}
    for sites in rounds:
        for site in sites:
            together.setdefault(site, set()).update(sites - {site})
    places: list[set[Site]] = []
    for site in sorted(together):
        free = next((own for own in places if not own & together[site]), None)
        if free is None:
            places.append({site})
        else:
            free.add(site)
    return {site: number for number, own in enumerate(places) for site in own}


def fullest_round(run: Run) -> list[Binding]:
    """The round with the most bindings, the first of those."""
    return max(run.rounds, key=len, default=[])


def in_order(series: Sequence[Series], run: Run) -> list[Series]:
    """In the order in which the fullest round binds them last, with what is bound before and after it."""
    fullest = fullest_round(run)
    number = next((n for n, own in enumerate(run.rounds) if own is fullest), -1)

    def order(part: Series) -> int:
        own = part.rounds[number] if part.rounds else []
        return max((binding.order for binding in own), default=part.first.order)

    placed = sorted((part for part in series if not part.rounds or part.rounds[number]), key=order)
    for part in series:
        if part not in placed:
            # What that round does not bind, as the code has it in another branch, is by its line.
            before = [
                n for n, p in enumerate(placed) if p.code is part.code and p.line <= part.line and p.rounds
            ]
            placed.insert(before[-1] + 1 if before else 0 if not part.line else len(placed), part)
    return placed

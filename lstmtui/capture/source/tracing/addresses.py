"""Where in a run a name is bound, in a form that is valid for another run of the same code."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from lstmtui.capture.source.bindings import Call, Passes

Address: TypeAlias = int
"""Of a binding: the same in each run for the same name, line and pass of the same call."""


class Addresses:
    """Numbers for the places of runs. What one call does differently moves no place of another call."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], Address] = {}
        self.begin()

    def begin(self) -> None:
        """Another run begins."""
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._calls: dict[int, Address] = {}

    def of(self, call: Call, name: str, line: int, passes: Passes) -> Address:
        """The place of the next binding; it is to be asked of every one, in order."""
        return self._next((self._of_call(call), name, line, passes))

    def _of_call(self, call: Call) -> Address:
        number = self._calls.get(call.number)
        if number is None:
            caller = -1 if call.caller is None else self._of_call(call.caller)
            place = caller, id(call.code), id(call.module), call.line, call.passes
            number = self._calls[call.number] = self._next(place)
        return number

    def _next(self, place: tuple[object, ...]) -> Address:
        count = self._counts[place]
        self._counts[place] += 1
        return self._numbers.setdefault((*place, count), len(self._numbers))

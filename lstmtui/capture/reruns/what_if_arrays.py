"""The arrays of a what-if run: values at once, derivatives when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from lstmtui.arrays import Array, read_only


class WhatIfArrays(Mapping[str, Array]):
    """Arrays by key, as in `Trace.arrays`.

    Args:
        values: what is known.
        promised: the keys that `derive` gives.
        derive: works out the rest; called once, when one of the promised arrays is first asked for.
    """

    def __init__(
        self,
        values: Mapping[str, Array],
        promised: frozenset[str],
        derive: Callable[[], Mapping[str, Array]],
    ) -> None:
        self._values, self._promised, self._derive = dict(values), promised, derive
        self._keys = dict.fromkeys((*values, *sorted(promised)))
        self._lock = Lock()

    def __getitem__(self, key: str) -> Array:
        if key in self._promised:
            with self._lock:
                if key not in self._values:
                    self._values |= self._derive()
        return read_only(self._values[key])

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

"""Arrays that are made when they are first read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from lstmtui.arrays import Array, read_only

Entry = Array | Callable[[], Array]
"""An array, or what makes it; whoever makes one that is asked for twice keeps it."""


class DeferredArrays(Mapping[str, Array]):
    """Arrays by key, as in `Trace.arrays`.

    Args:
        entries: by key.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, key: str) -> Array:
        entry = self._entries[key]
        if callable(entry):
            self._entries[key] = entry = entry()
        return read_only(entry)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> dict[str, Entry]:
        """Arrays that were read as they are, the others as the functions that make them."""
        return dict(self._entries)


def entries_of(arrays: Mapping[str, Array]) -> Mapping[str, Entry]:
    """The arrays of a trace, without looking at those that are yet to be made."""
    return arrays.entries() if isinstance(arrays, DeferredArrays) else arrays


def arrays_of(entries: Mapping[str, Entry]) -> Mapping[str, Array]:
    """The arrays that entries stand for."""
    if any(callable(entry) for entry in entries.values()):
        return DeferredArrays(entries)
    return {key: entry for key, entry in entries.items() if not callable(entry)}


def changed(change: Callable[..., Array], *entries: Entry) -> Entry:
    """An entry made of others: at once where they are arrays, else when it is first read, and then kept."""

    def make() -> Array:
        return change(*(entry() if callable(entry) else entry for entry in entries))

    return cache(make) if any(callable(entry) for entry in entries) else make()

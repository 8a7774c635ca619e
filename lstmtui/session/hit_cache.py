"""Caches the hits of pages, so that a ruler costs nothing while its page stays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary, ref

from lstmtui.trace import Trace

Hits = tuple[int, ...]
Pages = OrderedDict[Hashable, Hits]

MOST_PAGES = 256
"""For each trace; the page that was shown longest ago goes first."""


class HitCache:
    """Hits by trace and page; a trace never changes, so its hits stay valid."""

    def __init__(self) -> None:
        self._pages: WeakKeyDictionary[Trace, Pages] = WeakKeyDictionary()

    def get(self, trace: Trace, baseline: Trace | None, key: Hashable, compute: Callable[[], Hits]) -> Hits:
        """The hits of a page, found now if they have not been found before.

        Args:
            trace: the run.
            baseline: what `base(…)` reads, if anything.
            key: the condition, the place and the page.
            compute: finds the hits.
        """
        pages = self._pages.setdefault(trace, OrderedDict())
        full = (None if baseline is None else ref(baseline), key)
        if full not in pages:
            pages[full] = compute()
            if len(pages) > MOST_PAGES:
                pages.popitem(last=False)
        pages.move_to_end(full)
        return pages[full]

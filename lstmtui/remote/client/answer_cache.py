"""The replies to earlier requests, as many as fit into a bound of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from msgspec import Struct

MEMORY = 64 << 20
"""Bytes."""
_OVERHEAD = 64
"""Bytes that a value takes besides what it holds."""


@dataclass(frozen=True, eq=False)
class Reply:
    """The reply to a request: an answer, or why there is none."""

    value: Any = None
    error: Exception | None = None

    def unwrap(self) -> Any:
        """The answer; raises the error where there is none."""
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.value


class AnswerCache:
    """Replies by the key of their request; the one that was used longest ago goes first.

    Args:
        memory: bytes at most; the latest reply is kept whatever it takes.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory, self.size = memory, 0
        self._kept: OrderedDict[Hashable, tuple[Reply, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Reply | None:
        """The reply, if it is kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: Hashable, reply: Reply) -> None:
        """Keep a reply."""
        if key in self._kept:
            self.size -= self._kept.pop(key)[1]
        size = 4 * _OVERHEAD + size_of(reply.value)
        self._kept[key] = (reply, size)
        self.size += size
        while self.size > self._memory and len(self._kept) > 1:
            self.size -= self._kept.popitem(last=False)[1][1]


def size_of(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, np.ndarray):
        return _OVERHEAD + int(value.nbytes)
    if isinstance(value, (str, bytes)):
        return _OVERHEAD + len(value)
    if isinstance(value, (tuple, list)):
        return _OVERHEAD + sum(size_of(member) for member in value)
    if isinstance(value, dict):
        return _OVERHEAD + sum(size_of(k) + size_of(v) for k, v in value.items())
    if isinstance(value, Struct):
        return _OVERHEAD + sum(size_of(getattr(value, name)) for name in value.__struct_fields__)
    if is_dataclass(value) and not isinstance(value, type):
        return _OVERHEAD + sum(size_of(getattr(value, f.name)) for f in fields(value))
    return _OVERHEAD

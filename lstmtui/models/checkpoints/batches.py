"""Entries of a dict as they usually stand in a pickle, a thousand at a time. No torch.

A pickle's dict is written in batches of entries. Nearly all of a large state dict are alike, and the opcodes
of one differ in nothing but numbers and names: a pattern takes them apart ten times faster than an unpickler
executes them. A batch with anything else in it is left to the unpickler.
"""

from __future__ import annotations

import mmap
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Self

import numpy as np

_MOST = 1000
"""Entries of a batch that Python's pickler writes."""
_FEWEST = 32
"""Entries of a batch that is worth the look."""
_LONGEST_NAME = 96
GET = rb"(?:h.|j....)"
NUMBER = rb"(?:K.|M..|J...[\0-\x7f])"
PUT = np.dtype([("opcode", "S1"), ("entry", "<u4")])
"""What puts something into the memo."""


class Batch(ABC):
    """Entries of a dict that are alike.

    Args:
        entries: their opcodes.
        high: as of :meth:`at`.

    Raises:
        ValueError: they are not as alike as the pattern says, or a name is no text.
    """

    gets: tuple[bytes, ...]
    """The opcodes that get from the memo what is in it before."""
    memo: tuple[int, int]
    """The lowest and the highest number of the entries of the memo that it would make."""
    entries: Iterable[tuple[str, Any]] = ()
    """Names and values, once what `gets` get was filled in."""

    @abstractmethod
    def __init__(self, entries: bytes, high: int) -> None: ...

    @staticmethod
    @abstractmethod
    def pattern(high: int, group: bytes) -> bytes:
        """The pattern of one entry.

        The first 256 entries of the memo are put by another opcode, and left to the unpickler.

        Args:
            high: as of :meth:`at`.
            group: what a group begins with where entries may differ.
        """

    @classmethod
    def at(cls, content: bytes | mmap.mmap, at: int, limit: int, high: int) -> tuple[Self, int] | None:
        """The batch whose mark stands at a place, and where it ends; None if none does.

        Args:
            content: the pickle.
            at: the place.
            limit: where the pickle must have ended.
            high: of the largest number that an entry of the memo may have, the part above 16 bits, below 256.
        """
        if match := _whole(cls, high).match(content, at, limit):
            with suppress(ValueError):
                return cls(content[at + 1 : match.end() - 1], high), match.end()
        return None

    @classmethod
    def start(cls, high: int) -> bytes:
        """A pattern of what stands after the mark of a batch."""
        return rb"(?:%b){%d}" % (cls.pattern(high, b"(?:"), _FEWEST)

    @classmethod
    def columns(cls, entries: bytes, high: int) -> tuple[tuple[bytes, ...], ...]:
        """What differs between entries, each group of the pattern in all of them."""
        return tuple(zip(*_single(cls, high).findall(entries), strict=True))


@cache
def _whole(kind: type[Batch], high: int) -> re.Pattern[bytes]:
    return re.compile(rb"\((?:%b){%d,%d}+u" % (kind.pattern(high, b"(?:"), _FEWEST, _MOST), re.DOTALL)


@cache
def _single(kind: type[Batch], high: int) -> re.Pattern[bytes]:
    return re.compile(kind.pattern(high, b"("), re.DOTALL)


def put(high: int) -> bytes:
    """A pattern of what puts something into the memo."""
    return rb"r..[\0-\x%02x]\0" % high


def entry_name(high: int, group: bytes) -> bytes:
    """A pattern of an entry's name, and of its being put into the memo."""
    return b"".join((group, short_text(_LONGEST_NAME), b")", group, put(high), b")"))


def short_text(longest: int) -> bytes:
    """A pattern of a text of fewer bytes."""
    lengths = (rb"%b\0\0\0.{%d}" % (re.escape(bytes((count,))), count) for count in range(longest))
    return b"X(?:" + b"|".join(lengths) + b")"


def texts(codes: Iterable[bytes]) -> list[str]:
    """What some opcodes of texts hold.

    Raises:
        ValueError: one is no UTF-8.
    """
    return [code[5:].decode() for code in codes]


def numbers(code: bytes) -> tuple[int, ...]:
    """The whole numbers among some opcodes."""
    return tuple(int.from_bytes(number[1:], "little") for number in re.findall(NUMBER, code, re.DOTALL))

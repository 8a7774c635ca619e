"""The tensors of a state dict as they usually stand in a pickle, a thousand at a time. No torch.

A pickle's dict is written in batches of entries. Nearly all of a large state dict are alike, and the opcodes
of one, some forty, differ in nothing but numbers and names: a pattern takes them apart ten times faster than
an unpickler executes them. A batch with anything else in it is left to the unpickler.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np

from lstmtui.models.checkpoints.archived_tensors import TUPLE, ArchivedTensor

_MOST = 1000
"""Entries of a batch that Python's pickler writes."""
_FEWEST = 32
"""Entries of a batch that is worth the look."""
_LONGEST_NAME, _LONGEST_KEY = 96, 24
_TEXT = ord("X")
_GET = rb"(?:h.|j....)"
_NUMBER = rb"(?:K.|M..|J...[\0-\x7f])"
_SIZES = rb"(?:N\x85|NN\x86|NNN\x87|\)|\(N{4,8}t)".replace(b"N", _NUMBER)
_PUT = np.dtype([("opcode", "S1"), ("entry", "<u4")])
_PUTS = np.dtype([("put0", _PUT), ("t", "S1"), ("put1", _PUT), ("R", "S1"), ("put2", _PUT)])


class Constants(NamedTuple):
    """What the entries of a batch have in common, each by the opcode that gets it from the memo."""

    rebuild: bytes
    """The function that makes a tensor."""
    storage: bytes
    """The word "storage"."""
    device: bytes
    hooks: bytes
    """The class of the tensor's hooks, of which there are none."""


class TensorBatch:
    """Entries of a dict: names and dense tensors.

    Args:
        entries: their opcodes.
        high: as of :func:`batch_at`.

    Raises:
        ValueError: the constants are not the same for all, or a name is no text.
    """

    def __init__(self, entries: bytes, high: int) -> None:
        columns = tuple(zip(*_entry_pattern(high).findall(entries), strict=True))
        names, first, callees, kinds, keys, second, devices, third, *place, hooks, last = columns
        offsets, sizes, fourth, strides, fifth = place
        (callee,), (device,), (hook,) = set(callees), set(devices), set(hooks)
        rebuild, storage = re.findall(_GET, callee, re.DOTALL)
        self.constants = Constants(rebuild, storage, device, hook)
        self._keys = [key[5:].decode() if key[0] == _TEXT else key for key in keys]
        self.gets = tuple({*kinds, *(key for key in self._keys if type(key) is bytes)})
        """The opcodes that get what is not the same for all: kinds of storages, and keys of shared ones."""
        self._names = [name[5:].decode() for name in names]
        self._kinds = kinds
        numbers = {code: _numbers(code) for code in set(offsets) | set(sizes) | set(strides)}
        self._offsets = [numbers[code][0] for code in offsets]
        self._shapes = list(map(numbers.__getitem__, sizes))
        self._strides = list(map(numbers.__getitem__, strides))
        if list(map(len, self._shapes)) != list(map(len, self._strides)):
            raise ValueError("a tensor's shape is not valid")
        single = np.frombuffer(b"".join(chain(first, second, third, fourth, fifth)), _PUT)["entry"]
        triple = np.frombuffer(b"".join(last), _PUTS)
        every = [single, *(triple[part]["entry"] for part in ("put0", "put1", "put2"))]
        self.memo = min(int(part.min()) for part in every), max(int(part.max()) for part in every)
        """The lowest and the highest number of the entries of the memo that it would make."""
        self.entries: Iterable[tuple[str, ArchivedTensor]] = ()
        """Names and tensors, once :meth:`resolve` was called."""

    def __len__(self) -> int:
        return len(self._names)

    def resolve(self, values: Sequence[Any], dtypes: dict[str, str], storages: dict[str, str]) -> None:
        """Fill in what the memo holds.

        Args:
            values: what `gets` get.
            dtypes: by the name of a storage's class.
            storages: the dtype by the key of each storage, as far as they are known; added to.

        Raises:
            ValueError: a value is no text.
        """
        if any(type(value) is not str for value in values):
            raise ValueError("its description has a tensor without numbers")
        texts: dict[Any, str] = dict(zip(self.gets, values, strict=True))
        named = {code: dtypes.get(texts[code], texts[code]) for code in set(self._kinds)}
        keys = [texts[key] if type(key) is bytes else key for key in self._keys]
        kinds = map(storages.setdefault, keys, map(named.__getitem__, self._kinds))
        places = zip(kinds, self._shapes, self._strides, self._offsets, keys, strict=True)
        tensors = map(TUPLE, repeat(ArchivedTensor), places)
        self.entries = zip(self._names, tensors, strict=True)


def batch_at(
    content: bytes | mmap.mmap, at: int, limit: int, high: int
) -> tuple[TensorBatch, int] | tuple[None, int]:
    """The batch whose mark stands at a place, and where it ends; None, and where the mark ends, if none does.

    Args:
        content: the pickle.
        at: the place.
        limit: where the pickle must have ended.
        high: of the largest number that an entry of the memo may have, the part above 16 bits, below 256.
    """
    if match := _batch_pattern(high).match(content, at, limit):
        with suppress(ValueError):
            return TensorBatch(content[at + 1 : match.end() - 1], high), match.end()
    return None, at + 1


def batch_start(high: int) -> bytes:
    """A pattern of what stands after the mark of a batch."""
    return rb"(?:%b){%d}" % (_entry(high, b"(?:"), _FEWEST)


@cache
def _batch_pattern(high: int) -> re.Pattern[bytes]:
    return re.compile(rb"\((?:%b){%d,%d}+u" % (_entry(high, b"(?:"), _FEWEST, _MOST), re.DOTALL)


@cache
def _entry_pattern(high: int) -> re.Pattern[bytes]:
    return re.compile(_entry(high, b"("), re.DOTALL)


def _entry(high: int, group: bytes) -> bytes:
    """The pattern of one entry: its name, and the call of the function that makes the tensor.

    The first 256 entries of the memo are put by another opcode, and left to the unpickler.
    """
    put = rb"r..[\0-\x%02x]\0" % high
    parts = (
        *(group, short_text(_LONGEST_NAME), b")", group, put, b")"),
        # The function, "storage", and the storage's class.
        *(group, _GET, rb"\(\(", _GET, b")", group, _GET, b")"),
        *(group, short_text(_LONGEST_KEY), b"|", _GET, b")", group, b"(?:", put, b")?)"),
        *(group, _GET, b")", _NUMBER, b"N?t", group, put, b")Q"),  # the device, how many numbers there are
        *(group, _NUMBER, b")"),  # where the first one is
        *(group, _SIZES, b")", group, b"(?:", put, b")?)") * 2,
        *(rb"[\x88\x89]", group, _GET, rb")\)R"),
        *(group, put, b"t", put, b"R", put, b")"),
    )
    return b"".join(parts)


def short_text(longest: int) -> bytes:
    """A pattern of a text of fewer bytes."""
    lengths = (rb"%b\0\0\0.{%d}" % (re.escape(bytes((count,))), count) for count in range(longest))
    return b"X(?:" + b"|".join(lengths) + b")"


def _numbers(code: bytes) -> tuple[int, ...]:
    """The whole numbers among some opcodes."""
    return tuple(int.from_bytes(number[1:], "little") for number in re.findall(_NUMBER, code, re.DOTALL))

"""The tensors of a state dict as they usually stand in a pickle. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from lstmtui.models.checkpoints.archived_tensors import TUPLE, ArchivedTensor
from lstmtui.models.checkpoints.batches import (
    GET,
    NUMBER,
    PUT,
    Batch,
    entry_name,
    numbers,
    put,
    short_text,
    texts,
)

_LONGEST_KEY = 24
_TEXT = ord("X")
_SIZES = rb"(?:N\x85|NN\x86|NNN\x87|\)|\(N{4,8}t)".replace(b"N", NUMBER)
_PUTS = np.dtype([("put0", PUT), ("t", "S1"), ("put1", PUT), ("R", "S1"), ("put2", PUT)])


class TensorBatch(Batch):
    """Names and dense tensors.

    Its `gets` get the function that makes a tensor, the word "storage", the device, and the class of the
    tensors' hooks, of which there are none: what all have in common. The further ones get kinds of storages,
    and keys of shared ones.
    """

    def __init__(self, entries: bytes, high: int) -> None:
        columns = self.columns(entries, high)
        names, first, callees, kinds, keys, second, devices, third, *place, hooks, last = columns
        offsets, sizes, fourth, strides, fifth = place
        (callee,), (device,), (hook,) = set(callees), set(devices), set(hooks)
        self._keys: list[Any] = [key[5:].decode() if key[0] == _TEXT else key for key in keys]
        self._own = tuple({*kinds, *(key for key in self._keys if type(key) is bytes)})
        self.gets = (*re.findall(GET, callee, re.DOTALL), device, hook, *self._own)
        self._names = texts(names)
        self._kinds = kinds
        by_code = {code: numbers(code) for code in set(offsets) | set(sizes) | set(strides)}
        self._offsets = [by_code[code][0] for code in offsets]
        self._shapes = list(map(by_code.__getitem__, sizes))
        self._strides = list(map(by_code.__getitem__, strides))
        if list(map(len, self._shapes)) != list(map(len, self._strides)):
            raise ValueError("a tensor's shape is not valid")
        single = np.frombuffer(b"".join(chain(first, second, third, fourth, fifth)), PUT)["entry"]
        triple = np.frombuffer(b"".join(last), _PUTS)
        every = [single, *(triple[part]["entry"] for part in ("put0", "put1", "put2"))]
        self.memo = min(int(part.min()) for part in every), max(int(part.max()) for part in every)

    def __len__(self) -> int:
        return len(self._names)

    def resolve(self, values: Sequence[Any], dtypes: dict[str, str], storages: dict[str, str]) -> None:
        """Fill in what the memo holds.

        Args:
            values: what `gets` get, without what all have in common.
            dtypes: by the name of a storage's class.
            storages: the dtype by the key of each storage, as far as they are known; added to.

        Raises:
            ValueError: a value is no text.
        """
        if any(type(value) is not str for value in values):
            raise ValueError("its description has a tensor without numbers")
        gotten: dict[Any, str] = dict(zip(self._own, values, strict=True))
        named = {code: dtypes.get(gotten[code], gotten[code]) for code in set(self._kinds)}
        keys = [gotten[key] if type(key) is bytes else key for key in self._keys]
        kinds = map(storages.setdefault, keys, map(named.__getitem__, self._kinds))
        places = zip(kinds, self._shapes, self._strides, self._offsets, keys, strict=True)
        tensors = map(TUPLE, repeat(ArchivedTensor), places)
        self.entries = zip(self._names, tensors, strict=True)

    @staticmethod
    def pattern(high: int, group: bytes) -> bytes:
        """The name, and the call of the function that makes the tensor."""
        memo = put(high)
        parts = (
            entry_name(high, group),
            # The function, "storage", and the storage's class.
            *(group, GET, rb"\(\(", GET, b")", group, GET, b")"),
            *(group, short_text(_LONGEST_KEY), b"|", GET, b")", group, b"(?:", memo, b")?)"),
            *(group, GET, b")", NUMBER, b"N?t", group, memo, b")Q"),  # the device, how many numbers there are
            *(group, NUMBER, b")"),  # where the first one is
            *(group, _SIZES, b")", group, b"(?:", memo, b")?)") * 2,
            *(rb"[\x88\x89]", group, GET, rb")\)R"),
            *(group, memo, b"t", memo, b"R", memo, b")"),
        )
        return b"".join(parts)

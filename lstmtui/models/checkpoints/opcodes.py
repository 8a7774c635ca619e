"""The opcodes of a pickle, looked at before any is executed. No torch.

What `torch.save` and TorchScript write is the pickle protocol 2 of Python:
https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

import mmap
import pickletools
import re
from functools import cache
from typing import NamedTuple

from lstmtui.models.checkpoints.batches import Batch, short_text
from lstmtui.models.checkpoints.tensor_batches import TensorBatch
from lstmtui.models.checkpoints.version_batches import VersionBatch

LARGEST_PICKLE = 64 << 20
"""Bytes of a description; the tensors' numbers are elsewhere."""
MOST_OBJECTS = 4 << 20
"""Of what one byte of a description makes, and 50 to 200 bytes of memory hold: tuples, lists, tensors …"""
DICT = ("lstmtui", "dict")
"""The class of what stands for dicts: module and name."""

_ARGUMENTS = {
    1: "BINPUT BINGET BININT1 PROTO",
    0: "POP NONE NEWTRUE NEWFALSE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS "
    "SETITEM SETITEMS REDUCE NEWOBJ BUILD BINPERSID",
    2: "BININT2",
    4: "BININT LONG_BINGET",
    8: "BINFLOAT",
}
"""Opcodes by how many bytes follow them. What is in none of these tables is not executed: some claim any
amount of memory."""
_COUNTED = {"BINUNICODE": 4, "SHORT_BINSTRING": 1, "LONG1": 1}
"""Opcodes that say how many bytes follow, by how many bytes say so."""
_SHORT_TEXT = 96
"""Bytes of text that a pattern goes over, together with the opcodes around it."""
_AT_ONCE = 1000
"""How many opcodes a pattern goes over, so that it takes little memory."""
_CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
_NAMES = {code: name for name, code in _CODES.items()}
_LENGTHS = {_CODES[name]: 1 + count for count, names in _ARGUMENTS.items() for name in names.split()}
_PREFIXES = {_CODES[name]: count for name, count in _COUNTED.items()}
_TOO_MANY = f"its description has more than {MOST_OBJECTS:,} tuples, lists, dicts and tensors"
_MAKERS = b"".join(
    _CODES[name]
    for name in ("EMPTY_LIST", "EMPTY_DICT", "TUPLE1", "TUPLE2", "TUPLE3", "REDUCE", "NEWOBJ", "BINPERSID")
)
_BATCHES: tuple[type[Batch], ...] = (TensorBatch, VersionBatch)
_NEW_DICT = b"c%b\n%b\n)\x81" % tuple(name.encode() for name in DICT)
"""Makes an object of the class `DICT`."""


class UnsafeOpcodeError(ValueError):
    """An opcode that no description of tensors has."""


class Pickle(NamedTuple):
    """A pickle that is safe to execute.

    It has nothing but opcodes that take as much memory as they have bytes, or some times as much. Its dicts
    are objects of the class `DICT`: a dict of Python's would ask any key for its hash, which of tuples within
    tuples takes any amount of time.
    """

    content: bytes
    end: int
    """Where it ends in what it was looked for in."""
    batches: tuple[Batch, ...] = ()
    """What is left out of `content`: each is put there into its dict at once, under None, by a reference to
    (its number in 4 bytes, what it gets …), which no pickle has that is harmless."""


def harmless(content: bytes | mmap.mmap, start: int = 0, is_whole: bool = True) -> Pickle:
    """The pickle that begins at `start`.

    Args:
        content: what it is in.
        start: where.
        is_whole: whether batches stay in it.

    Raises:
        ValueError: it has other opcodes than are safe, is too large, or has no end; a sentence.
    """
    limit = min(len(content), start + LARGEST_PICKLE)
    # The memo takes memory up to the largest number of an entry; each takes six bytes, the first 256 fewer.
    high = ((limit - start) // 6 + 256) >> 16
    pattern = _pattern(high, is_whole)
    parts: list[bytes] = []
    batches: list[Batch] = []
    makers = 0
    copied = at = start
    while at < limit and len(parts) <= 2 * MOST_OBJECTS:
        match = pattern.match(content, at, limit)
        assert match is not None  # it may be empty
        if match.end() > at:
            at = match.end()
            continue
        code = content[at : at + 1]
        if code == b".":
            parts.append(content[copied : at + 1])
            return Pickle(_checked(b"".join(parts), makers), at + 1, tuple(batches))
        if code == b"}":
            parts += content[copied:at], _NEW_DICT
            copied = at = at + 1
        elif code == b"(":  # where a batch seems to begin
            batch, end = _batch_at(content, at, limit, high)
            if batch is not None:
                parts += content[copied:at], _without(batch, len(batches))
                makers += _makers(content[at:end])
                batches.append(batch)
                copied = end
            at = end
        elif prefix := _PREFIXES.get(code):
            at += 1 + prefix + int.from_bytes(content[at + 1 : at + 1 + prefix], "little")
        elif code == b"c" or at + _LENGTHS.get(code, 1) > limit:
            break
        else:
            opcode = _NAMES.get(code, f"{content[at]}")
            raise UnsafeOpcodeError(f"its description has a {opcode}, which PyTorch does not write")
    if len(parts) > 2 * MOST_OBJECTS:
        raise ValueError(_TOO_MANY)
    if limit < len(content) and limit - start == LARGEST_PICKLE:
        raise ValueError(f"what describes its tensors has more than {LARGEST_PICKLE >> 20} MiB")
    raise ValueError("it is cut off")


def _batch_at(
    content: bytes | mmap.mmap, at: int, limit: int, high: int
) -> tuple[Batch, int] | tuple[None, int]:
    """The batch that begins at a place, and where it ends; None, and where its mark ends, if none does."""
    for kind in _BATCHES:
        if match := kind.at(content, at, limit, high):
            return match
    return None, at + 1


def _without(batch: Batch, number: int) -> bytes:
    """What stands in a pickle for a batch that is left out of it; see :class:`Pickle`."""
    return b"N(C\4%b%btQs" % (number.to_bytes(4, "little"), b"".join(batch.gets))


def _checked(pickle: bytes, makers: int) -> bytes:
    # More than there are, as some of these bytes are in names and numbers.
    if makers + _makers(pickle) > MOST_OBJECTS:
        raise ValueError(_TOO_MANY)
    return pickle


def _makers(pickle: bytes) -> int:
    return len(pickle) - len(pickle.translate(None, _MAKERS))


@cache
def _pattern(high: int, is_whole: bool) -> re.Pattern[bytes]:
    """Up to a thousand safe opcodes.

    Args:
        high: of the largest number that an entry of the memo may have, the part above 16 bits, below 256.
        is_whole: whether batches are among them.
    """
    starts = b"|".join(kind.start(high) for kind in _BATCHES)
    parts = [rb"\(" if is_whole else rb"\((?!%b)" % starts]
    parts += [
        b"[" + b"".join(re.escape(_CODES[name]) for name in names.split()) + b"]" + b"." * count
        for count, names in _ARGUMENTS.items()
    ]
    parts += [short_text(_SHORT_TEXT), rb"c[^\n]*\n[^\n]*\n"]
    parts.append(b"r..[\\0-\\x%02x]\\0" % high)
    return re.compile(b"(?:" + b"|".join(parts) + b"){0,%d}" % _AT_ONCE, re.DOTALL)

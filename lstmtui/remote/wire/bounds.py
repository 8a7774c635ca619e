"""Limits on the msgpack of one message, checked before a message is decoded and before it is sent."""

from __future__ import annotations

from lstmtui.errors import UserError

MOST_ELEMENTS = 1 << 18
"""Values in one message, the members of lists and maps counted."""
DEEPEST = 24
"""Lists and maps within one another."""
LONGEST_TEXT = 1 << 20
"""Bytes."""
ARRAY = 1
"""The only extension type: an array."""


class ProtocolError(UserError):
    """A message that no lstmtui sends, or that is too large to travel."""


_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8}
_FIXED |= {0xCC + i: 1 << i for i in range(4)} | {0xD0 + i: 1 << i for i in range(4)}
"""Bytes after the first of nil, truths, floats and integers."""
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_LISTS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_SIZED_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
"""By first byte, how many bytes say the length."""


def check_bounds(data: bytes) -> None:
    """Refuse what is not exactly one msgpack value within the limits.

    Raises:
        ProtocolError: it is cut off, too deep, has too many values or too long a text, or a type of value
            that has no place here.
    """
    at, elements = 0, 0
    unfilled = [1]
    """For each list or map around the current value, how many members are still to come."""
    while unfilled:
        if unfilled[-1] == 0:
            unfilled.pop()
            continue
        unfilled[-1] -= 1
        elements += 1
        if elements > MOST_ELEMENTS or at >= len(data):
            raise ProtocolError("a message is cut off or has too many parts")
        at, members = _next(data, at)
        if members:
            if members > MOST_ELEMENTS or len(unfilled) >= DEEPEST:
                raise ProtocolError("a message has too many parts or is nested too deep")
            unfilled.append(members)
    if at != len(data):
        raise ProtocolError("a message does not have the length it says")


def _next(data: bytes, at: int) -> tuple[int, int]:
    """Where the value at `at` ends, or where its members begin, and how many members it has."""
    first = data[at]
    at += 1
    if first < 0x80 or first >= 0xE0:
        return at, 0
    if first in _FIXED:
        return _after(data, at, _FIXED[first]), 0
    if first < 0x90:
        return at, 2 * (first & 0x0F)
    if first < 0xA0:
        return at, first & 0x0F
    if first < 0xC0:
        return _after(data, at, first & 0x1F), 0
    for sizes, factor in ((_LISTS, 1), (_MAPS, 2)):
        if first in sizes:
            at, count = _size(data, at, sizes[first])
            return at, factor * count
    if first in _TEXTS or first in _BYTES:
        at, length = _size(data, at, (_TEXTS | _BYTES)[first])
        if first in _TEXTS and length > LONGEST_TEXT:
            raise ProtocolError("a message holds a text that is too long")
        return _after(data, at, length), 0
    return _extension(data, at, first), 0


def _extension(data: bytes, at: int, first: int) -> int:
    """The offset behind an extension, which must be an array."""
    if first in _SIZED_EXTENSIONS:
        at, length = _size(data, at, _SIZED_EXTENSIONS[first])
    elif 0xD4 <= first <= 0xD8:
        length = 1 << (first - 0xD4)
    else:
        raise ProtocolError("a message holds a type of value that has no place here")
    if data[at : at + 1] != bytes([ARRAY]):
        raise ProtocolError("a message holds a type of value that has no place here")
    return _after(data, at + 1, length)


def _size(data: bytes, at: int, count: int) -> tuple[int, int]:
    end = _after(data, at, count)
    return end, int.from_bytes(data[at:end], "big")


def _after(data: bytes, at: int, length: int) -> int:
    if length > len(data) - at:
        raise ProtocolError("a message is cut off")
    return at + length

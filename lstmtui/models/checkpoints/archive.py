"""Zip files that PyTorch wrote: where their members are, from one look at the directory. No torch.

`zipfile` makes an object for each member, which takes longer than all the rest where there are 100,000. The
format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from lstmtui.models.checkpoints.names import MOST_TENSORS

LARGEST_DIRECTORY = 64 << 20
"""Bytes of a directory, which is read as a whole."""
MOST_MEMBERS = MOST_TENSORS + (1 << 12)
"""The numbers of each tensor, and the files beside them."""
_LARGEST_COMMENT = (1 << 16) - 1
_END, _END_64, _PLACE_OF_END_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_ENTRY, _HEADER = b"PK\1\2", b"PK\3\4"
_LENGTHS = struct.Struct("<4s24x3H12x")
"""What an entry begins with, and how long its name, extra fields and comment are."""
_STORED, _DEFLATED, _ENCRYPTED = 0, 8, -1
_UNSAID = 0xFFFFFFFF
"""Stands for a number that is in the entry's extra field of 64-bit numbers."""


class _Member(NamedTuple):
    """What the directory says of one member."""

    method: int
    """How it is compressed."""
    packed: int
    """In bytes, as it is in the file."""
    size: int
    """In bytes, where it is unpacked."""
    start: int
    """Of its header in the file."""


class Archive:
    """A zip file whose members lie in it as they are, each under the name of one folder.

    PyTorch may leave out the check sums of members (`torch.serialization.set_crc32_options`), so none are
    looked at.

    Raises:
        ValueError: it is damaged, or holds what PyTorch does not write; a sentence.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._directory = _directory(file, path.stat().st_size)
        self._entries = _entries(self._directory)
        first = next(iter(self._entries), b"").decode("utf-8", "surrogateescape")
        self.folder = first.partition("/")[0] + "/"
        """What the names of all members begin with: it is called as the file was when it was written."""

    def __contains__(self, member: str) -> bool:
        return self._entry(member) is not None

    def has_folder(self, *names: str) -> bool:
        """Whether there are members in one of some folders, each with a slash at its end."""
        folders = tuple(name.encode("utf-8", "surrogateescape") for name in names)
        return any(folder in self._directory for folder in folders) and any(
            name.startswith(folders) for name in self._entries
        )

    @property
    def is_big_endian(self) -> bool:
        """Whether the first byte of each number is the largest."""
        order = self.folder + "byteorder"
        return order in self and self.read(order, 0, 3) == b"big"

    def size(self, member: str) -> int:
        """How many bytes a member has.

        Raises:
            KeyError: there is none of this name.
        """
        return self._member(member).size

    def read(self, member: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a member from `start` to `end`, fewer where it has not so many.

        Raises:
            KeyError: there is none of this name.
            ValueError: it is compressed or damaged.
        """
        described = self._member(member)
        if described.method != _STORED or described.packed != described.size:
            raise ValueError("its entries are compressed, or encrypted")
        return self._bytes(described, start, described.size if end is None else end)

    def text(self, member: str, most: int) -> str:
        """A member that may be compressed; empty where it has more than `most` bytes, or is none."""
        if member not in self or self.size(member) > most:
            return ""
        described = self._member(member)
        content = self._bytes(described, 0, most)
        if described.method == _DEFLATED:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, most)
        return content.decode("utf-8", "replace")

    def _bytes(self, member: _Member, start: int, end: int) -> bytes:
        """A part of a member as it is in the file."""
        with self._path.open("rb") as file:
            file.seek(member.start)
            header = file.read(30)
            if header[:4] != _HEADER or len(header) < 30:
                raise ValueError("its directory is damaged")
            file.seek(member.start + 30 + sum(struct.unpack_from("<2H", header, 26)) + start)
            return file.read(max(min(end, member.packed) - start, 0))

    def _entry(self, name: str) -> int | None:
        """Where a member's entry begins in the directory."""
        try:
            return self._entries.get(name.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:  # it is that of no file
            return None

    def _member(self, name: str) -> _Member:
        if (at := self._entry(name)) is None:
            raise KeyError(f"it has no {name}")
        flags, method = struct.unpack_from("<2H", self._directory, at + 8)
        packed, size = struct.unpack_from("<2I", self._directory, at + 20)
        (start,) = struct.unpack_from("<I", self._directory, at + 42)
        if _UNSAID in (packed, size, start):
            packed, size, start = self._long_numbers(at, size, packed, start)
        if start + packed > self._path.stat().st_size:
            raise ValueError("its entries claim more bytes than the file has")
        return _Member(_ENCRYPTED if flags & 1 else method, packed, size, start)

    def _long_numbers(self, at: int, size: int, packed: int, start: int) -> tuple[int, int, int]:
        """The sizes and the start of a member from its extra field, which has those that do not fit."""
        _, name, extra, _ = _LENGTHS.unpack_from(self._directory, at)
        at += 46 + name
        end = at + extra
        while at + 4 <= end:
            kind, length = struct.unpack_from("<2H", self._directory, at)
            if kind == 1 and at + 4 + length <= end:
                numbers = iter(struct.unpack_from(f"<{length // 8}Q", self._directory, at + 4))
                size, packed, start = (
                    next(numbers, _UNSAID) if number == _UNSAID else number
                    for number in (size, packed, start)
                )
                break
            at += 4 + length
        return packed, size, start


def _directory(file: BinaryIO, size: int) -> bytes:
    """The directory of a zip file of this size.

    Raises:
        ValueError: it has none, because it is cut off, or too large a one.
    """
    tail_start = max(size - _LARGEST_COMMENT - 42, 0)
    file.seek(tail_start)
    tail = file.read(_LARGEST_COMMENT + 42)
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        _is_cut_off()
    length, start = struct.unpack_from("<2I", tail, at + 12)
    if tail[max(at - 20, 0) : at][:4] == _PLACE_OF_END_64 and at >= 20:
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        if place + 56 > size:
            _is_cut_off()
        file.seek(place)
        end = file.read(56)
        if end[:4] != _END_64:
            _is_cut_off()
        length, start = struct.unpack_from("<2Q", end, 40)
    if start + length > size:
        _is_cut_off()
    if length > LARGEST_DIRECTORY:
        raise ValueError(f"its directory has more than {LARGEST_DIRECTORY >> 20} MiB")
    file.seek(start)
    return file.read(length)


def _entries(directory: bytes) -> dict[bytes, int]:
    """Where each member's entry begins in the directory.

    Raises:
        ValueError: what is there is no entry, or there are too many.
    """
    entries: dict[bytes, int] = {}
    at, end = 0, len(directory)
    unpack = _LENGTHS.unpack_from
    while at < end:
        try:
            code, name, extra, comment = unpack(directory, at)
        except struct.error:
            break
        if code != _ENTRY:
            break
        last = at + 46 + name
        entries[directory[at + 46 : last]] = at
        at = last + extra + comment
    if at != end:
        raise ValueError("its directory is damaged")
    if len(entries) > MOST_MEMBERS:
        raise ValueError(f"it has more than {MOST_MEMBERS:,} members")
    return entries


def _is_cut_off() -> NoReturn:
    raise ValueError("it is cut off")

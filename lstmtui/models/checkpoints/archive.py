"""Zip files that PyTorch wrote: where their members are, from one look at the directory. No torch."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path


class Archive:
    """A zip file whose members lie in it as they are, each under the name of one folder.

    PyTorch may leave out the check sums of members (`torch.serialization.set_crc32_options`), so none are
    looked at.

    Raises:
        ValueError: it is damaged, or holds what PyTorch does not write; a sentence.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = archive.NameToInfo
        except zipfile.BadZipFile:
            raise ValueError("it is cut off") from None
        except Exception as error:  # zipfile has errors of many kinds: of what it does not support
            raise ValueError(str(error) or "it is damaged") from None
        if sum(member.compress_size for member in self._members.values()) > path.stat().st_size:
            raise ValueError("its entries claim more bytes than the file has")
        self.folder = next(iter(self._members), "").partition("/")[0] + "/"
        """What the names of all members begin with: it is called as the file was when it was written."""

    @property
    def names(self) -> Collection[str]:
        """Of its members."""
        return self._members.keys()

    def size(self, member: str) -> int:
        """How many bytes a member has.

        Raises:
            KeyError: there is none of this name.
        """
        return self._members[member].file_size

    def read(self, member: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a member from `start` to `end`, fewer where it has not so many.

        Raises:
            KeyError: there is none of this name.
            ValueError: it is compressed or damaged.
        """
        info = self._members[member]
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError("its entries are compressed, or encrypted")
        end = info.compress_size if end is None else min(end, info.compress_size)
        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
            if header[:4] != b"PK\x03\x04" or len(header) < 30:
                raise ValueError("its directory is damaged")
            lengths = [int.from_bytes(header[at : at + 2], "little") for at in (26, 28)]
            file.seek(info.header_offset + 30 + sum(lengths) + start)
            return file.read(max(end - start, 0))

    def text(self, member: str) -> str:
        """A member that may be compressed.

        Raises:
            KeyError: there is none of this name.
        """
        with zipfile.ZipFile(self._path) as archive:
            return archive.read(member).decode("utf-8", "replace")

"""Tensors from the .pt and .pth files of `torch.save`, of which nothing is run. No torch."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from typing import Any

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archived_tensors import (
    ADVICE,
    ArchivedTensor,
    ArchivedTensors,
)
from lstmtui.models.checkpoints.names import Entry
from lstmtui.models.checkpoints.tensor_pickle import (
    LARGEST_PICKLE,
    CalleeError,
    TensorUnpickler,
    UnsafeOpcodeError,
    end_of_pickle,
)
from lstmtui.printable import printable

DEEPEST = 16
"""How many dicts within dicts are looked into."""
MOST_ENTRIES = 1 << 20
DAMAGED = "it is damaged or of another kind"


class PickledTensors(ArchivedTensors):
    """The tensors of a file that `torch.save` wrote.

    Only what `torch.load(weights_only=True)` allows is read, so that opening a file never runs code of its
    maker's. The numbers stay in the file until they are read.

    Raises:
        UserError: the file holds more than tensors, is cut off, or is no such file.
    """

    def _described(self) -> dict[Entry, ArchivedTensor]:
        archive = self._archive
        member = archive.folder + "data.pkl"
        if archive.size(member) > LARGEST_PICKLE:
            raise ValueError(f"what describes its tensors has more than {LARGEST_PICKLE >> 20} MiB")
        order = archive.folder + "byteorder"
        if order in archive.names and archive.read(order, 0, 3) == b"big":
            self._is_big_endian = True
        content = archive.read(member)
        end_of_description(content, self._name)
        return dict(entries_of(unpickled(TensorUnpickler(content), self._name)))

    def _numbers(self, member: str, start: int, end: int) -> bytes:
        return super()._numbers(f"{self._archive.folder}data/{member}", start, end)


def unpickled(unpickler: TensorUnpickler, file: str) -> Any:
    """What a description holds.

    Raises:
        UserError: it holds more than tensors.
        ValueError: it is damaged; a sentence.
    """
    try:
        return unpickler.load()
    except CalleeError as error:
        callee = printable(error.callee)[:80]
        if callee == "torch.ScriptObject":
            raise UserError(
                f"{file} is refused: its weights are quantised (packed as torch.ScriptObject); of the "
                f"model from before that, {ADVICE}"
            ) from None
        raise UserError(
            f"{file} is refused: opening it would call {callee}, and only tensors are read; {ADVICE}"
        ) from None
    except (UserError, MemoryError):
        raise
    except Exception:  # whatever a damaged file makes the unpickler stumble over
        raise ValueError(DAMAGED) from None


def end_of_description(content: bytes | mmap.mmap, file: str, start: int = 0) -> int:
    """Where a description ends that nothing speaks against reading.

    Raises:
        UserError: it holds more than tensors.
        ValueError: it is none, too long or cut off; a sentence.
    """
    if content[start : start + 1] != b"\x80":
        raise ValueError(DAMAGED)
    try:
        return end_of_pickle(content, start)
    except UnsafeOpcodeError:
        raise UserError(f"{file} is refused: it is a pickle of more than tensors; {ADVICE}") from None


def entries_of(loaded: Any) -> Iterator[tuple[Entry, ArchivedTensor]]:
    """Every tensor under string keys, in dicts within dicts; each dict is looked into once."""
    if isinstance(loaded, ArchivedTensor):
        yield ((), "tensor"), loaded
    waiting: list[tuple[tuple[str, ...], Any]] = [((), loaded)]
    seen: set[int] = set()
    count = 0
    while waiting:
        containers, mapping = waiting.pop(0)
        if not isinstance(mapping, Mapping) or id(mapping) in seen or len(containers) > DEEPEST:
            continue
        seen.add(id(mapping))
        for key, value in mapping.items():
            count += 1
            if count > MOST_ENTRIES:
                return
            if isinstance(key, str) and isinstance(value, ArchivedTensor):
                yield (containers, key), value
            elif isinstance(key, str) and isinstance(value, Mapping):
                waiting.append(((*containers, key), value))

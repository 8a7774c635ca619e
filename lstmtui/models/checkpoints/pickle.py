"""Tensors from the .pt and .pth files of `torch.save`, of which nothing is run. No torch."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, NamedTuple

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archived_tensors import ADVICE, ArchivedTensor, ArchivedTensors
from lstmtui.models.checkpoints.names import Entry
from lstmtui.models.checkpoints.opcodes import LARGEST_PICKLE, UnsafeOpcodeError, harmless
from lstmtui.models.checkpoints.tensor_pickle import CalleeError, TensorUnpickler, TooManyTensorsError
from lstmtui.printable import printable

DEEPEST = 16
"""How many dicts within dicts are looked into."""
MOST_ENTRIES = 1 << 20
MOST_CHARACTERS = 64 << 20
"""Of the names of all tensors, each with its containers', which hold what few bytes describe many times."""
_LONG_NAMES = "the names of its tensors are too long"
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
        return dict(entries_of(read_description(archive.read(member), self._name).value))

    def _numbers(self, member: str, start: int, end: int) -> bytes:
        return super()._numbers(f"{self._archive.folder}data/{member}", start, end)


class Description(NamedTuple):
    """What a pickle that describes tensors holds."""

    value: Any
    storages: Mapping[str, str]
    """The dtype of the numbers under each key."""
    end: int
    """Where the pickle ends."""


def read_description(content: bytes | mmap.mmap, file: str, start: int = 0) -> Description:
    """The description that begins at `start`.

    Raises:
        UserError: it holds more than tensors.
        ValueError: it is none, too large or cut off, or describes too many tensors; a sentence.
    """
    if content[start : start + 1] != b"\x80":
        raise ValueError(DAMAGED)
    try:
        pickled = harmless(content, start, is_whole=False)
        if pickled.batches:
            try:
                unpickler = TensorUnpickler(pickled)
                return Description(unpickler.load(), unpickler.storages, pickled.end)
            except (MemoryError, TooManyTensorsError):
                raise
            except Exception:  # its batches are not what they seem
                pickled = harmless(content, start)
    except UnsafeOpcodeError:
        raise UserError(f"{file} is refused: it is a pickle of more than tensors; {ADVICE}") from None
    unpickler = TensorUnpickler(pickled)
    return Description(_unpickled(unpickler, file), unpickler.storages, pickled.end)


def _unpickled(unpickler: TensorUnpickler, file: str) -> Any:
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
    except (UserError, MemoryError, TooManyTensorsError):
        raise
    except Exception:  # whatever a damaged file makes the unpickler stumble over
        raise ValueError(DAMAGED) from None


def entries_of(loaded: Any) -> Iterator[tuple[Entry, ArchivedTensor]]:
    """Every tensor under string keys, in dicts within dicts; each dict is looked into once.

    Raises:
        ValueError: the names are too long together; a sentence.
    """
    if isinstance(loaded, ArchivedTensor):
        yield ((), "tensor"), loaded
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), loaded)])
    seen: set[int] = set()
    count = characters = 0
    while waiting:
        containers, mapping = waiting.popleft()
        if not isinstance(mapping, dict) or id(mapping) in seen or len(containers) > DEEPEST:
            continue
        seen.add(id(mapping))
        before = sum(map(len, containers))
        if set(map(type, mapping.values())) == {ArchivedTensor} and count + len(mapping) <= MOST_ENTRIES:
            count += len(mapping)
            characters += before * len(mapping) + sum(map(len, mapping))
            if characters > MOST_CHARACTERS:
                raise ValueError(_LONG_NAMES)
            yield from zip(zip(repeat(containers), mapping), mapping.values(), strict=True)
            continue
        for key, value in mapping.items():
            count += 1
            if count > MOST_ENTRIES:
                return
            if isinstance(value, ArchivedTensor):
                characters += before + len(key)
                if characters > MOST_CHARACTERS:
                    raise ValueError(_LONG_NAMES)
                yield (containers, key), value
            elif isinstance(value, dict):
                waiting.append(((*containers, key), value))

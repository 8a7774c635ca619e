"""Tensors from .pt and .pth files, by `torch.load(weights_only=True)` and nothing else."""

from __future__ import annotations

import mmap
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.names import Entry
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

DEEPEST = 16
"""How many dicts within dicts are looked into."""
MOST_ENTRIES = 1 << 20
LARGEST_OLD = 4 << 30
"""The most bytes of a file in the format from before PyTorch 1.6, which is read as a whole."""
LARGEST_PICKLE = 512 << 20
"""The most bytes of a description, which is read as a whole, beside the tensors' numbers."""

_CLAIM = b"\nbytearray\n"
_KINDS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_ADVICE = "save model.state_dict() with torch.save, or as .safetensors"


class PickledTensors:
    """The tensors of a file that `torch.save` wrote.

    Only what `weights_only=True` allows is unpickled, so that opening a file never runs code of its maker's.
    The numbers stay in the file until they are read, where its format allows it.

    Raises:
        UserError: the file holds more than tensors, is cut off, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._name = printable(path.name)
        self._tensors = dict(_entries(self._load(path)))

    @property
    def tensors(self) -> dict[Entry, tuple[str, tuple[int, ...]]]:
        """The dtype (F32, BF16 …) and shape of every tensor."""
        return {
            entry: (_KINDS.get(tensor.dtype, str(tensor.dtype).removeprefix("torch.")), tuple(tensor.shape))
            for entry, tensor in self._tensors.items()
        }

    def read(self, entry: Entry) -> Array:
        """One tensor, copied; float32 where it is stored in half precision.

        Raises:
            UserError: its numbers are not in the file one by one.
        """
        tensor = self._tensors[entry].detach()
        whole = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not whole or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise UserError(f"{self._name}: {printable(entry[1])} is not stored as a whole tensor; {_ADVICE}")
        if tensor.dtype in (torch.float16, torch.bfloat16):
            tensor = tensor.float()
        return tensor.numpy().copy()

    def _load(self, path: Path) -> Any:
        try:
            zipped = self._is_sound_zip(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
        except UserError:
            raise
        except pickle.UnpicklingError as error:
            raise self._refused(str(error)) from None
        except MemoryError:
            raise UserError(f"{self._name}: does not fit into this machine's memory") from None
        except Exception as error:  # whatever a damaged file makes the unpickler stumble over
            reason = str(error).split("\n")[0][:120] if isinstance(error, RuntimeError) else ""
            raise self._broken(reason or "it is damaged or of another kind") from None

    def _is_sound_zip(self, path: Path) -> bool:
        """Whether the file is in the zip format, whose entries `mmap` takes as they stand in the file."""
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                if file.read(4) == b"PK\x03\x04":
                    raise self._broken("it is cut off")
                if path.stat().st_size > LARGEST_OLD:
                    raise self._broken("it is in PyTorch's old format and larger than 4 GiB")
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    self._refuse_claims(content.find(_CLAIM))
            return False
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise self._broken("its entries are compressed")
            if sum(e.file_size for e in entries) > path.stat().st_size:
                raise self._broken("its entries claim more bytes than the file has")
            for entry in entries:
                if entry.filename.endswith("data.pkl"):
                    if entry.file_size > LARGEST_PICKLE:
                        raise self._broken("what describes its tensors has more than 512 MiB")
                    self._refuse_claims(archive.read(entry).find(_CLAIM))
        return True

    def _refuse_claims(self, at: int) -> None:
        """The unpickler would make a byte string of any length that a file asks for."""
        if at >= 0:
            raise self._refused("GLOBAL builtins.bytearray")

    def _refused(self, complaint: str) -> UserError:
        """The unpickler's complaint in our words; it names what the file wanted to call."""
        named = re.search(r"GLOBAL ([^\s`]{1,80})", complaint)
        if named is None and "Unsupported operand" in complaint:
            return UserError(f"{self._name} is refused: it is a pickle of more than tensors; {_ADVICE}")
        if named is None:
            return self._broken("it is damaged or of another kind")
        callee = printable(named[1])
        if callee == "torch.ScriptObject":
            return UserError(
                f"{self._name} is refused: its weights are quantised (packed as torch.ScriptObject); of the "
                f"model from before that, {_ADVICE}"
            )
        return UserError(
            f"{self._name} is refused: opening it would call {callee}, and only tensors are read; {_ADVICE}"
        )

    def _broken(self, reason: str) -> UserError:
        return UserError(f"{self._name} is not a readable PyTorch checkpoint: {printable(reason)}")


def _entries(loaded: Any) -> Iterator[tuple[Entry, Tensor]]:
    """Every tensor under string keys, in dicts within dicts; each dict is looked into once."""
    if isinstance(loaded, Tensor):
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
            if isinstance(key, str) and isinstance(value, Tensor):
                yield (containers, key), value
            elif isinstance(key, str) and isinstance(value, Mapping):
                waiting.append(((*containers, key), value))

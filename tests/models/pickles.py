"""Files whose description is a pickle that a test writes opcode by opcode."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

from lstmtui.models.checkpoints.archived_tensors import DescribedTensors
from lstmtui.models.checkpoints.torch_files import open_torch_file


def tensors_of(path: Path) -> DescribedTensors:
    return open_torch_file(path)[0]


def of_pickle(path: Path, pickled: bytes, zipped: bool) -> Path:
    """A file whose description this is."""
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("c/data.pkl", pickled)
        return path
    beside = (0x1950A86A20F9469CFC6C, 1001, {}), ([],)
    before, after = (b"".join(pickle.dumps(value, protocol=2) for value in values) for values in beside)
    path.write_bytes(before + pickled + after)
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


NUMBERS = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"

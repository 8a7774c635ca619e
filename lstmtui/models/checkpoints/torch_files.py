"""Files of PyTorch: what they hold says which of the formats one is in, not their names. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archive import Archive
from lstmtui.models.checkpoints.archived_tensors import DescribedTensors
from lstmtui.models.checkpoints.exported_tensors import ExportedTensors
from lstmtui.models.checkpoints.old_pickle import OldTensors
from lstmtui.models.checkpoints.pickle import PickledTensors
from lstmtui.models.checkpoints.script_tensors import ScriptTensors
from lstmtui.printable import printable

SCRIPT, EXPORTED = "TorchScript", "torch.export"
_READERS: Mapping[str, Callable[[Path, Archive], DescribedTensors]] = {
    "": PickledTensors,
    SCRIPT: ScriptTensors,
    EXPORTED: ExportedTensors,
}


def open_torch_file(path: Path) -> tuple[DescribedTensors, str]:
    """The tensors of a file, and which kind of program it holds; empty where it holds none.

    Raises:
        UserError: it cannot be read, or is refused.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return OldTensors(path), ""
    try:
        archive = Archive(path)
    except ValueError as error:
        name = printable(path.name)
        raise UserError(
            f"{name} is not a readable {DescribedTensors.kind}: {printable(str(error))}"
        ) from None
    kind = _program_kind(archive)
    return _READERS[kind](path, archive), kind


def _program_kind(archive: Archive) -> str:
    """Which program an archive holds; empty where it holds none."""
    folder = archive.folder
    # Some write members beside the folder, too.
    if folder + "constants.pkl" in archive or archive.has_folder(folder + "code/", "code/"):
        return SCRIPT
    exported = {"archive_format", "serialized_exported_program.json"}
    is_exported = any(name in archive or folder + name in archive for name in exported)
    return EXPORTED if is_exported or archive.has_folder(folder + "models/", "models/") else ""

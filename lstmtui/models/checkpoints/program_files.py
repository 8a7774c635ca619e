"""Files that hold a model's code beside its weights: TorchScript, and programs of torch.export. No torch."""

from __future__ import annotations

import zipfile
from pathlib import Path

SCRIPT, EXPORTED = "TorchScript", "torch.export"


def program_kind(path: Path) -> str:
    """`SCRIPT` or `EXPORTED`; empty where a file, of any kind, holds no program."""
    try:
        with zipfile.ZipFile(path) as archive:
            # Each name is below a folder that is called as the file was when it was written.
            names = {part for name in archive.namelist() for part in (name, name.partition("/")[2])}
    except Exception:  # zipfile has errors of many kinds: of what it does not support, of what is damaged
        return ""
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return SCRIPT
    exported = {"archive_format", "serialized_exported_program.json"}
    return EXPORTED if exported & names or any(name.startswith("models/") for name in names) else ""

"""Files that hold a model's code beside its weights: TorchScript, and programs of torch.export. No torch."""

from __future__ import annotations

import zipfile
from pathlib import Path


def why_program(path: Path) -> str:
    """What a file with a program is, and how its weights are saved alone; empty where it holds none.

    Args:
        path: a file, of any kind.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Each name is below a folder that is called as the file was when it was written.
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile):
        return ""
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        kind, weights = "a TorchScript program", "torch.jit.load(…).state_dict()"
    elif "archive_format" in names or any(name.startswith("models/") for name in names):
        kind, weights = "a program of torch.export", "torch.export.load(…).state_dict"
    else:
        return ""
    return f'is {kind}, which holds code; save its weights alone: torch.save({weights}, "weights.pt")'

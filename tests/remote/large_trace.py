"""A long and wide trace on disk that takes no time to make: arrays of one shape are one file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from synthetic import synthetic

_SHORT = 30


def save_large_trace(path: Path, steps: int, hidden_size: int) -> None:
    """Save an LSTM's trace in which every quantity has the same random numbers in [0, 1).

    Args:
        path: of its directory.
        steps: T.
        hidden_size: H.
    """
    synthetic("lstm", _SHORT, hidden_size).save(path)
    manifest = json.loads((path / "trace.json").read_text())
    model = manifest["models"][0]
    model["header"]["steps"] = steps
    random = np.random.default_rng(0)
    made: dict[tuple[int, ...], Path] = {}
    for key, about in model["arrays"].items():
        if about["shape"][0] != _SHORT:
            continue
        about["shape"][0] = steps
        file = path / manifest["data"] / "0" / f"{key}.npy"
        shape, dtype = tuple(about["shape"]), np.dtype(about["dtype"])
        kind = (dtype.itemsize, *shape)
        file.unlink()
        if kind in made:
            os.link(made[kind], file)
        else:
            np.save(file, random.random(shape, np.float32).astype(dtype, copy=False))
            made[kind] = file
    (path / "trace.json").write_text(json.dumps(manifest))

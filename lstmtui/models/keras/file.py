"""Files of Keras (.keras, .h5) read by h5py: configuration, and weights by layer. No Keras, no torch."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.errors import UserError

if TYPE_CHECKING:
    import h5py

    from lstmtui.arrays import Array

MOST_NUMBERS = 1 << 28
"""In all weights together that are read."""
_LARGEST_TEXT = 64 << 20
_MOST_DATASETS = 1 << 16
_NUMBERED = re.compile(r"(?P<group>.+)/vars/(?P<number>\d)")
_NAMED = re.compile(r"(?P<group>.+)/(?P<weight>kernel|recurrent_kernel|bias|embeddings)(?::0)?")
_CELLS = re.compile(r"[/_]cell(_\d+)?$")
_OF_CELL, _OF_LAYER = ("kernel", "recurrent_kernel", "bias"), ("kernel", "bias")
"""How Keras 3 numbers the weights of a recurrent layer's cell, and of another layer."""


@dataclass
class KerasFile:
    """The contents of a Keras file."""

    model: Mapping[str, Any]
    """The configuration as JSON has it; empty where the file has weights alone."""
    groups: dict[str, dict[str, Array]] = field(default_factory=dict)
    """The weights by the group in the file that holds them: {"layers/lstm/cell": {"kernel": …}}."""


def keras_file(path: Path) -> KerasFile:
    """Read a file of Keras in this process.

    Raises:
        UserError: there is nothing of Keras in it, or its weights lie in other files.
        OSError: it is no such file.
    """
    import h5py

    if not zipfile.is_zipfile(path):
        with h5py.File(path, "r") as file:
            return KerasFile(_json(file.attrs.get("model_config", "{}")), dict(_groups(file)))
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        if "config.json" not in sizes or "model.weights.h5" not in sizes:
            raise UserError("has no config.json and model.weights.h5, which every .keras file has")
        if sizes["config.json"] > _LARGEST_TEXT or sizes["model.weights.h5"] > 8 * path.stat().st_size:
            raise UserError("claims more bytes than a file of its size can hold")
        model = _json(archive.read("config.json"))
        with h5py.File(BytesIO(archive.read("model.weights.h5")), "r") as file:
            return KerasFile(model, dict(_groups(file)))


def _json(text: str | bytes) -> Mapping[str, Any]:
    try:
        model = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("has a damaged configuration") from None
    return model if isinstance(model, dict) else {}


def _groups(file: h5py.File) -> Iterator[tuple[str, dict[str, Array]]]:
    """The weights by group, the number or name of each translated."""
    import h5py

    places: dict[str, dict[str, h5py.Dataset]] = {}
    count = 0

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        nonlocal count
        count += 1
        if count > _MOST_DATASETS:
            raise UserError(f"has more than {_MOST_DATASETS:,} groups and datasets")
        if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f":
            return
        if match := _NAMED.fullmatch(name):
            places.setdefault(match["group"], {})[match["weight"]] = item
        elif match := _NUMBERED.fullmatch(name):
            order, number = _OF_CELL if _CELLS.search(match["group"]) else _OF_LAYER, int(match["number"])
            if number < len(order):
                places.setdefault(match["group"], {})[order[number]] = item

    file.visititems(visit)
    numbers = 0
    for group, weights in places.items():
        arrays: dict[str, Array] = {}
        for name, dataset in weights.items():
            if dataset.external or dataset.is_virtual:
                raise UserError("has weights that lie in another file")
            numbers += dataset.size
            if numbers > MOST_NUMBERS:
                raise UserError(f"has more than {MOST_NUMBERS:,} numbers in its layers")
            array: Array = dataset[()]
            arrays[name] = array.astype("f4") if array.dtype.itemsize == 2 else array
        yield group, arrays

"""The parameters of a program of torch.export (.pt2), by their names in Python. No torch.

The layout of the archive: https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/export/pt2_archive.html
"""

from __future__ import annotations

import json
from typing import Any

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor, ArchivedTensors, checked_sizes
from lstmtui.models.checkpoints.names import Entry

_WEIGHTS = "data/weights/"
_TABLE = _WEIGHTS + "model_weights_config.json"
_BEFORE = "serialized_state_dict.pt"
"""Where the parameters are in a file of PyTorch before 2.8."""
_LARGEST_TABLE = 64 << 20
_SCALAR_TYPES = {6: "F16", 7: "F32", 8: "F64", 13: "BF16"}
"""The numbers of dtypes in `torch/_export/serde/schema.py`."""


class ExportedTensors(ArchivedTensors):
    """The parameters and buffers of a program that `torch.export.save` wrote.

    Raises:
        UserError: the file is damaged, or of a PyTorch before 2.8.
    """

    kind = "program of torch.export"

    def _described(self) -> dict[Entry, ArchivedTensor]:
        archive, folder = self._archive, self._archive.folder
        if _BEFORE in archive or folder + _BEFORE in archive:
            raise UserError(
                f"{self._name} was written by torch.export before PyTorch 2.8; export it again, or save its "
                'parameters alone: torch.save(torch.export.load(…).state_dict, "weights.pt")'
            )
        if archive.size(folder + _TABLE) > _LARGEST_TABLE:
            raise ValueError("its table of weights is too large")
        table = json.loads(archive.read(folder + _TABLE))
        try:
            if any(entry["use_pickle"] for entry in table["config"].values()):
                raise ValueError("it has parameters of a kind of their own, pickled, which would run code")
            return {
                ((), str(name)): _tensor(entry["tensor_meta"], folder + _WEIGHTS + str(entry["path_name"]))
                for name, entry in table["config"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its table of weights is damaged ({type(error).__name__})") from None


def _tensor(meta: dict[str, Any], member: str) -> ArchivedTensor:
    shape, strides = (checked_sizes([size["as_int"] for size in meta[key]]) for key in ("sizes", "strides"))
    (offset,) = checked_sizes([meta["storage_offset"]["as_int"]])
    if len(shape) != len(strides):
        raise ValueError("a tensor's shape is not valid")
    dtype = _SCALAR_TYPES.get(meta["dtype"], f"number {meta['dtype']!s:.20} of torch.export")
    return ArchivedTensor(dtype, shape, strides, offset, member)

"""The recurrent layers of a file, whatever kind of checkpoint it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.scenario.files import file_size
from lstmtui.scenario.models.checkpoints import Checkpoint
from lstmtui.scenario.report import DataError

if TYPE_CHECKING:
    from lstmtui.models.checkpoints.found_layer import FoundLayer
    from lstmtui.models.onnx.layer import OnnxFile, OnnxLayer


def layers_in_file(path: Path) -> tuple[FoundLayer | OnnxLayer, ...]:
    """Every recurrent layer of a checkpoint or an ONNX model; `str` of one gives its path and sizes.

    Raises:
        DataError: the file cannot be read, or is refused.
    """
    if path.suffix.lower() != ".onnx":
        return tuple(layer.checked() for layer in Checkpoint(path).layers)
    return read_onnx(path).layers


def read_onnx(path: Path) -> OnnxFile:
    """Every recurrent layer of an ONNX model, and what its graph takes and gives.

    Raises:
        DataError: the file cannot be read, or the `onnx` package is not installed.
    """
    file_size(path)
    from lstmtui.models.onnx.process import read_onnx_file

    try:
        return read_onnx_file(path)
    except UserError as error:
        raise DataError(str(error)) from None

"""The tensors that an ONNX model comes with, with their external data. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.errors import UserError
from lstmtui.models.onnx.tensors import MOST_NUMBERS, tensor_array
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array


class Initializers:
    """Tensors of a model, each read once.

    Args:
        folder: the model's, beyond which no external data is read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole: dict[int, tuple[Any, Any]] = {}
        self._arrays: dict[int, tuple[Any, Array]] = {}

    def whole(self, tensor: Any) -> Any:
        """The `onnx.TensorProto` with its numbers in it.

        Raises:
            UserError: they are not there, or are outside the model's folder.
        """
        from onnx import TensorProto, numpy_helper

        if tensor.data_location != TensorProto.EXTERNAL:
            return tensor
        if id(tensor) not in self._whole:
            read = numpy_helper.from_array(tensor_array(tensor, self._folder), tensor.name)
            self._whole[id(tensor)] = tensor, read
        return self._whole[id(tensor)][1]

    def array(self, tensor: Any) -> Array:
        """Its numbers.

        Args:
            tensor: as `whole` gives it.

        Raises:
            UserError: it has not the numbers that its shape asks for.
        """
        from onnx import numpy_helper

        if id(tensor) not in self._arrays:
            size = 1
            for dimension in tensor.dims:
                size *= dimension
            if size > MOST_NUMBERS or any(dimension < 0 for dimension in tensor.dims):
                raise UserError(
                    f"{printable(tensor.name)} claims the shape {tuple(tensor.dims)}; at most "
                    f"{MOST_NUMBERS:,} numbers are read"
                )
            try:
                self._arrays[id(tensor)] = tensor, numpy_helper.to_array(tensor)
            except (ValueError, TypeError):
                wrong = f"does not have the numbers its shape {tuple(tensor.dims)} asks for"
                raise UserError(f"{printable(tensor.name)} {wrong}") from None
        return self._arrays[id(tensor)][1]

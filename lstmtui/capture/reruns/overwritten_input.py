"""What a model was called with, for when the model has written into it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lstmtui.capture.modules.arguments import changed
from lstmtui.models.torch_compat import version_of


class OverwrittenInput:
    """Copies of the tensors that a model is called with, of which those are kept that it writes into.

    Args:
        value: what it is about to be called with.
    """

    def __init__(self, value: Any) -> None:
        self._copies: dict[int, tuple[Tensor, int, Tensor]] = {}
        changed(value, self._note)

    def _note(self, tensor: Tensor) -> Tensor:
        # The model gets a copy of what was made in inference mode, and writes into no leaf with a gradient.
        if not (tensor.requires_grad or tensor.is_inference()):
            self._copies[id(tensor)] = tensor, version_of(tensor), tensor.clone()
        return tensor

    def keep_written(self) -> None:
        """The model has run: forget those that are as they were."""
        self._copies = {at: own for at, own in self._copies.items() if version_of(own[0]) != own[1]}

    def as_it_was(self, value: Any) -> Any:
        """The same structure, with a new copy of each tensor that was written into."""
        return changed(value, self._before)

    def _before(self, tensor: Tensor) -> Tensor:
        own = self._copies.get(id(tensor))
        return tensor if own is None else own[2].clone()

"""The loss that is differentiated if the user gives none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.cells.glossary import LAST_HIDDEN

OF_OUTPUT = "the sum of what the model returned"
OF_NOTHING = "none: the model returned no tensor"


def default_loss(last: ModuleRun | None, result: Any) -> tuple[Tensor, str]:
    """The loss if the caller gives none: a scalar, and its name.

    Args:
        last: the run of the recurrent layer that was called last; None where there is none.
        result: what the module returned.
    """
    if last is not None:
        assert last.last_h is not None
        return last.last_h.sum(), LAST_HIDDEN
    tensors = [part for part in tensors_in(result) if isinstance(part, Tensor) and part.is_floating_point()]
    if not tensors:
        return torch.tensor(float("nan"), device="cpu"), OF_NOTHING
    return next((tensor for tensor in tensors if tensor.requires_grad), tensors[0]).sum(), OF_OUTPUT

"""The losses a scenario can name, taken of y where the scenario says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from lstmtui.scenario import Objective

Result = tuple[Tensor, Any]
"""What :class:`lstmtui.models.model.Model` returns: y (T, B, O) and the last states."""


def loss_of(objective: Objective, device: torch.device, *, head: bool) -> Callable[[Result], Tensor] | None:
    """The scenario's objective as a function of a model's result.

    `mse` is the mean over sequences, timesteps and outputs that have a target; `cross_entropy` and `bce`
    take y as logits and average likewise; `sum` adds y up.

    Args:
        objective: what the scenario says.
        device: where y will be.
        head: whether y comes from a head. Without one, the sum at the last timestep is that of the last
            hidden state, which is also what None stands for in `lstmtui.record`.
    """
    if objective.loss == "sum" and objective.at == "last" and not head:
        return None
    mask = torch.as_tensor(objective.mask, device=device)
    target = None if objective.target is None else torch.as_tensor(objective.target, device=device)

    def loss(result: Result) -> Tensor:
        y = result[0][mask]
        if target is None:
            return y.sum()
        wanted = target[mask]
        if objective.loss == "cross_entropy":
            return functional.cross_entropy(y, wanted)
        wanted = wanted.to(y.dtype)
        if objective.loss == "bce":
            return functional.binary_cross_entropy_with_logits(y, wanted)
        return functional.mse_loss(y, wanted)

    return loss


def describe(objective: Objective, *, head: bool) -> str:
    """The objective in words: "mse of y, every timestep"."""
    of = "y" if head else "h"
    where = {"every": "every timestep", "last": "last timestep"}.get(str(objective.at), f"t={objective.at}")
    return f"{objective.loss.replace('_', ' ')} of {of}, {where}"

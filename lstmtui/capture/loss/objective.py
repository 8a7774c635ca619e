"""The losses a scenario can name, taken of y where the scenario says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.capture.devices import on_device
from lstmtui.cells.glossary import LAST_HIDDEN

if TYPE_CHECKING:
    from lstmtui.scenario import Objective

Result = tuple[Tensor, Any]
"""What :class:`lstmtui.models.model.ScenarioModel` returns: y (T, B, O) and the last states."""


def loss_of(objective: Objective, device: torch.device, *, head: bool) -> Callable[[Result], Tensor] | None:
    """The scenario's objective as a function of a model's result.

    `mse` is the mean over sequences, timesteps and outputs that have a target; `cross_entropy` and `bce`
    take y as logits and average likewise; `sum` adds y up.

    Args:
        objective: what the scenario says.
        device: where y will be.
        head: whether y comes from a head.

    Returns:
        None for the sum of the last hidden state, as in `lstmtui.record`.
    """
    if objective.at == "last_hidden" and not head:
        return None
    mask = torch.as_tensor(objective.mask, device=device)
    target = None if objective.target is None else on_device(objective.target, device)

    def loss(result: Result) -> Tensor:
        y = result[0][mask]
        if target is None:
            return y.sum()
        targets = target[mask]
        if objective.loss == "cross_entropy":
            return functional.cross_entropy(y, targets)
        targets = targets.to(y.dtype)
        if objective.loss == "bce":
            return functional.binary_cross_entropy_with_logits(y, targets)
        return functional.mse_loss(y, targets)

    return loss


def describe(objective: Objective, *, head: bool, bidirectional: bool = False) -> str:
    """The objective in words: "mse of y, every timestep"."""
    if objective.at == "last_hidden" and not head:
        return LAST_HIDDEN + (", both directions" if bidirectional else "")
    of = "y" if head else "h"
    places = {"every": "every timestep", "last": "last timestep", "last_hidden": "last timestep"}
    where = places.get(str(objective.at), f"t={objective.at}")
    return f"{objective.loss.replace('_', ' ')} of {of}, {where}"

"""Consecutive timesteps of one layer and direction, run forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lstmtui.models.unroll import States


@dataclass
class Segment:
    """Consecutive timesteps of one layer and direction, run forward."""

    values: dict[str, Tensor]
    """Every quantity of the cell, (timesteps, B, units); 0 where not valid."""
    finals: States
    """The states after it, in memory of their own."""
    gap: Tensor | None = None
    graph: object = None
    """What a method keeps for going backward."""


@dataclass
class SegmentDerivatives:
    """Total derivatives of consecutive timesteps."""

    derivatives: dict[str, Tensor]
    """By the quantity they are of, and x."""
    states: States
    """By the states before the first timestep."""
    parameters: dict[str, Tensor]
    """This segment's share of the gradients by the parameters, by base name."""

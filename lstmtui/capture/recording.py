"""What one layer and direction did: the place where everything recorded of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import torch
from torch import Tensor

from lstmtui.capture.loss.reads import Reads
from lstmtui.capture.products import Precision
from lstmtui.capture.progress import Progress
from lstmtui.capture.stores.store import Store
from lstmtui.cells import Cell
from lstmtui.models.unroll import Observer, States

if TYPE_CHECKING:
    from lstmtui.capture.recomputed_arrays import RecomputedArrays


Probe = Literal["", "whole", "pointwise", "own"]
"""What a backward pass asks for: gradients; all that each timestep has seen; its own input alone, and the
initial states; its own input and nothing else, with numbers in proportion to what has come back."""


@dataclass(kw_only=True)
class Repeatable:
    """The record of a part of a graph; if that part repeats another, the derivatives go to the other."""

    before_backward: Callable[[], None] | None = None
    """Called when backward reaches it."""
    stands_for: Self | None = None
    """What it repeats."""
    has_gradient: bool = False
    """Whether backward has reached it, or what repeats it."""

    def reached(self) -> Self:
        """Note that backward has reached this part; returns the record that the derivatives belong to."""
        if self.before_backward is not None:
            self.before_backward()
        target = self if self.stands_for is None else self.stands_for
        target.has_gradient = True
        return target


@dataclass
class Recording(Repeatable):
    """One layer and direction. Arrays are (T, B, units) in the order the cell saw time."""

    cell: Cell
    parameters: dict[str, Tensor]
    """By base name."""
    progress: Progress
    parameters_until: int = 0
    """The timestep from which the parameters were others; 0: there is none."""
    values: Store = field(default_factory=Store)
    derivatives: Store = field(default_factory=Store)
    """Total derivatives by the quantity they are of; also x."""
    parameter_derivatives: dict[str, Tensor] = field(default_factory=dict)
    initial: dict[str, Tensor] = field(default_factory=dict)
    """h, c before the first timestep, and their total derivatives dh, dc: each (B, units)."""
    changes: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """h, c that a timestep began from, (B, units), where these are not what the timestep before left."""
    edges: list[States] = field(default_factory=list)
    """The states before each segment."""
    valid: Tensor | None = None
    observe: Observer | None = None
    """What takes the place of values; its timesteps are those of the whole run."""
    gap: Tensor | None = None
    """max |Δ| between h by the equations and the stock kernel's; None where no kernel ran."""
    precision: Precision = ""
    """What float32 products were rounded to."""
    reads: Reads | None = None
    """Where what follows the layer reads it; None where no gradient came back."""
    probe: Probe = ""
    """What is asked on the way back."""
    recomputed: RecomputedArrays | None = None
    """What computes values and derivatives again when they are read; None: they are kept here."""

    def value(self, quantity: str) -> Tensor:
        """An array (T, B, units), kept or computed again."""
        return self.values[quantity] if self.recomputed is None else self.recomputed.values(quantity)

    def derivative(self, quantity: str) -> Tensor | None:
        """The total derivative of a quantity; None where the loss does not depend on it."""
        if self.recomputed is None:
            return self.derivatives.get(quantity)
        return self.recomputed.derivatives(quantity) if self.recomputed.is_reached else None

    def before(self) -> dict[str, Tensor]:
        """h, c that each timestep began from, (T, B, units); empty where nothing changed them in between."""
        before = {}
        for state in self.cell.states if self.changes else ():
            values = self.value(state)
            first = self.initial[state].detach().to(values).reshape(1, *values.shape[1:])
            before[state] = torch.cat([first, values[:-1]])
            for t, states in self.changes.items():
                before[state][t] = states[state].detach()
        return before

    def forget_derivatives(self) -> None:
        """Discard what a backward pass has left here."""
        self.has_gradient = False
        self.derivatives.clear()
        self.parameter_derivatives.clear()
        self.reads = None
        if self.recomputed is not None:
            self.recomputed.forget_derivatives()
        self.initial = {s: self.initial[s] for s in self.cell.states if s in self.initial}

    def add_parameter_derivatives(self, gradients: dict[str, Tensor]) -> None:
        """A segment's share of the gradients by the parameters."""
        for name, gradient in gradients.items():
            so_far = self.parameter_derivatives.get(name)
            self.parameter_derivatives[name] = gradient if so_far is None else so_far + gradient

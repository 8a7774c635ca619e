"""Whether the equations of a user's cell can be computed with the sizes of its parameters and states."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmtui.cells.layout import Layout
from lstmtui.errors import UserError
from lstmtui.models.unroll import unroll
from lstmtui.wording import first_line

_BATCH = 2
"""Sequences of the trial, which has shapes alone and no numbers."""


def check_fit(layout: Layout) -> None:
    """Refuse a cell that cannot be computed, or whose quantities come out with other sizes than it says.

    Args:
        layout: of the cell, with sizes that fit together.

    Raises:
        UserError: the first quantity that does not fit, and why.
    """
    for layer in range(min(layout.num_layers, 2)):
        _check_layer(layout, layer)


def _check_layer(layout: Layout, layer: int) -> None:
    cell, count = layout.cell, 0
    parameters = {name: _empty(*shape) for name, shape in layout.shapes_of(layer).items()}
    x = _empty(2, _BATCH, layout.layer_input_size(layer))

    def checked(t: int, name: str, value: Tensor) -> Tensor:
        nonlocal count
        count += 1
        size = layout.state_size(name) if name in cell.states else layout.size(name)
        if tuple(value.shape) != (_BATCH, size):
            units = " × ".join(map(str, value.shape[1:])) or "no"
            expected = "state_sizes says" if name in cell.state_sizes else "it must be"
            raise UserError(f"cell {cell.name}: {name} comes out with {units} units, and {expected} {size}")
        return value

    states = tuple(_empty(_BATCH, layout.state_size(state)) for state in cell.states)
    try:
        with torch.no_grad():
            unroll(cell, parameters, x, states, observe=checked)
    except UserError:
        raise
    except Exception as error:
        name = cell.quantities[count % len(cell.quantities)]
        raise UserError(
            f"cell {cell.name}: {name} cannot be computed with the sizes of its parameters and states: "
            f"{first_line(error)}"
        ) from None


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")

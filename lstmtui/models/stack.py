"""Layers and directions of cells, as PyTorch stacks them. What runs one layer is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lstmtui.cells.layout import Layout
from lstmtui.models.unroll import States, unroll

Scan = Callable[[int, str, Tensor, States, Mapping[str, Tensor], Tensor | None], tuple[Tensor, States]]
"""Runs one layer in one direction: (layer, direction, x, states, parameters, valid) -> (h of every
timestep (T, B, P), last states). `x` and `valid` come in the order in which the cell sees them."""


def run_stack(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: States,
    scan: Scan,
    valid: Tensor | None = None,
    drop: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, States]:
    """Run every layer and direction.

    Args:
        layout: the sizes.
        parameters: by PyTorch's full names, weight_ih_l0 …
        x: (T, B, input).
        states: h, or h and c, each (layers·directions, B, units) before the run.
        scan: what runs one layer in one direction.
        valid: bool (T, B, 1), or None where all sequences have the full length.
        drop: what drops a share of h (T, B, directions·P) between layers; None in evaluation.

    Returns:
        The output (T, B, directions·P) and the last states, as `torch.nn.LSTM` returns them.
    """
    finals: list[States] = []
    if valid is not None:
        # What stands in the padding may be anything; it must not reach a sum, not even times 0.
        x = torch.where(valid, x, 0.0)
    for layer in range(layout.num_layers):
        outputs = []
        for direction in layout.directions:
            own = {base: parameters[name] for base, name in layout.names(layer, direction).items()}
            before = tuple(s[len(finals)] for s in states)
            backward = direction == "backward"
            seen_x = x.flip(0) if backward else x
            seen_valid = valid.flip(0) if backward and valid is not None else valid
            output, final = scan(layer, direction, seen_x, before, own, seen_valid)
            outputs.append(output.flip(0) if backward else output)
            finals.append(final)
        x = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        if drop is not None and layer < layout.num_layers - 1:
            x = drop(x)
    return x, tuple(torch.stack(group) for group in zip(*finals, strict=True))


def scan_with(layout: Layout) -> Scan:
    """The scan of ordinary training and inference: the unrolled equations, under autograd."""

    def scan(
        layer: int,
        direction: str,
        x: Tensor,
        states: States,
        parameters: Mapping[str, Tensor],
        valid: Tensor | None,
    ) -> tuple[Tensor, States]:
        _, outputs, final = unroll(layout.cell, parameters, x, states, valid)
        return torch.stack(outputs), final

    return scan


def valid_steps(lengths: Tensor | None, steps: int) -> Tensor | None:
    """The mask (T, B, 1) of timesteps within each sequence, or None where none is shorter than T."""
    if lengths is None or bool((lengths == steps).all()):
        return None
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths[None, :]).unsqueeze(-1)

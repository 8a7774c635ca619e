"""One layer and direction, run and run backwards through its own equations, with nothing hidden.

Forward, every quantity of every timestep is kept. Backward, segments of timesteps are run again under
autograd from their recorded states, last segment first; the gradient by each value is then its total
derivative, as `retain_grad` on every value would give it, in memory that does not grow with T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.progress import Progress
from lstmtui.cells import Cell
from lstmtui.models.unroll import Observer, States, unroll

SEGMENT = 64
"""Timesteps that are run again together."""


@dataclass
class Recording:
    """What one layer and direction did. Arrays are (T, B, units) in the order the cell saw time."""

    cell: Cell
    parameters: dict[str, Tensor]
    """By base name."""
    progress: Progress
    values: dict[str, Tensor] = field(default_factory=dict)
    derivatives: dict[str, Tensor] = field(default_factory=dict)
    """Total derivatives by the quantity they are of; also x."""
    parameter_derivatives: dict[str, Tensor] = field(default_factory=dict)
    initial: dict[str, Tensor] = field(default_factory=dict)
    """h, c before the first timestep, and their total derivatives dh, dc: each (B, units)."""
    edges: list[States] = field(default_factory=list)
    """The states before each segment."""
    valid: Tensor | None = None
    observe: Observer | None = None
    """What takes the place of values; its timesteps are those of the whole run."""


def record_scan(
    recording: Recording, x: Tensor, states: States, valid: Tensor | None, anchor: Tensor
) -> tuple[Tensor, States]:
    """Run a layer so that both its values and, when something is differentiated, its derivatives are kept.

    Args:
        recording: where everything is kept.
        x: (T, B, input), in the order the cell sees it.
        states: h, or h and c, before the run.
        valid: bool (T, B, 1), or None.
        anchor: a scalar leaf that requires a gradient, so that frozen parameters are no obstacle.

    Returns:
        h of every timestep (0 where not valid) and the last states, as parts of the autograd graph.
    """
    recording.valid = valid
    names = tuple(recording.parameters)
    output, *finals = _Scan.apply(  # type: ignore[no-untyped-call]
        recording, len(states), names, anchor, x, *states, *(recording.parameters[n] for n in names)
    )
    return output, tuple(finals)


class _Scan(torch.autograd.Function):
    """The run as one node of the user's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        recording: Recording,
        count: int,
        names: tuple[str, ...],
        anchor: Tensor,
        x: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        states, parameters = rest[:count], dict(zip(names, rest[count:], strict=True))
        ctx.recording, ctx.count, ctx.names = recording, count, names
        ctx.save_for_backward(x, *rest[count:])
        cell = recording.cell
        recording.initial |= dict(zip(cell.states, states, strict=True))
        recording.values["x"] = x.detach().clone()
        outputs = []
        for start in range(0, len(x), SEGMENT):
            part = slice(start, start + SEGMENT)
            valid = None if recording.valid is None else recording.valid[part]
            recording.edges.append(states)
            seen, output, states = unroll(cell, parameters, x[part], states, valid)
            for name, values in seen.items():
                _put(recording.values, name, part, torch.stack(values), len(x), valid)
            outputs.extend(output)
            recording.progress.advance(len(output))
        return torch.stack(outputs), *(s.clone() for s in states)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor, *d_states: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        recording: Recording = ctx.recording
        parameters = dict(zip(ctx.names, weights, strict=True))
        d_states = run_backwards(recording, parameters, x, d_output, d_states)
        return (
            None,
            None,
            None,
            None,
            recording.derivatives["x"],
            *d_states,
            *(recording.parameter_derivatives[n] for n in ctx.names),
        )


def run_backwards(
    recording: Recording,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    d_output: Tensor,
    d_states: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Fill in the total derivatives of a recording whose `edges` are known.

    Args:
        recording: gets the derivatives.
        parameters: by base name.
        x: (T, B, input), in the order the cell saw it.
        d_output: ∂L/∂h of every timestep by what follows this layer, (T, B, units).
        d_states: ∂L/∂ the last states, each (B, units).

    Returns:
        The derivatives by the states before the run.
    """
    for start in reversed(range(0, len(x), SEGMENT)):
        part = slice(start, start + SEGMENT)
        d_states = _backward_segment(recording, parameters, x, part, d_output[part], d_states)
        recording.progress.advance(len(d_output[part]))
    recording.initial |= {"d" + s: d for s, d in zip(recording.cell.states, d_states, strict=True)}
    return d_states


def shifted(observe: Observer | None, start: int) -> Observer | None:
    """The observer for a segment, which counts its timesteps from 0."""
    return None if observe is None else lambda t, name, value: observe(start + t, name, value)


def _backward_segment(
    recording: Recording,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    part: slice,
    d_output: Tensor,
    d_states: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Run a segment again under autograd; returns the derivatives by the states before it."""
    valid = None if recording.valid is None else recording.valid[part]
    leaf_x = x[part].detach().requires_grad_()
    leaf_states = tuple(s.detach().requires_grad_() for s in recording.edges[part.start // SEGMENT])
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    with torch.enable_grad():
        observe = shifted(recording.observe, part.start)
        seen, outputs, finals = unroll(recording.cell, leaves, leaf_x, leaf_states, valid, observe)
    wanted = [value for values in seen.values() for value in values]
    sources = [leaf_x, *leaf_states, *leaves.values(), *wanted]
    gradients = torch.autograd.grad([*outputs, *finals], sources, [*d_output, *d_states], allow_unused=True)
    known = [torch.zeros_like(s) if g is None else g for g, s in zip(gradients, sources, strict=True)]

    _put(recording.derivatives, "x", part, known[0], len(x), None)
    cursor = 1 + len(leaf_states) + len(leaves)
    for name, gradient in zip(leaves, known[1 + len(leaf_states) : cursor], strict=True):
        so_far = recording.parameter_derivatives.get(name)
        recording.parameter_derivatives[name] = gradient if so_far is None else so_far + gradient
    for name, values in seen.items():
        group = known[cursor : cursor + len(values)]
        _put(recording.derivatives, name, part, torch.stack(group), len(x), valid)
        cursor += len(values)
    return tuple(known[1 : 1 + len(leaf_states)])


def _put(
    store: dict[str, Tensor], name: str, part: slice, values: Tensor, steps: int, valid: Tensor | None
) -> None:
    """Write a segment into the array of the whole run; timesteps that are not valid are 0."""
    if name not in store:
        store[name] = values.new_zeros((steps, *values.shape[1:]))
    store[name][part] = values.detach() if valid is None else torch.where(valid, values.detach(), 0.0)

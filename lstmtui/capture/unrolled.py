"""One layer and direction, run and run backwards through its own equations, with nothing hidden.

Forward, every quantity of every timestep is kept. Backward, segments of timesteps are run again under
autograd from their recorded states, last segment first; the gradient by each value is then its total
derivative, as `retain_grad` on every value would give it, in memory that does not grow with T.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from lstmtui.capture.products import precision_of
from lstmtui.capture.recording import Recording
from lstmtui.capture.segment import Segment, SegmentDerivatives
from lstmtui.capture.vector_jacobian import vector_jacobian
from lstmtui.cells import Cell
from lstmtui.models.unroll import Observer, Product, States, unroll

SEGMENT = 64
"""Timesteps that are run again together."""


class Unrolled:
    """The equations step by step: a way to run a layer that there is for every cell.

    Args:
        cell: whose equations to run.
        parameters: of one layer and direction, by base name.
    """

    def __init__(self, cell: Cell, parameters: Mapping[str, Tensor]) -> None:
        self._cell, self._parameters = cell, parameters
        self.length = SEGMENT
        self.keeps = False
        # There is no kernel to follow: products are as precise as those of the model's own linear layers.
        self.precision = precision_of(next(iter(parameters.values())))

    def forward(self, x: Tensor, states: States, valid: Tensor | None) -> Segment:
        """Run a segment.

        Args:
            x: (T, B, input), in the order the cell sees it.
            states: h, or h and c, before.
            valid: bool (T, B, 1), or None.
        """
        seen, _, finals = unroll(self._cell, self._parameters, x, states, valid)
        values = {name: _over_time(steps, valid) for name, steps in seen.items()}
        return Segment(values, tuple(s.clone() for s in finals))

    def backward(
        self,
        x: Tensor,
        states: States,
        valid: Tensor | None,
        segment: Segment,
        d_output: Tensor | None,
        d_finals: tuple[Tensor | None, ...],
    ) -> SegmentDerivatives:
        """Run a segment of any length backwards: its parts are run again, the last of them first.

        Args:
            x: as in `forward`.
            states: as in `forward`.
            valid: as in `forward`.
            segment: is not read.
            d_output: ∂L/∂h by what follows the layer, or None for 0.
            d_finals: ∂L/∂ the states after the segment; None for 0.
        """
        starts = range(0, len(x), SEGMENT)
        edges = [states]
        for start in starts[:-1]:
            part = slice(start, start + SEGMENT)
            now = None if valid is None else valid[part]
            edges.append(unroll(self._cell, self._parameters, x[part], edges[-1], now)[2])
        parts = []
        for start, before in zip(reversed(starts), reversed(edges), strict=True):
            part = slice(start, start + SEGMENT)
            now, d_now = (None if t is None else t[part] for t in (valid, d_output))
            parts.append(
                backward_segment(self._cell, self._parameters, x[part], before, now, d_now, d_finals)
            )
            d_finals = parts[-1].states
        return parts[0] if len(parts) == 1 else _joined(parts[::-1])


def run_backwards(
    recording: Recording,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    d_output: Tensor,
    d_states: States,
) -> None:
    """Fill in the total derivatives of a recording whose `edges` are known, one for each `SEGMENT`.

    Args:
        recording: gets the derivatives.
        parameters: by base name.
        x: (T, B, input), in the order the cell saw it.
        d_output: ∂L/∂h of every timestep by what follows this layer, (T, B, units).
        d_states: ∂L/∂ the last states, each (B, units).
    """
    cell, steps = recording.cell, len(x)
    for start in reversed(range(0, steps, SEGMENT)):
        part = slice(start, start + SEGMENT)
        valid = None if recording.valid is None else recording.valid[part]
        before, observe = recording.edges[start // SEGMENT], shifted(recording.observe, start)
        part_derivatives = backward_segment(
            cell, parameters, x[part], before, valid, d_output[part], d_states, observe
        )
        for name, derivative in part_derivatives.derivatives.items():
            recording.derivatives.put(name, start, derivative, steps)
        recording.add_parameter_derivatives(part_derivatives.parameters)
        d_states = part_derivatives.states
        recording.progress.advance(len(d_output[part]))
    recording.initial |= {"d" + s: d for s, d in zip(cell.states, d_states, strict=True)}


def shifted(observe: Observer | None, start: int) -> Observer | None:
    """The observer for a segment, which counts its timesteps from 0."""
    return None if observe is None else lambda t, name, value: observe(start + t, name, value)


def backward_segment(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: States,
    valid: Tensor | None,
    d_output: Tensor | None,
    d_finals: tuple[Tensor | None, ...],
    observe: Observer | None = None,
) -> SegmentDerivatives:
    """Run a segment again under autograd, all of it at once, and differentiate by everything in it.

    Args are those of `Unrolled.backward`; `observe` may replace values, counting timesteps from 0.
    """
    leaf_x = x.detach().requires_grad_()
    leaf_states = tuple(s.detach().requires_grad_() for s in states)
    # The gradient by R is one product after the loop, not the sum of one for each timestep.
    leaves = {n: p.detach().requires_grad_(n != "weight_hh") for n, p in parameters.items()}
    products: list[Product] = []
    with torch.enable_grad():
        seen, outputs, finals = unroll(cell, leaves, leaf_x, leaf_states, valid, observe, products=products)
    sources = [leaf_x, *leaf_states, *(p for p in leaves.values() if p.requires_grad)]
    sources += [value for steps in seen.values() for value in steps]
    d_outputs = [None] * len(outputs) if d_output is None else list(d_output)
    pairs = [
        (of, d) for of, d in zip([*outputs, *finals], [*d_outputs, *d_finals], strict=True) if d is not None
    ]
    gradients = iter(vector_jacobian([*sources, *(p.result for p in products)], pairs))
    derivatives = {"x": next(gradients)}
    d_states = tuple(next(gradients) for _ in leaf_states)
    by_parameter = {n: next(gradients) for n, p in leaves.items() if p.requires_grad}
    derivatives |= {n: _over_time([next(gradients) for _ in steps], valid) for n, steps in seen.items()}
    if "weight_hh" in leaves:
        by_parameter["weight_hh"] = _by_recurrent_weight(leaves["weight_hh"], products, gradients)
    return SegmentDerivatives(derivatives, d_states, by_parameter)


def _by_recurrent_weight(weight: Tensor, products: list[Product], d_results: Iterable[Tensor]) -> Tensor:
    """∂L/∂R from the derivatives of every product with it."""
    groups: dict[tuple[int | None, int | None], list[tuple[Tensor, Tensor]]] = {}
    for product, derivative in zip(products, d_results, strict=True):
        rows = (product.rows.start, product.rows.stop)
        groups.setdefault(rows, []).append((derivative, product.operand.detach()))
    total = torch.zeros_like(weight)
    for (start, stop), pairs in groups.items():
        derivatives, operands = (torch.cat(group) for group in zip(*pairs, strict=True))
        total[start:stop] += derivatives.T @ operands
    return total


def _over_time(steps: list[Tensor], valid: Tensor | None) -> Tensor:
    """One tensor of a segment; timesteps that are not valid are 0."""
    values = torch.stack(steps).detach()
    return values if valid is None else torch.where(valid, values, 0.0)


def _joined(parts: list[SegmentDerivatives]) -> SegmentDerivatives:
    """Consecutive segments as one."""
    derivatives = {n: torch.cat([p.derivatives[n] for p in parts]) for n in parts[0].derivatives}
    parameters = {n: torch.stack([p.parameters[n] for p in parts]).sum(0) for n in parts[0].parameters}
    return SegmentDerivatives(derivatives, parts[0].states, parameters)

"""The gradients that reach the timesteps of a layer from outside its recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array, norm
from lstmtui.capture.devices import where_float64_is
from lstmtui.capture.to_numpy import numpy_of

ROUNDINGS = 64
"""Units of rounding between two ways to compute the same gradient."""


@dataclass
class Reads:
    """The gradients that reached one layer and direction from outside, in the order in which it saw time."""

    output: Array
    """‖∂L/∂h‖ by what reads the output of each timestep, (T, B), float64."""
    finals: tuple[Tensor | None, ...]
    """∂L/∂ the last states by what reads those, (B, units) each; None for 0."""
    last: Array
    """The last timestep of each sequence, (B,)."""

    def array(self) -> Array:
        """‖∂L/∂h‖ by all that reads a timestep, (T, B): the last states are read of the last timestep."""
        total, every = self.output.copy(), np.arange(len(self.last))
        for final in self.finals:
            if final is not None:
                total[self.last, every] = norm(np.stack([total[self.last, every], sizes_of(final)], -1))
        return total


def reads_of(
    d_output: Tensor | None, d_finals: Sequence[Tensor | None], output: Tensor, valid: Tensor | None
) -> Reads:
    """The gradients that reach a layer from outside.

    Args:
        d_output: ∂L/∂h of every timestep by what follows the layer, (T, B, units); None for 0.
        d_finals: ∂L/∂ the last states; None for 0.
        output: of shape (T, B, …).
        valid: bool (T, B, 1), or None.
    """
    steps, batch = output.shape[:2]
    last, sizes = torch.full((batch,), steps - 1, device=output.device), np.zeros((steps, batch))
    if d_output is not None:
        sizes = sizes_of(d_output)
    if valid is not None:
        last = steps - 1 - valid[..., 0].flip(0).int().argmax(0)
        # What is read past the end of a sequence is a 0 that no cell has made.
        sizes = np.where(numpy_of(valid[..., 0]), sizes, 0.0)
    return Reads(sizes, tuple(d_finals), numpy_of(last))


def no_reads(steps: int, batch: int, states: int) -> Reads:
    """The reads of a part that no gradient came back to."""
    return Reads(np.zeros((steps, batch)), (None,) * states, np.full(batch, steps - 1))


def joined_reads(parts: Sequence[tuple[Reads, Sequence[Tensor | None]]]) -> Reads:
    """The reads of parts that follow each other in time.

    Args:
        parts: of each part the reads, and what it has brought back to each of the states that the part before
            has left, (B, units); None for 0. That is no read of the part before.
    """
    arrays = []
    for (reads, _), (_, brought) in pairwise(parts):
        pairs = zip(reads.finals, brought, strict=True)
        rest = tuple(final if b is None or final is None else without(final, b) for final, b in pairs)
        arrays.append(Reads(reads.output, rest, reads.last).array())
    end = parts[-1][0]
    before = sum(len(array) for array in arrays)
    return Reads(np.concatenate([*arrays, end.output]), end.finals, end.last + before)


def brought_back(d_began: Tensor, began: Tensor, left: Tensor, total: Tensor) -> Tensor:
    """What comes back to a state that was left through the one that the next timestep began from.

    To a sequence that is begun anew with zeros nothing comes back. Where the state was changed to another, it
    is not known how much does, and that counts as all. All are (B, units).

    Args:
        d_began: ∂L/∂ what the next timestep began from, by that alone.
        began: what that is.
        left: what was left.
        total: ∂L/∂ what was left, by everything.
    """
    is_anew = (began == 0).all(-1, keepdim=True) & (left != 0).any(-1, keepdim=True)
    is_kept = ((began == left) | (began.isnan() & left.isnan())).all(-1, keepdim=True)
    return d_began.to(total).where(is_kept, total).masked_fill(is_anew, 0)


def without(total: Tensor, part: Tensor) -> Tensor:
    """What of a derivative is not that part of it, (B, units); 0 where rounding may have left it."""
    direct, part = total - part, part.to(total)
    whole = sizes_of(total) + sizes_of(part)
    is_rounding = sizes_of(direct) <= ROUNDINGS * torch.finfo(total.dtype).eps * whole
    return direct.masked_fill(torch.as_tensor(is_rounding, device=direct.device)[:, None], 0)


def sizes_of(vectors: Tensor) -> Array:
    """The L2 norm over units in float64, on the host."""
    if vectors.dtype == torch.float64:
        return norm(numpy_of(vectors))
    # On its own device, which is nearer; no square of a float32 vanishes in float64.
    wide = where_float64_is(vectors.detach())
    return numpy_of(torch.linalg.vector_norm(wide, dim=-1, dtype=torch.float64))

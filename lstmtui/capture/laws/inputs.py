"""A model's input: tensors with an axis of time and one of sequences, which are cut, selected and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.modules.arguments import changed, tensors_in


@dataclass(frozen=True)
class Leaf:
    """One tensor of the input: which of its axes are time and sequences."""

    time: int | None
    batch: int | None
    is_mask: bool = False
    """Whether it says when rather than what: booleans, or nothing but 0 and 1. It is never changed."""
    follows: bool = True
    """Whether its timesteps are those of y; not where it is another sequence, such as an encoder's."""

    def laid_out(self, tensor: Tensor) -> Tensor:
        """The tensor as (T, B, units); an axis that it lacks has the size 1."""
        return laid_out(tensor, self.time, self.batch)


def laid_out(tensor: Tensor, time: int | None, batch: int | None) -> Tensor:
    """A tensor as (T, B, units), in the graph; an axis that is None has the size 1."""
    axes = [axis for axis in (time, batch) if axis is not None]
    moved = tensor.movedim(axes, list(range(len(axes)))) if axes else tensor
    if time is None:
        moved = moved.unsqueeze(0)
    if batch is None:
        moved = moved.unsqueeze(1)
    return moved.reshape(*moved.shape[:2], -1)


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call, with what is known of them."""

    x: Any
    """As the model takes it: a tensor, a tuple of arguments, or a dict of them."""
    leaves: tuple[Leaf, ...]
    """One for each tensor in x, in order."""
    steps: int
    batch: int
    lengths: Tensor | None = None
    """int (B,); None where every sequence has T timesteps."""
    state: Any = None
    """The state to begin from; None: the model's own."""

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor in x, in order."""
        return [tensor for tensor in tensors_in(self.x) if isinstance(tensor, Tensor)]

    def mapped(self, change: Callable[[Leaf, Tensor], Tensor]) -> Inputs:
        """The inputs with every tensor of x changed; contiguous ones stay so, to be viewed as before."""
        leaves = iter(self.leaves)

        def laid_out_alike(tensor: Tensor) -> Tensor:
            new = change(next(leaves), tensor)
            return new.contiguous() if tensor.is_contiguous() else new

        return replace(self, x=changed(self.x, laid_out_alike))

    def cut(self, start: int, stop: int) -> Inputs:
        """A stretch of time of what y follows."""

        def part(leaf: Leaf, tensor: Tensor) -> Tensor:
            if leaf.time is None or not leaf.follows:
                return tensor
            return tensor.narrow(leaf.time, start, stop - start)

        lengths = None if self.lengths is None else (self.lengths - start).clamp(1, stop - start)
        return replace(self.mapped(part), steps=stop - start, lengths=lengths)

    def unpadded(self) -> Inputs:
        """The inputs with every sequence as long as the batch, so that all of them continue in each call."""
        return (
            self if self.lengths is None else replace(self, lengths=torch.full_like(self.lengths, self.steps))
        )

    def of(self, sequences: Sequence[int]) -> Inputs:
        """Some of the sequences."""
        index = torch.tensor(list(sequences))

        def chosen(tensor: Tensor, axis: int | None) -> Tensor:
            return tensor if axis is None else tensor.index_select(axis, index.to(tensor.device))

        part = self.mapped(lambda leaf, tensor: chosen(tensor, leaf.batch))
        lengths = None if self.lengths is None else self.lengths[index]
        state = changed(self.state, lambda tensor: chosen(tensor, state_axis(tensor, self.batch)))
        return replace(part, batch=len(index), lengths=lengths, state=state)

    def different(self, where: Tensor) -> Inputs:
        """The inputs with other numbers, or other tokens, at some places.

        Args:
            where: bool (T, B).
        """
        generator = torch.Generator().manual_seed(1)

        def other(leaf: Leaf, tensor: Tensor) -> Tensor:
            if leaf.is_mask or not leaf.follows or (leaf.time is None and leaf.batch is None):
                return tensor
            at = where if leaf.time is not None else where.any(0, keepdim=True)
            at = at if leaf.batch is not None else at.any(1, keepdim=True)
            return torch.where(_spread(at, leaf, tensor).to(tensor.device), _other(tensor, generator), tensor)

        return self.mapped(other)


def state_axis(tensor: Tensor, batch: int) -> int | None:
    """The axis of sequences of a state: (layers, B, units), (B, units) or the first that is as long."""
    if tensor.dim() == 3 and tensor.shape[1] == batch:
        return 1
    return next((axis for axis, size in enumerate(tensor.shape[:-1]) if size == batch), None)


def _spread(at: Tensor, leaf: Leaf, tensor: Tensor) -> Tensor:
    """(T, B) laid out so that it broadcasts with a leaf's tensor."""
    shape = [1] * tensor.dim()
    if leaf.time is None or leaf.batch is None:
        axis = leaf.time if leaf.time is not None else leaf.batch
        assert axis is not None
        shape[axis] = tensor.shape[axis]
        return at.reshape(shape)
    shape[leaf.time], shape[leaf.batch] = tensor.shape[leaf.time], tensor.shape[leaf.batch]
    return (at if leaf.time < leaf.batch else at.T).reshape(shape)


def _other(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers of the same scale that are different everywhere; tokens are others of those that occur."""
    if tensor.is_floating_point():
        finite = tensor[torch.isfinite(tensor)]
        scale = float(finite.std()) if finite.numel() > 1 else 0.0
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).sign() * (
            0.5 + torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        )
        return tensor + (noise * (scale or 1.0)).to(tensor.device, tensor.dtype)
    if tensor.dtype == torch.bool or tensor.is_complex():
        return tensor
    tokens = torch.unique(tensor)
    if len(tokens) < 2:
        return tensor
    place = torch.searchsorted(tokens, tensor)
    shift = torch.randint(1, len(tokens), tensor.shape, generator=generator).to(tensor.device)
    other: Tensor = tokens[(place + shift) % len(tokens)]
    return other

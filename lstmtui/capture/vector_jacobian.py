"""Puts gradients into a backward pass at the tensors that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


def vector_jacobian(sources: Sequence[Tensor], pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
    """What `torch.autograd.grad` gives for tensors and their gradients; 0 where nothing depends on a source.

    Given gradients that arrive, that function imports a package for symbolic shapes, which takes half a
    second the first time (torch 2.13, `torch.autograd._make_grads`); a node of our own hands them on instead.

    Args:
        sources: what the gradients are by.
        pairs: tensors, and what arrives at each of them; one that depends on nothing is left out.
    """
    pairs = [(t, g) for t, g in pairs if t.requires_grad]
    if not pairs:
        return tuple(torch.zeros_like(source) for source in sources)
    with torch.enable_grad():
        seed = _Seed.apply([g for _, g in pairs], *(t for t, _ in pairs))  # type: ignore[no-untyped-call]
    return torch.autograd.grad(seed, sources, allow_unused=True, materialize_grads=True)


class _Seed(torch.autograd.Function):
    """A scalar whose gradients by its operands are given."""

    @staticmethod
    def forward(ctx: Any, gradients: list[Tensor], *tensors: Tensor) -> Tensor:
        ctx.gradients = gradients
        return tensors[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.gradients

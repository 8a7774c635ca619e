"""The loss of a user's training loop, given by the gradients of results of calls that are run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.steps.watched_calls import WatchedCall


def loss_with(leaf: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """A scalar whose gradients by some results are these; its value means nothing.

    Args:
        leaf: a scalar that it depends on too, with a gradient of 0.
        pairs: a result of a call and the gradient by it, each.
    """
    gradients = [gradient for _, gradient in pairs]
    loss: Tensor = _Loss.apply(gradients, leaf, *(result for result, _ in pairs))  # type: ignore[no-untyped-call]
    return loss


class _Loss(torch.autograd.Function):
    """A scalar with given gradients by its operands."""

    @staticmethod
    def forward(ctx: Any, gradients: Sequence[Tensor], leaf: Tensor, *results: Tensor) -> Tensor:
        ctx.gradients = gradients
        return torch.zeros_like(leaf)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.gradients


def derivatives_outside(plain: nn.Module, call: WatchedCall) -> dict[int, Tensor]:
    """∂L/∂ each result of a call by what follows the call, by position.

    An LSTMCell makes h of the very c that it returns, so that what came back to c has come through h too.

    Args:
        plain: the module of the call, with its parameters.
        call: that gradients came back to.
    """
    derivatives = dict(call.derivatives)
    if isinstance(plain, nn.LSTMCell) and derivatives.keys() == {0, 1}:
        x, hx, _ = call.arguments
        with torch.enable_grad():
            h, c = nn.LSTMCell.forward(plain, x.detach().requires_grad_(), hx)
            (within,) = torch.autograd.grad(h, c, derivatives[0].to(h.dtype), allow_unused=True)
        derivatives[1] = derivatives[1] if within is None else derivatives[1] - within
    return derivatives

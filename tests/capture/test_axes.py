"""Axes followed through views of every kind, against tensors whose numbers say where they come from."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from lstmtui.capture.axes import Axes, Factor, unknown
from lstmtui.capture.model_output import _time_first
from lstmtui.capture.origins.origins import Origins

KINDS = ("transpose", "permute", "reshape", "unsqueeze", "squeeze", "flatten", "add", "cut", "pieces", "flip")


def moved(y: Tensor, dice: random.Random) -> Tensor:
    """The tensor after an operation that moves numbers, or adds 0 to them."""
    n = y.dim()
    a, b = (dice.randrange(n) for _ in range(2)) if n else (0, 0)
    kind = dice.choice(KINDS)
    if kind == "unsqueeze" or not n:
        return y.unsqueeze(dice.randint(0, n))
    if kind == "transpose":
        return y.transpose(a - n, b)
    if kind == "permute":
        return y.permute(dice.sample(range(n), n))
    if kind == "reshape":
        sizes = [k for k in range(1, y.numel() + 1) if not y.numel() % k]
        first = dice.choice(sizes)
        second = dice.choice([k for k in sizes if not y.numel() // first % k])
        return y.reshape(first, second, -1)
    if kind == "flatten":
        return y.flatten(min(a, b), max(a, b))
    if kind == "cut":
        return torch.cat([y.narrow(a, k, 1) for k in range(y.shape[a])], a)
    if kind == "pieces":
        return torch.stack(y.unbind(a), b) if n > 1 else y
    if kind == "flip":
        return y.flip(a) if dice.random() < 0.2 else y
    return y.squeeze() if kind == "squeeze" else y + torch.zeros(y.shape[-1:])


def test_what_is_told_of_random_views_is_true() -> None:
    dice, told = random.Random(1), 0
    for _ in range(600):
        steps, batch, units = (dice.choice(sizes) for sizes in ([1, 2, 3, 4, 6], [1, 2, 3, 4], [1, 2, 4, 6]))
        places = torch.arange(steps * batch).view(steps, batch, 1).double()
        y = places.expand(steps, batch, units).clone().requires_grad_() * 1.0
        origins = Origins()
        origins.add(y, 0, ("time", "batch"))
        for _ in range(dice.randint(1, 5)):
            y = moved(y, dice)
        turn = _time_first(origins.axes_of(y), {(steps, batch)})
        if turn is not None:
            told += 1
            assert (turn(y.detach()) == places).all(), (steps, batch, units, y.shape)
    assert told > 250


@pytest.mark.parametrize("shape", [(6, 2), (2, 6), (12, 1), (3, 0), (0,), ()])
def test_a_view_that_fits_no_factor_tells_nothing_and_ends(shape: tuple[int, ...]) -> None:
    axes = Axes(((Factor("", 4),), (Factor("time", 3),)))
    assert axes.viewed(shape).shape in (shape, ())
    assert unknown((4, 3)).viewed(shape).shape in (shape, ())

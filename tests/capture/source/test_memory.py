"""What a recording by source holds on to: the arrays of its trace, and nothing of the run."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.bindings import Binding

T, B, H = 6, 16, 40
KEPT: list[list[Tensor]] = []
GRADIENTS: list[Tensor] = []


class Loop(nn.Module):
    """Names with the sequences first and last, one that is written into, and one that some rounds bind."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * H, H)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(B, H)
        for t, x_t in enumerate(x):
            pre = self.linear(torch.cat([x_t, h], 1))
            before = pre.clone()
            turned = pre.tanh().t()
            h = turned.t() * 2
            if t % 2:
                odd = h + 1
                h = odd - 1
            KEPT.append([before.detach(), turned.t().detach()])
            pre.detach().mul_(3)
        return h


def test_names_of_many_numbers_have_the_values_that_they_had() -> None:
    torch.manual_seed(0)
    KEPT.clear()
    arrays = lstmtui.record(Loop(), torch.randn(T, B, H), loss=torch.sum).arrays
    before, turned = (torch.stack(own).numpy() for own in zip(*KEPT, strict=True))
    for name, expected in (("pre_1", before), ("before", before), ("turned", turned), ("pre", before * 3)):
        assert np.array_equal(arrays[f"0/forward/{name}"], expected), name
    assert arrays["0/forward/bound/odd"].tolist() == [False, True] * 3
    assert np.array_equal(arrays["0/forward/odd"][1::2], turned[1::2] * 2 + 1)


def bindings() -> set[int]:
    return {id(item) for item in gc.get_objects() if issubclass(type(item), Binding)}


def test_nothing_of_the_run_is_left_once_it_is_recorded_also_without_a_search_for_garbage() -> None:
    model, x = Loop(), torch.randn(T, B, H)
    gc.collect()
    gc.disable()
    try:
        before = bindings()  # what others have kept of theirs
        trace = lstmtui.record(model, x, loss=torch.sum)
        assert bindings() == before
    finally:
        gc.enable()
    assert trace.steps == T


class Keeping(torch.autograd.Function):
    """Keeps the gradients that come to it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        GRADIENTS.append(gradient)
        return gradient


class Kept(nn.Module):
    """Keeps the gradients of its state."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.linear, self.way = nn.Linear(2, 2), way

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(3, 2)
        for x_t in x:
            h = self.linear(x_t + h)
            if self.way == "hook":
                h.register_hook(GRADIENTS.append)
            else:
                h = Keeping.apply(h)
        return h


@pytest.mark.parametrize("is_read_before", [True, False])
@pytest.mark.parametrize("way", ["hook", "function"])
def test_derivatives_that_the_users_code_keeps_and_changes_are_never_shown_changed(
    way: str, is_read_before: bool
) -> None:
    model, x = Kept(way), torch.randn(4, 3, 2)
    expected = lstmtui.record(model, x).arrays["0/forward/dh"]
    assert expected.any(axis=(1, 2)).all()
    GRADIENTS.clear()
    arrays = lstmtui.record(model, x).arrays
    if is_read_before:
        assert np.array_equal(arrays["0/forward/dh"], expected)
    for gradient in GRADIENTS:
        gradient.zero_()
    if is_read_before or way == "hook":
        assert np.array_equal(arrays["0/forward/dh"], expected)
    else:
        with pytest.raises(lstmtui.UserError, match="written into after they had been recorded"):
            arrays["0/forward/dh"]

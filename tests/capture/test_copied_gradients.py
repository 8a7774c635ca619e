"""Gradients at very many places of a graph: the engine's own, in no more memory than they have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

import lstmtui
from lstmtui.capture.copied_gradients import LARGE, with_copies

LOOP = """
import resource
import sys
import torch
import lstmtui

sys.path.insert(0, {tests!r})
from benchmarks.source import Loop

torch.set_num_threads(1)
model, x = Loop({hidden}), torch.randn({steps}, 1, {hidden})
model(x[:2]).sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lstmtui.record(model, x, source=True, loss=torch.sum)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_the_memory_of_a_recording_does_not_grow_with_the_weights_in_each_timestep() -> None:
    code = LOOP.format(hidden=512, steps=80, tests=str(Path(__file__).parents[1]))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 150  # MiB; a weight has 4


class Part(nn.Module):
    """Rounds of which some lead to weights, some to a frozen start alone, and some to no loss."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.large = nn.Linear(size, size, dtype=torch.float64)
        self.start = torch.randn(3, size, dtype=torch.float64, requires_grad=True)
        self.values: list[Tensor] = []
        self.loss = torch.zeros(())

    def forward(self, x: Tensor) -> None:
        self.values = []
        h = s = self.start * 2
        for x_t in x:
            a, b = (self.large(h) + x_t).chunk(2, 1)
            h = torch.cat([torch.sigmoid(a), torch.tanh(b)], 1) * h
            s = torch.sin(s) * 1.1
            unused = torch.exp(h)
            if not self.values:
                h.register_hook(clipped)  # type: ignore[no-untyped-call]
                s.register_hook(clipped)  # type: ignore[no-untyped-call]
            self.values += [a, b, h, s, unused]
        self.loss = (h * s).sum()


def clipped(gradient: Tensor) -> Tensor:
    return gradient.clamp(-0.01, 0.01)


@pytest.mark.parametrize("size", [8, 256])
@pytest.mark.parametrize("is_start_source", [True, False])
def test_they_are_what_retain_grad_gives_also_where_nothing_leads_to_a_weight(
    size: int, is_start_source: bool
) -> None:
    torch.manual_seed(0)
    part, x = Part(size), torch.randn(5, 3, size, dtype=torch.float64)
    weight = part.large.weight
    assert (weight.nbytes >= LARGE) == (size > 8)
    part(x)
    for value in part.values:
        value.retain_grad()
    part.loss.backward()  # type: ignore[no-untyped-call]
    expected = [weight.grad, *([part.start.grad] if is_start_source else []), *(v.grad for v in part.values)]
    assert sum(gradient is None for gradient in expected) == 5  # of what nothing reads
    part(x)
    edges = [get_gradient_edge(value) for value in part.values]
    sources = [weight, *([part.start] if is_start_source else []), *edges]
    copied = with_copies(part.loss, sources, {part.values[2].grad_fn, part.values[3].grad_fn})
    for gradient, other in zip(copied, expected, strict=True):
        assert (gradient is None) == (other is None)
        if gradient is not None and other is not None:
            assert torch.equal(gradient, other)


class Clipped(nn.Module):
    """A loop whose gradients are clipped on their way, as against exploding ones."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * size, size)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(3, self.size)
        for x_t in x:
            h = torch.tanh(self.linear(torch.cat([x_t, h], 1)))
            h.register_hook(clipped)  # type: ignore[no-untyped-call]
            if STATES is not None:
                h.retain_grad()
                STATES.append(h)
        return h


STATES: list[Tensor] | None = None


@pytest.mark.parametrize("size", [4, 200])
def test_what_hooks_of_the_users_do_to_a_derivative_is_shown(size: int, monkeypatch: Any) -> None:
    torch.manual_seed(0)
    model, x = Clipped(size), torch.randn(6, 3, size)
    recorded = lstmtui.record(model, x, loss=torch.sum).arrays["0/forward/dh"]
    monkeypatch.setitem(globals(), "STATES", [])
    model(x).sum().backward()
    assert STATES is not None
    expected = torch.stack([state.grad for state in STATES if state.grad is not None])
    assert expected.abs().max() == 0.01
    assert np.array_equal(recorded, expected.numpy())

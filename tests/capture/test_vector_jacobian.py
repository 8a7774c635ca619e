"""Gradients put in where they arrive are those of autograd, at the price of nothing."""

from __future__ import annotations

import subprocess
import sys

import torch
from oracles.recurrents import noise

from lstmtui.capture.vector_jacobian import vector_jacobian


def test_they_are_those_of_autograd() -> None:
    x, y, unused = (noise(3, 2, seed=n).requires_grad_() for n in (1, 2, 3))
    a = x * y
    b = a.sin()
    first, second, third = (noise(3, 2, seed=n) for n in (4, 5, 6))
    wanted = torch.autograd.grad([a, b, b], [x, a], [first, second, third], retain_graph=True)
    constant = torch.ones(2)
    pairs = [(a, first), (b, second), (constant, constant), (b, third)]
    by_x, by_a, by_unused = vector_jacobian([x, a, unused], pairs)
    assert torch.allclose(by_x, wanted[0], rtol=1e-15)
    assert torch.allclose(by_a, wanted[1], rtol=1e-15)
    assert torch.equal(by_unused, torch.zeros_like(unused))


def test_tensors_that_depend_on_nothing_have_gradients_of_zero() -> None:
    x = torch.ones(2, requires_grad=True)
    assert torch.equal(vector_jacobian([x], [(torch.ones(2), torch.ones(2))])[0], torch.zeros(2))


def test_the_first_recording_imports_nothing_slow() -> None:
    code = (
        "import sys, torch, lstmtui; lstmtui.record(torch.nn.LSTM(3, 4), torch.randn(5, 1, 3));"
        "assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

"""Linear recurrences in blocks are those of the plain loop."""

from __future__ import annotations

import pytest
import torch
from oracles.recurrents import noise

from lstmtui.capture.fused.recurrence import backward_in_time, forward_in_time


@pytest.mark.parametrize("steps", [1, 2, 7, 8, 31, 32, 33, 64, 300, 2051])
def test_a_recurrence_forward_in_time_is_the_loop(steps: int) -> None:
    a, b, y = noise(steps, 2, 3, seed=1).sigmoid(), noise(steps, 2, 3, seed=2), noise(2, 3, seed=3)
    found = forward_in_time(a, b, y)
    for t in range(steps):
        y = a[t] * y + b[t]
        assert torch.allclose(found[t], y, rtol=1e-13, atol=1e-13), t


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 7, 8, 31, 32, 33, 34, 64, 300, 2051])
def test_a_recurrence_backward_in_time_is_the_loop(steps: int, given: bool) -> None:
    a, b = noise(steps, 2, 3, seed=1).sigmoid(), noise(steps, 2, 3, seed=2)
    end = noise(2, 3, seed=3) if given else None
    found = backward_in_time(a, b, end)
    y = b[-1] if end is None else b[-1] + end
    assert torch.allclose(found[-1], y, rtol=1e-13)
    for t in reversed(range(steps - 1)):
        y = a[t + 1] * y + b[t]
        assert torch.allclose(found[t], y, rtol=1e-13, atol=1e-13), t

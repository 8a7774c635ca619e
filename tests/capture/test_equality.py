"""Tensors are compared and put together whatever devices they are on: a state may have been moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.pretended_mps import PretendedMps

from lstmtui.capture.equality import comparable, equal, same
from lstmtui.capture.source.layers.stacked import _array

NAN = float("nan")


@pytest.mark.parametrize(
    ("a", "b", "are_equal", "are_same"),
    [
        (torch.ones(2), torch.ones(2), True, True),
        (torch.ones(2), torch.zeros(2), False, False),
        (torch.tensor([NAN]), torch.tensor([NAN]), False, True),
        (torch.tensor([NAN, 1.0]), torch.tensor([NAN, 2.0]), False, False),
        (torch.ones(2), torch.ones(3), False, False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False, False),
        (torch.ones(2), torch.ones(2, device="meta"), False, False),
        (torch.ones(2, device="meta"), torch.ones(2), False, False),
    ],
)
def test_what_cannot_be_compared_is_not_equal(
    a: torch.Tensor, b: torch.Tensor, are_equal: bool, are_same: bool
) -> None:
    assert (equal(a, b), same(a, b)) == (are_equal, are_same)
    assert comparable(a, b) or not are_same


def test_rounds_on_two_devices_are_one_array(monkeypatch: pytest.MonkeyPatch) -> None:
    with PretendedMps(monkeypatch):
        rounds = [torch.full((2, 3), float(t)) for t in range(4)]
        rounds[2:] = [value.to("mps") for value in rounds[2:]]
        with pytest.raises(RuntimeError, match="same device"):
            torch.stack(rounds)
        array = _array([*rounds, None], rounds[0], 0, (3,), 2, is_alike=False)
    assert np.array_equal(array[:, 1, 2], [0, 1, 2, 3, 0])

"""Seeding is that of PyTorch, and quick where there is only a CPU."""

from __future__ import annotations

import traceback

import pytest
import torch

from lstmtui.models.seeding import seed_all_devices


@pytest.mark.parametrize("seed", [0, 7, -1, -(2**63), 2**64 - 1])
def test_the_numbers_are_those_of_torchs_own_seed(seed: int) -> None:
    torch.manual_seed(seed)
    numbers = torch.randn(5)
    seed_all_devices(seed)
    assert torch.equal(torch.randn(5), numbers)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="a device that is there is seeded")
def test_no_stack_is_read_for_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traceback, "format_stack", None)
    seed_all_devices(0)

"""A run takes no more of a GPU than is free: segments by a pretended memory; one forward where it fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise, random_recurrent

from lstmtui.capture import devices
from lstmtui.capture import layer_function as scan
from lstmtui.capture.devices import free_memory
from lstmtui.capture.fused import method
from lstmtui.capture.fused.kernel import KERNELS, Kernel
from lstmtui.capture.record import record
from lstmtui.cells import CELLS

MIB = 2**20


@pytest.fixture
def a_gpu_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From here on the CPU is a GPU with so many free bytes."""

    def pretend(free: int) -> None:
        monkeypatch.setattr(method, "on_gpu", lambda _: True)
        monkeypatch.setattr(method, "free_memory", lambda _: free)
        monkeypatch.setattr(scan, "leaves_the_device", lambda _: True)

    return pretend


def sizes(cell: str, steps: int, batch: int, hidden: int) -> tuple[bool, int]:
    rows, quantity = len(CELLS[cell].rows) * hidden, torch.empty(0)
    parameters = {name: quantity.new_empty(rows, hidden) for name in ("weight_ih", "weight_hh")}
    run = method.Fused(CELLS[cell], parameters, steps, batch)
    return run.keeps, run.length


@pytest.mark.parametrize("cell", KERNELS)
def test_what_is_free_decides_how_much_is_kept(cell: str, a_gpu_with: Callable[[int], None]) -> None:
    steps, batch, hidden = 1000, 32, 512
    numbers = 2 * len(CELLS[cell].quantities) * hidden + 2 * hidden  # quantities, x, derivatives
    for free in (40 * MIB, 300 * MIB, 1000 * MIB, 4000 * MIB):
        a_gpu_with(free)
        keeps, length = sizes(cell, steps, batch, hidden)
        assert not keeps
        assert 1 <= length <= steps
        assert length == 1 or length * batch * numbers * 4 < free / 2
    a_gpu_with(60_000 * MIB)
    assert sizes(cell, steps, batch, hidden) == (True, steps)
    assert sizes(cell, 1_000_000, batch, hidden)[0] is False
    assert sizes(cell, 200_000, 1, 8) == (True, 65_535)  # the most that cuDNN takes in one call


@pytest.mark.parametrize("cell", KERNELS)
@pytest.mark.parametrize("lengths", [None, [70, 12, 41]])
def test_the_numbers_are_the_same_in_any_memory(
    cell: str, lengths: list[int] | None, a_gpu_with: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    forwards: list[int] = []
    run = Kernel.run

    def counted(self: Kernel, x: Any, *rest: Any) -> Any:
        forwards.append(len(x))
        return run(self, x, *rest)

    module, x = random_recurrent(cell), noise(70, 3, 3, seed=501)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)
    whole = record(module, x, lengths=lengths)
    monkeypatch.setattr(Kernel, "run", counted)
    monkeypatch.setattr(method, "LONGEST", 32)
    for free, parts, times in ((10**9, [32, 32, 6], 1), (150_000, None, 2), (0, [1] * 70, 2)):
        a_gpu_with(free)
        forwards.clear()
        trace = record(module, x, lengths=lengths)
        assert sum(forwards) == 70 * times  # once where there is memory to keep what the kernel keeps
        assert parts is None or forwards[: len(parts)] == parts
        for key, array in whole.arrays.items():
            assert gap(trace.arrays[key], array) <= 1e-12, key


def test_free_is_what_this_process_can_still_take(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {
        "reserved_bytes.all.current": 30,
        "allocated_bytes.all.current": 20,
        "inactive_split_bytes.all.current": 4,
    }
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (50, 100))
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda _: counts)
    for share, expected in ((1.0, 56), (0.5, 30), (0.1, 0)):
        monkeypatch.setattr(
            devices.torch.cuda, "get_per_process_memory_fraction", lambda _, s=share: s, raising=False
        )
        assert free_memory(torch.device("cuda")) == expected

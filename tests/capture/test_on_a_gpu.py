"""On a GPU: the numbers of the CPU, in the precision of the kernel and the memory that is free."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, gap, noise, random_recurrent
from torch import Tensor, nn

from lstmtui.capture.devices import free_memory
from lstmtui.capture.fused.kernel import KERNELS
from lstmtui.capture.layer_function import method
from lstmtui.capture.products import kernels_in
from lstmtui.capture.record import record
from lstmtui.trace import Trace

pytestmark = pytest.mark.gpu
NEAR = {"": 1e-4, "TF32": 3e-2}
"""How far numbers may be from the CPU's, by what the operands of products are rounded to."""
PARITY = 1e-5
MIB = 2**20


def gpu() -> str:
    """The GPU of this machine; without one the test is skipped."""
    if torch.cuda.is_available():
        return "cuda"
    if not torch.backends.mps.is_available():
        pytest.skip("neither torch.cuda nor torch.backends.mps has a device on this machine")
    return "mps"


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """CUDA, with nothing of other tests in its memory."""
    if not torch.cuda.is_available():
        pytest.skip("torch.cuda has no device on this machine")
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield torch.device("cuda", torch.cuda.current_device())
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def squares(result: Any) -> Tensor:
    total: Tensor = ((result[0] if isinstance(result, tuple) else result) ** 2).sum()
    return total


def assert_near(there: Trace, here: Trace) -> None:
    assert set(there.arrays) == set(here.arrays)
    for key, array in here.arrays.items():
        assert gap(there.arrays[key], array) <= NEAR[there.header.precision], key
    if there.parity is not None and here.header.dtype == "float32":
        assert there.parity <= PARITY


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_it_gives_the_numbers_of_the_cpu(cell: str) -> None:
    device = gpu()
    module = random_recurrent(cell, num_layers=2, bidirectional=True, dtype=torch.float32)
    x = noise(7, 3, 3, seed=120, dtype=torch.float32)
    here, there = record(module, x, lengths=[7, 3, 5]), record(module, x, lengths=[7, 3, 5], device=device)
    assert there.header.device.startswith(device)
    assert next(module.parameters()).device.type == "cpu"
    assert_near(there, here)


@pytest.mark.parametrize("precision", ["", "TF32"])
@pytest.mark.parametrize("cell", KERNELS)
def test_the_equations_follow_the_kernel_in_either_precision(
    cell: str, precision: Any, cuda: torch.device
) -> None:
    if torch.cuda.get_device_capability(cuda) < (8, 0):
        pytest.skip("this GPU has no TF32")
    module = random_recurrent(cell, 48, 96, dtype=torch.float32)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.2)
    x = noise(50, 8, 48, seed=121, dtype=torch.float32)
    with kernels_in(precision, cuda):
        trace = record(module, x, loss=squares, device="cuda")
    assert trace.header.precision == precision
    assert trace.parity is not None
    assert trace.parity <= PARITY
    # Looked at where the setting is another: in the precision of the run all the same.
    assert gap(trace.values("y"), trace.values("h")) == 0
    here = record(module, x, loss=squares)
    for name in here.quantities():
        scale = max(1.0, float(np.abs(here.values(name)).max()))
        assert gap(trace.values(name) / scale, here.values(name) / scale) <= NEAR[precision], name


@pytest.mark.parametrize("lengths", [None, [40, 7, 39]])
@pytest.mark.parametrize("cell", KERNELS)
def test_both_ways_agree(cell: str, lengths: list[int] | None, cuda: torch.device) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True).to(cuda).eval()
    x = noise(40, 3, 3, seed=45).to(cuda)
    fused, unrolled = (_recorded(way, module, x, lengths) for way in ("fused", "unrolled"))
    assert set(fused.arrays) == set(unrolled.arrays)
    for key, array in unrolled.arrays.items():
        assert gap(fused.arrays[key], array) <= 1e-9, key


def _recorded(way: str, module: nn.Module, x: Tensor, lengths: list[int] | None) -> Trace:
    with method(way):
        return record(module, x, lengths=lengths, loss=squares)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_cudnn_in_evaluation_goes_backward_with_no_dropout_turned_on(kind: Any, cuda: torch.device) -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.drop = kind(3, 4, num_layers=2, dropout=0.5), nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.drop(self.rnn(x)[0])
            return output

    torch.manual_seed(8)
    model, x = Dropping().eval(), noise(5, 2, 3, seed=8, dtype=torch.float32)
    there = record(model, x, loss=squares, device="cuda")
    assert_near(there, record(model, x, loss=squares))
    assert not model.training
    assert not (there.values("x", 1) == 0).any()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_its_memory_is_given_back(kind: Any, cuda: torch.device) -> None:
    layer, x = kind(64, 128, num_layers=2).to(cuda), torch.randn(200, 16, 64, device=cuda)
    record(layer, x, loss=squares)  # cuBLAS and cuDNN keep their workspaces
    gc.collect()
    gc.disable()
    try:
        before = torch.cuda.memory_allocated()
        trace = record(layer, x, loss=squares)
        assert torch.cuda.memory_allocated() == before
        assert trace.values("dh").any()
        assert torch.cuda.memory_allocated() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_peephole"])
def test_it_never_takes_more_than_is_free(cell: str, cuda: torch.device) -> None:
    module = random_recurrent(cell, 32, 64, dtype=torch.float32).to(cuda)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.2)
    steps = 3000 if cell in KERNELS else 300
    x = noise(steps, 32, 32, seed=122, dtype=torch.float32).to(cuda)
    plenty = record(module, x, loss=squares)
    wanted = [np.array(plenty.values(name)) for name in ("f" if "lstm" in cell else "z", "dh")]
    gc.collect()
    torch.cuda.empty_cache()
    total, taken = torch.cuda.mem_get_info(cuda)[1], torch.cuda.memory_reserved(cuda)
    # Several times the output and its gradient, a fraction of what everything would take.
    torch.cuda.set_per_process_memory_fraction((taken + 320 * MIB) / total)
    if hasattr(torch.cuda, "get_per_process_memory_fraction"):
        assert free_memory(cuda) <= 322 * MIB
    little = record(module, x, loss=squares)
    found = [little.values(name) for name in ("f" if "lstm" in cell else "z", "dh")]
    for ours, theirs in zip(found, wanted, strict=True):
        assert gap(ours, theirs) <= 1e-3


def test_more_timesteps_than_cudnn_takes_in_one_call(cuda: torch.device) -> None:
    layer, x = nn.LSTM(2, 3).to(cuda), noise(70_000, 1, 2, seed=123, dtype=torch.float32).to(cuda)
    trace = record(layer, x)
    assert trace.parity is not None
    assert trace.parity <= PARITY
    last = record(
        layer, x[-500:], hx=tuple(torch.tensor(trace.values(s)[-501:-500], device=cuda) for s in "hc")
    )
    assert gap(trace.values("dc")[-500:], last.values("dc")) <= 1e-3

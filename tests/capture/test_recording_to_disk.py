"""A trace that is written while it is recorded is the one that memory would hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise, random_recurrent, random_states
from torch import Tensor, nn

from lstmtui.capture.devices import check_disk
from lstmtui.capture.record import record
from lstmtui.errors import Cancelled, UserError
from lstmtui.trace import Trace
from lstmtui.trace.keys import EXTENT, NORMS
from lstmtui.trace.storage import load

pytestmark = pytest.mark.usefixtures("each_method")


def assert_same(written: Any, kept: Trace) -> None:
    keys = {key for key in written.arrays if not key.startswith((NORMS, EXTENT))}
    assert keys == set(kept.arrays)
    for key in keys:
        assert gap(np.array(written.arrays[key]), kept.arrays[key]) <= 1e-12, key
    assert written.header == kept.header


@pytest.mark.parametrize("lengths", [None, [9, 4]])
@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_peephole"])
def test_what_is_written_is_what_memory_would_hold(
    cell: str, lengths: list[int] | None, tmp_path: Path
) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    x, hx = noise(9, 2, 3, seed=60), random_states(module, 2)
    loss = None if lengths else lambda result: (result[0] ** 2).sum()
    kept = record(module, x, hx=hx, lengths=lengths, loss=loss)
    assert_same(record(module, x, hx=hx, lengths=lengths, loss=loss, path=tmp_path / "run"), kept)
    assert_same(load(tmp_path / "run"), kept)


def test_the_gradient_of_the_input_comes_from_the_files(tmp_path: Path) -> None:
    module, x = nn.LSTM(3, 4).double(), noise(9, 2, 3, seed=61).requires_grad_()

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.scale = module, nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(self.scale * x)[0].relu_().flip(0)  # type: ignore[no-any-return]

    def loss(result: Tensor) -> Tensor:
        return result.square().sum()

    model = Scaled()
    assert_same(record(model, x, loss=loss, path=tmp_path / "run"), record(model, x, loss=loss))


def test_layers_of_different_length_and_loops_get_the_time_of_the_longest(tmp_path: Path) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.GRU(3, 4), nn.GRU(4, 4)
            self.unused = nn.RNN(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x[:4, :1])
            output, h = self.encoder(x)
            for _ in range(3):
                output, h = self.decoder(output[-1:], h)
            return output  # type: ignore[no-any-return]

    model, x = Model().double(), noise(9, 2, 3, seed=62)
    loss = torch.sum
    assert_same(record(model, x, loss=loss, path=tmp_path / "run"), record(model, x, loss=loss))


def test_cancelling_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        record(nn.GRU(3, 4), torch.ones(9, 2, 3), path=tmp_path / "run", progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_trace_that_does_not_fit_on_the_disk_is_refused_with_both_sizes(tmp_path: Path) -> None:
    check_disk(1000, torch.float32, tmp_path)
    with pytest.raises(UserError, match=r"would take \d+\.\d GiB and \d+\.\d GiB are free; record fewer"):
        check_disk(10**16, torch.float32, tmp_path)


_LONG = """
import resource, sys, torch
from torch import nn
import lstmtui
from lstmtui.capture.fused import method
method.KEPT, method.WORKING = 0, 2**22
module, x = nn.LSTM(4, 64), torch.randn(10_000, 1, 4)
lstmtui.record(module, x[:3000], path=sys.argv[1] + "/short")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
trace = lstmtui.record(module, x, path=sys.argv[1] + "/long")
assert trace.values("dh").shape == (10_000, 1, 64)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_run(tmp_path: Path, each_method: str) -> None:
    """57 MB are written; what is resident is one segment, of 4 MiB here."""
    if each_method == "unrolled":
        pytest.skip("the same store, and slow")
    done = subprocess.run(
        [sys.executable, "-c", _LONG, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 35

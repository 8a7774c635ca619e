"""Devices and memory: refusals that say what there is; a GPU gives the CPU's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.more_recurrences import LayerThenLoop
from oracles.pretended_mps import PretendedMps
from oracles.recurrents import gap
from torch import nn

import lstmtui
from lstmtui.capture.devices import check_memory, resolve_device
from lstmtui.capture.record import record
from lstmtui.capture.run import run
from lstmtui.errors import UserError
from lstmtui.scenario.bundled import find_scenario
from lstmtui.trace import Traces


def test_auto_and_cpu_are_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")


def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda answer=cuda: answer)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda answer=mps: answer)
        assert resolve_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "cpu:1", "meta"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=f"device {name}: not on this machine; found cpu$"):
        resolve_device(name)


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UserError, match="device cuda:2: not on this machine; found cpu, cuda"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu cuda"])
def test_what_is_no_device_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(UserError, match="not a device; use auto, cpu, cuda, cuda:N or mps"):
        record(nn.GRU(2, 3), torch.ones(2, 1, 2), device=name)


def test_another_device_runs_a_copy() -> None:
    module = nn.GRU(2, 3)
    seen = []
    hook = module.register_forward_pre_hook(lambda *_: seen.append(1))
    trace = record(module, torch.ones(3, 1, 2), hx=torch.ones(1, 1, 3), device="cpu", lengths=[3])
    hook.remove()
    assert trace.header.device == "cpu"
    assert (
        gap(trace.values("h"), record(module, torch.ones(3, 1, 2), hx=torch.ones(1, 1, 3)).values("h")) == 0
    )


def test_a_trace_that_does_not_fit_into_memory_is_refused_with_both_sizes() -> None:
    check_memory(1000, torch.float32)
    with pytest.raises(
        UserError, match=r"would take \d+\.\d GiB and this machine has \d+\.\d GiB; record fewer"
    ):
        check_memory(10**15, torch.float16)
    endless = torch.zeros(1, 1, 2).expand(10**12, 1, 2)
    with pytest.raises(UserError, match="record fewer timesteps or sequences"):
        record(nn.GRU(2, 64), endless)


@pytest.fixture
def mps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine has MPS, pretended."""
    with PretendedMps(monkeypatch):
        yield


@pytest.mark.parametrize("name", ["lesson-gru", "brackets", "airline"])
def test_a_scenario_runs_where_there_is_no_float64(name: str, mps: None) -> None:
    for trace in run(find_scenario(name)).values():
        assert (trace.header.device, trace.header.dtype) == ("mps", "float32")
        assert trace.values("dh", 0).any()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, LayerThenLoop])
def test_a_module_is_recorded_watched_and_tested_where_there_is_no_float64(
    kind: Any, mps: None, tmp_path: Path
) -> None:
    module = (kind() if kind is LayerThenLoop else kind(3, 4, bidirectional=True)).to("mps")
    x = torch.randn(6, 2, 3).to("mps")
    trace = record(
        module, x, loss=lambda result: (result if kind is LayerThenLoop else result[0]).square().mean()
    )
    assert trace.header.device == "mps"
    assert trace.values("dh", 0).any()
    assert any(law.status == "held" for law in lstmtui.laws(module, x, batch_first=False))
    with lstmtui.watch(module, when="norm(dh) > 0", path=tmp_path / "watched"):
        result = module(x)
        (result if kind is LayerThenLoop else result[0]).square().mean().backward()
    written = lstmtui.load(tmp_path / "watched")
    assert isinstance(written, Traces)
    assert all(trace.values("dh", 0).any() for trace in written.values())

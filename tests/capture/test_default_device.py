"""Whatever device `torch.set_default_device` names, a model is recorded where it is.

On the meta device here, whose tensors hold nothing: what is made there by mistake is an error, or shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.more_recurrences import LayerThenLoop
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import lstmtui
from lstmtui.analysis.laws import HELD
from lstmtui.capture.record import record
from lstmtui.capture.run import run
from lstmtui.scenario.bundled import find_scenario
from lstmtui.trace import Trace, Traces

MODELS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(3, 4, 2),
    "gru": lambda: nn.GRU(3, 4, bidirectional=True),
    "peephole": lambda: lstmtui.Recurrent("lstm_peephole", 3, 4),
    "own": LayerThenLoop,
}


@pytest.fixture
def model_and_x(request: pytest.FixtureRequest) -> Iterator[tuple[nn.Module, Tensor]]:
    """A model on the CPU, and what it is called with; what is made from here on is on the meta device."""
    torch.manual_seed(5)
    model, x = MODELS[request.param](), torch.randn(6, 2, 3)
    torch.set_default_device("meta")
    yield model, x
    torch.set_default_device(None)


def loss_of(result: Any) -> Tensor:
    total: Tensor = (result if isinstance(result, Tensor) else result[0]).square().sum()
    return total


@pytest.mark.parametrize("model_and_x", MODELS, indirect=True)
def test_it_is_recorded_watched_and_tested(model_and_x: tuple[nn.Module, Tensor], tmp_path: Path) -> None:
    model, x = model_and_x
    trace, default = record(model, x, loss=loss_of), record(model, x)
    assert trace.header.device == "cpu"
    assert default.values("dh", 0).any()
    assert HELD in {law.status for law in lstmtui.laws(model, x, batch_first=False)}
    with lstmtui.watch(model, when="t == 0", path=tmp_path / "w"):
        loss_of(model(x)).backward()
    assert torch.get_default_device().type == "meta"
    torch.set_default_device(None)
    same = record(model, x, loss=loss_of)
    written = lstmtui.load(tmp_path / "w")
    assert isinstance(written, Traces)
    for key in same.arrays:
        assert np.array_equal(trace.arrays[key], same.arrays[key]), key
    assert np.allclose(written["step 0"].values("dh", 0), same.values("dh", 0), atol=1e-6)


@pytest.mark.parametrize("model_and_x", ["lstm"], indirect=True)
def test_lengths_are_told_in_any_way(model_and_x: tuple[nn.Module, Tensor]) -> None:
    model, x = model_and_x
    lengths: list[Any] = [[6, 3], np.array([6, 3]), torch.tensor([6, 3], device="cpu")]
    traces: list[Trace] = [record(model, x, lengths=own) for own in lengths]
    with torch.device("cpu"):
        packed = pack_sequence([x[:, 0], x[:3, 1]])
    traces.append(record(model, packed))
    for trace in traces:
        assert list(trace.arrays["lengths"]) == [6, 3]
        assert np.array_equal(trace.values("h"), traces[0].values("h"))


@pytest.mark.parametrize("model_and_x", ["lstm"], indirect=True)
@pytest.mark.parametrize("name", ["lesson-gru", "brackets", "vad"])
def test_a_scenario_runs_where_it_says(name: str, model_and_x: object) -> None:
    traces = run(find_scenario(name), device="cpu")
    assert all(trace.values("dh", 0).any() for trace in traces.values())

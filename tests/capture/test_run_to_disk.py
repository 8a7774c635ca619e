"""A scenario recorded to disk as it goes: the same trace as in memory, to be looked at before it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lstmtui
from lstmtui.trace import Traces
from lstmtui.trace.growth import Growth

SCENARIO = """
[input]
values = [{values}]
[objective]
loss = "mse"
target = "next"
[run]
device = "cpu"
[[model]]
name = "LSTM"
cell = "lstm"
hidden_size = 3
num_layers = 2
head = 1
[[model]]
name = "GRU"
cell = "gru"
hidden_size = 2
bidirectional = true
head = 1
"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.trace.directory.BETWEEN", 0.0)


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    file = tmp_path / "s.toml"
    values = ", ".join(f"[{np.sin(t / 9):.4f}]" for t in range(300))
    file.write_text(SCENARIO.format(values=values))
    return str(file)


def test_it_is_what_is_recorded_in_memory(scenario: str, tmp_path: Path) -> None:
    expected = lstmtui.run(scenario)
    returned = lstmtui.run(scenario, path=tmp_path / "t")
    found = lstmtui.load(tmp_path / "t")
    assert isinstance(found, Traces)
    assert list(found) == list(expected) == ["LSTM", "GRU"]
    for name, trace in expected.items():
        assert found[name].header == returned[name].header == trace.header
        for key, array in trace.arrays.items():
            assert np.array_equal(found[name].arrays[key], array, equal_nan=True), key
            assert np.array_equal(returned[name].arrays[key], array, equal_nan=True), key


def test_it_can_be_looked_at_meanwhile(scenario: str, tmp_path: Path) -> None:
    growth, seen = Growth(tmp_path / "t"), dict[str, list[int]]()

    def look(*_: object) -> None:
        traces = growth.poll()
        if isinstance(traces, Traces):
            name, trace = list(traces.items())[-1]
            seen.setdefault(name, []).append(trace.steps)
            assert trace.values("h").shape == (trace.steps, 1, trace.layers[0].hidden_size)
            assert trace.layer_parameters(0, "forward")["weight_ih"].shape[1] == 1
            assert trace.initial("h").shape == (1, trace.layers[0].hidden_size)
            assert trace.header.live == 0 or growth.state == "live"

    lstmtui.run(scenario, path=tmp_path / "t", progress=look)
    look()
    assert growth.state == "ended at t=299"
    assert seen["LSTM"] == sorted(seen["LSTM"])
    assert seen["LSTM"][-1] == seen["GRU"][-1] == 300


@pytest.mark.parametrize("error", [lstmtui.Cancelled, KeyboardInterrupt])
def test_one_that_is_stopped_leaves_nothing(
    scenario: str, tmp_path: Path, error: type[BaseException]
) -> None:
    seen = []

    def stop(name: str, done: int, total: int) -> None:
        seen.append((tmp_path / "t").is_dir())
        if name == "GRU":
            raise error

    with pytest.raises(error):
        lstmtui.run(scenario, path=tmp_path / "t", progress=stop)
    assert all(seen)
    assert not (tmp_path / "t").exists()

"""Several processes watch one training: each keeps what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.capture.watching.watch import Watch
from lstmtui.trace import Traces
from lstmtui.trace.directory import TraceDirectory


def entered(path: Path) -> Watch:
    torch.manual_seed(0)
    model = nn.LSTM(2, 3)
    watch = lstmtui.watch(model, path=path)
    watch.__enter__()
    model(torch.ones(4, 1, 2))
    return watch


def fail(watch: Watch) -> None:
    error = ValueError("NaN")
    watch.__exit__(ValueError, error, None)


def steps(path: Path) -> list[str]:
    traces = lstmtui.load(path)
    assert isinstance(traces, Traces)
    return list(traces)


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK"])
def test_each_rank_of_a_distributed_training_has_a_path_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for rank, name in (("0", "w"), ("3", "w-rank3"), ("nonsense", "w")):
        monkeypatch.setenv(variable, rank)
        fail(entered(tmp_path / "w"))
        assert steps(tmp_path / name) == ["step 0"]
        assert capsys.readouterr().err.rstrip().endswith(f"written to {tmp_path / name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w", "w-rank3"]


def test_the_process_group_says_the_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 2)
    fail(entered(tmp_path / "w"))
    assert steps(tmp_path / "w-rank2") == ["step 0"]


def test_watches_that_do_not_know_of_each_other_write_side_by_side(tmp_path: Path) -> None:
    watches = [entered(tmp_path / "w") for _ in range(3)]
    fail(watches[0])
    with TraceDirectory(tmp_path / "w-2", several=True):  # somebody else is writing there
        fail(watches[1])
    fail(watches[2])
    assert [steps(tmp_path / name) for name in ("w", "w-2", "w-3")] == [["step 0"]] * 3


def test_a_later_watch_replaces_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    for _ in range(2):
        fail(entered(tmp_path / "w"))
    assert [path.name for path in tmp_path.iterdir()] == ["w"]

"""The laws of state over a link: the same results as here, how long they take, and stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from remote.pairs import connected

import lstmtui
from lstmtui.analysis.laws import HELD, HeldLaws, LawResult, Place
from lstmtui.capture.laws.targets import OF_TRACE, scenario_laws
from lstmtui.errors import Cancelled, UserError
from lstmtui.remote.client.verdict_checks import checked_laws
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.messages import Open
from lstmtui.scenario import load_scenario
from lstmtui.session import Session
from lstmtui.session.held_laws import hold_laws
from lstmtui.trace import Trace

MODEL = """
import torch
from torch import nn

class Documents(nn.Module):
    def __init__(self, late):
        super().__init__()
        self.rnn, self.late = nn.GRU(2, 3), late

    def forward(self, x):
        state, outputs = None, []
        for t in range(len(x)):
            if t == 4 + self.late:
                state = None
            output, state = self.rnn(x[t : t + 1], state)
            outputs.append(output)
        return torch.cat(outputs)

def make(late):
    return Documents(late)
"""
SCENARIO = """
[input]
values = [[[0.1, 1], [0.4, -1], [0.3, 0], [0.7, 1], [0.2, 2], [0.9, -1], [0.5, 1], [0.6, 0]]]
[[model]]
factory = "documents_of_laws:make"
arguments = { late = LATE }
[laws]
starts = [4]
"""


def written(folder: Path, late: int) -> Path:
    (folder / "documents_of_laws.py").write_text(MODEL, encoding="utf-8")
    file = folder / f"s{late}.toml"
    file.write_text(SCENARIO.replace("LATE", str(late)), encoding="utf-8")
    return file


def without_times(results: tuple[LawResult, ...]) -> list[LawResult]:
    return [replace(result, seconds=0.0, number=0.0 if result.number != result.number else result.number)
            for result in results]  # fmt: skip


@pytest.mark.parametrize(("late", "status"), [(0, "held"), (1, "broken")])
def test_results_are_those_of_here_and_starts_come_from_the_scenario(
    tmp_path: Path, late: int, status: str
) -> None:
    file = written(tmp_path, late)
    here = scenario_laws(load_scenario(file, True), "make")
    told: list[str] = []
    with connected() as client:
        traces = client.open(Open(str(file), trust=True))
        assert not isinstance(traces, Trace)
        there = client.laws(traces["make"], lambda law, seconds: told.append(law))
        assert hold_laws(Session(traces, client, client)) == there.results
    assert without_times(there.results) == without_times(here)
    assert next(r.status for r in here if r.name == "reset") == status
    assert set(told) <= {result.name for result in here}


def test_of_a_saved_trace_it_is_said_what_they_are_of(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    lstmtui.record(torch.nn.LSTM(2, 3), torch.randn(5, 2, 2)).save(tmp_path / "t")
    with connected() as client:
        trace = client.open(Open(str(tmp_path / "t")))
        assert isinstance(trace, Trace)
        held = client.laws(trace, only=["causality"])
        assert (held.note, [r.status for r in held.results]) == (OF_TRACE, [HELD])
        with pytest.raises(UserError, match="did you mean causality"):
            client.laws(trace, only=["causalty"])


def test_they_can_be_stopped_and_asked_for_again(tmp_path: Path) -> None:
    def stop(law: str, seconds: float) -> None:
        raise Cancelled

    with connected() as client:
        traces = client.open(Open(str(written(tmp_path, 0)), trust=True))
        assert not isinstance(traces, Trace)
        with pytest.raises(Cancelled):
            client.laws(traces["make"], stop)
        assert client.laws(traces["make"], only=["reset"]).results[0].held


@pytest.mark.parametrize(
    "result",
    [
        LawResult("justice", HELD, ""),
        LawResult("reset", "maybe", ""),
        LawResult("reset", HELD, "", place=Place(99)),
        LawResult("reset", HELD, "", place=Place(1, 7)),
    ],
)
def test_what_cannot_be_said_of_a_run_is_refused(result: LawResult) -> None:
    torch = pytest.importorskip("torch")
    trace = lstmtui.record(torch.nn.LSTM(2, 3), torch.randn(5, 2, 2))
    with pytest.raises(ProtocolError, match="cannot be said"):
        checked_laws(trace, HeldLaws((result,)))

"""Nobody writes into a trace, wherever its arrays are: it says what was, and others look at it too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import synthetic

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.scenario import find_scenario
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace


@pytest.fixture(scope="module")
def module() -> Any:
    """A small layer with everything a trace may hold."""
    torch.manual_seed(0)
    return lstmtui.Recurrent("lstm_peephole", 2, 3, bidirectional=True, proj_size=2)


@pytest.mark.parametrize("how", ["recorded", "what if", "loaded", "to disk", "of a scenario"])
def test_no_array_of_a_trace_can_be_written_into(how: str, module: Any, tmp_path: Path) -> None:
    trace = lstmtui.record(module, torch.randn(5, 2, 2))
    if how == "what if":
        session = Session(trace, RerunEngine())
        warnings.simplefilter("error")  # torch warns where it is given such an array to write into
        assert execute(session, parse_line("set f = 1 from 2 to 3")).ok  # type: ignore[arg-type]
        trace = session.trace
    elif how == "loaded":
        trace.save(tmp_path / "run.trace")
        trace = lstmtui.load(tmp_path / "run.trace")  # type: ignore[assignment]
    elif how == "to disk":
        trace = lstmtui.record(module, torch.randn(5, 2, 2), path=tmp_path / "run.trace")
    elif how == "of a scenario":
        trace = lstmtui.run(find_scenario("first-steps"))["LSTM"]
    assert {key for key, array in trace.arrays.items() if array.flags.writeable} == set()
    assert not trace.norms("h").flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        trace.values("h")[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        trace.parameter_gradients["weight_ih_l0" if how != "of a scenario" else "weight_hh_l0"][0] = 1


def test_an_array_that_a_trace_is_made_of_is_still_its_owners() -> None:
    trace = synthetic(steps=3)
    mine = {key: array.copy() for key, array in trace.arrays.items()}
    made = Trace(trace.header, mine)
    mine["0/forward/h"][0] = 7
    assert (made.values("h")[0] == 7).all()

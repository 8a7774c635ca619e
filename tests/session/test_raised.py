"""A run whose code raised begins where it did, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from source_traces import FIRST_LINE, RELAX_LINE, source_trace

from lstmtui.__main__ import main
from lstmtui.analysis.raised import raised_text
from lstmtui.analysis.source_at import source_at
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.trace.source import Raised
from lstmtui.trace.validation import shape_problems
from lstmtui.tui.banner import bad_value_text


def raising(line: int, t: int = 11) -> Trace:
    return source_trace(raised=Raised(0, t, line, "ValueError: \x1b[31mno"))


def test_the_session_begins_there_and_marks_the_line() -> None:
    session = Session({"fine": source_trace(name="fine"), "mine": raising(FIRST_LINE + 13)})
    assert (session.cursor.model, session.cursor.t) == ("mine", 11)
    code = source_at(session.view)
    assert code is not None
    assert [line.number for line in code.functions[0].lines if line.is_marked] == [FIRST_LINE + 13]
    session.back()
    before = source_at(session.view)
    assert before is not None
    assert not [
        line.number for line in before.functions[0].lines if line.number == FIRST_LINE + 13 and line.is_marked
    ]


def test_it_may_be_in_a_function_that_was_called_and_in_a_round_that_bound_nothing() -> None:
    session = Session(raising(RELAX_LINE + 1, t=12))
    code = source_at(session.view)
    assert code is not None
    assert code.stack == (0, 1)
    assert [line.number for line in code.functions[1].lines if line.is_marked] == [RELAX_LINE + 1]


def test_it_is_said_in_a_sentence() -> None:
    sentence = (
        "my_cell.py:34: new_h = o * torch.tanh(new_c): ValueError: ␛[31mno at t=11, where the recording ends"
    )
    assert raised_text(raising(FIRST_LINE + 13)) == sentence
    forms, goes_there = bad_value_text([Session(raising(FIRST_LINE + 13)).view])
    assert (forms[0], goes_there) == (sentence, "")
    assert forms[-1].startswith("ValueError at t=")
    assert raised_text(raising(7)).startswith("line 7: ValueError")
    assert raised_text(source_trace()) == ""


def test_playing_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raising(FIRST_LINE + 13).save(tmp_path / "run.trace")
    (tmp_path / "script").write_text("print t\n")
    assert main(["play", str(tmp_path / "run.trace"), "--script", str(tmp_path / "script")]) == 0
    output = capsys.readouterr()
    assert "t = 11" in output.out
    assert "where the recording ends" in output.err


def test_a_layer_that_is_not_there_is_refused() -> None:
    trace = source_trace()
    header = replace(trace.header, raised=Raised(3, 0, 1, "no"))
    assert "it raised in a layer that it has not" in shape_problems(header, {})[0]

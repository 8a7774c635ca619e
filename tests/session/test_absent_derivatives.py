"""Derivatives that nobody computed are said to be absent, and why, wherever somebody looks for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.analysis.diagnosis import LOOK, NOT_MEASURED, diagnose_trace
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.errors import UserError
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.trace import Trace, load
from lstmtui.trace.writing import is_derivative

WHY = "it ran without a graph, so no derivatives were recorded"


def half_known(**options: object) -> Trace:
    """Two layers, the first of which has no derivatives."""
    trace = synthetic(layers=2, **options)  # type: ignore[arg-type]
    first, second = trace.layers
    arrays = {
        key: array
        for key, array in trace.arrays.items()
        if not (key.startswith("0/") and is_derivative(key, trace.arrays))
    }
    return Trace(replace(trace.header, layers=(replace(first, absent=WHY), second)), arrays)


def said(session: Session, line: str) -> str:
    command = parse_line(line)
    assert command is not None
    return execute(session, command).text


def test_expressions_say_why_a_derivative_is_not_there() -> None:
    session = Session(half_known())
    for line in ("print norm(dh)", "watch dc[0]", "break when any(df_pre > 0)"):
        assert f"is not there: {WHY}" in said(session, line)
    said(session, "layer 1")
    assert "is not there" not in said(session, "print norm(dh)")


def test_the_diagnosis_does_not_call_gradients_fine_that_nobody_computed() -> None:
    verdicts = [v for v in diagnose_trace(half_known()) if v.name in ("vanishing", "exploding")]
    first = [v for v in verdicts if v.layer == 0]
    assert [(v.name, v.severity, v.text) for v in first] == [
        ("vanishing", LOOK, f"∂L/∂c is not there to be judged: {WHY}"),
        ("exploding", NOT_MEASURED, f"∂L/∂c is not there: {WHY}"),
    ]
    assert {v.name for v in verdicts if v.layer == 1} == {"vanishing", "exploding"}


def test_a_saved_trace_and_an_export_have_no_zeros_in_their_place(tmp_path: Path) -> None:
    half_known().save(tmp_path / "t")
    trace = load(tmp_path / "t")
    assert isinstance(trace, Trace)
    for read in (trace.values, trace.norms, trace.extent):
        with pytest.raises(UserError, match=f"dh: not in this trace; {WHY}"):
            read("dh", 0)
    with pytest.raises(UserError, match=f"dh before the first timestep: not in this trace; {WHY}"):
        trace.initial("dh", 0)
    assert trace.layers[0].absent == WHY


def test_a_bad_loss_is_found_where_one_layer_has_no_derivatives() -> None:
    trace = half_known()
    bad = first_bad_of(Trace(replace(trace.header, loss=np.nan), trace.arrays))
    assert bad is not None
    assert bad.quantity == "loss"

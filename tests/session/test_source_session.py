"""A session over code of the user's own: its names are words of the language, its bindings the stops."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from source_traces import FIRST_LINE, INNER, RELAX_LINE, source_trace
from synthetic import synthetic

from lstmtui.analysis.signal import signal
from lstmtui.expressions import Expression, open_vocabulary, vocabulary_of
from lstmtui.expressions.error import ExpressionError
from lstmtui.notebook import html_of
from lstmtui.playback import OutputFolder, Script, json_line, play
from lstmtui.playback.export import export
from lstmtui.session import Outcome, ScriptError, Session, parse_line, saved_state
from lstmtui.session.execute import execute
from lstmtui.view import View

TRACE = source_trace(steps=16)


def run(session: Session, line: str) -> Outcome:
    command = parse_line(line, vocabulary=session.vocabulary)
    assert command is not None
    return execute(session, command)


def test_into_walks_every_binding_and_out_leaves_a_function() -> None:
    session = Session(TRACE)
    stages = session.cell.stages
    assert session.into().text == f"h_prev (my_cell.py:{FIRST_LINE + 1}, LayerNormLSTM.forward) at t=0"
    while stages[session.cursor.stage or 0] != "step":
        session.into()
    assert (
        session.into().text == f"u, inner step 0 (my_cell.py:{FIRST_LINE + 8}, LayerNormLSTM.forward) at t=0"
    )
    assert session.into().text == f"step, inner step 1 (my_cell.py:{RELAX_LINE + 1}, relax) at t=0"
    assert (
        session.out().text == f"u, inner step 1 (my_cell.py:{FIRST_LINE + 8}, LayerNormLSTM.forward) at t=0"
    )
    assert session.out().text == "whole timesteps, t=0"
    assert session.out().kind == "refused"


def test_where_says_that_recorded_code_has_no_equations() -> None:
    outcome = run(Session(TRACE), "where f[1]")
    assert not outcome.ok
    assert (
        outcome.text
        == "the equations of recorded code are not known, so what is kept of a state is not known either"
    )
    assert run(Session(TRACE), "where c[1]").text.startswith("c: this layer has ")


def test_into_goes_on_to_the_next_round_and_ends_at_the_last() -> None:
    session = Session(source_trace(steps=2))
    stops = [session.into() for _ in range(2 * len(session.cell.stages) + 1)]
    assert [stop.kind for stop in stops[-2:]] == ["into", "end"]
    assert session.cursor.t == 1
    assert stages_of(stops) == list(session.cell.stages) * 2
    assert session.cell.stages.count("u") == INNER


def stages_of(stops: list[object]) -> list[str]:
    return [str(stop.text).split(" ")[0].rstrip(",") for stop in stops[:-1]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f[1]", TRACE.values("f")[3, 0, 1]),
        ("max(abs(gates))", np.abs(TRACE.values("gates")[3, 0]).max()),
        ("S[1, 0, 2]", TRACE.values("S")[3, 0].reshape(2, 2, 3)[1, 0, 2]),
        ("S[-1, 1, -1]", TRACE.values("S")[3, 0].reshape(2, 2, 3)[-1, 1, -1]),
        (
            "(S - prev(S))[0, 1, 1]",
            np.diff(TRACE.values("S")[2:4, 0].astype(float), axis=0)[0].reshape(2, 2, 3)[0, 1, 1],
        ),
        ("S[7]", TRACE.values("S")[3, 0, 7]),
        ("dS[1, 1, 0]", TRACE.values("dS")[3, 0].reshape(2, 2, 3)[1, 1, 0]),
        ("energy[0]", TRACE.values("energy")[3, 0, 0]),
        ("best[0]", TRACE.values("best")[3, 0, 0]),
        ("norm(dnew_c)", np.linalg.norm(TRACE.values("dnew_c")[3, 0].astype(float))),
    ],
)
def test_names_of_the_code_are_quantities(text: str, value: float) -> None:
    session = Session(TRACE)
    session.goto(3)
    outcome = run(session, f"print {text}")
    assert outcome.ok
    np.testing.assert_allclose(float(np.asarray(outcome.value)), float(value), rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("print S[1, 0]", "S has 3 axes of 2 × 2 × 3, not 2; did you mean S[0, 0, 0]?"),
        ("print f[0, 0]", "f has one axis, not 2; did you mean f[0]?"),
        ("print S[0, 2, 0]", "index 2: axis 1 of S has 0 to 1"),
        ("print S[12]", "unit 12: S has units 0 to 11"),
        ("print dbest", "dbest is not there: best has no gradient: integer"),
        ("print h", "h is not there; the selected layer has"),
    ],
)
def test_what_a_name_has_not_is_said(line: str, sentence: str) -> None:
    outcome = run(Session(TRACE), line)
    assert not outcome.ok
    assert sentence in outcome.text


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    session = Session(TRACE)
    with pytest.raises(
        ScriptError, match='new_cc is neither a quantity nor a function; did you mean "new_c"'
    ):
        run(session, "print new_cc")
    with pytest.raises(ScriptError, match="new_c is neither"):
        parse_line("print new_c")
    written_before = Expression("new_cc > 1", open_vocabulary())
    session.breakpoints.add_when(written_before)
    assert "cannot be hit here" in run(session, "breaks").text


def test_names_beyond_ascii_are_read_where_the_code_has_them() -> None:
    trace = source_trace()
    (layer,) = trace.layers
    assert layer.source is not None
    variables = tuple(replace(v, name="Δ" if v.name == "f" else v.name) for v in layer.source.variables)
    stages = tuple(replace(s, variable="Δ" if s.variable == "f" else s.variable) for s in layer.source.stages)
    own = replace(layer, source=replace(layer.source, variables=variables, stages=stages))
    arrays = {"0/forward/Δ" if key == "0/forward/f" else key: a for key, a in trace.arrays.items()}
    greek = type(trace)(replace(trace.header, layers=(own,)), arrays)
    session = Session(greek)
    assert run(session, "print max(Δ) + new_h[77]").text.startswith(
        "max(Δ) + new_h[77]: unit 77: new_h has units 0 to 3"
    )
    assert run(session, "print Δ[1] - Δ[1]").value == 0
    with pytest.raises(ExpressionError, match="unknown sign Δ"):
        Expression("max(Δ)")
    with pytest.raises(ExpressionError, match="unknown sign Ω"):
        Expression("max(Ω)", vocabulary_of([greek]))


def test_breakpoints_watches_and_expectations_use_the_names() -> None:
    session = Session(TRACE)
    assert run(session, "break when max(f) > 0.9").ok
    hits = np.flatnonzero(TRACE.values("f")[:, 0].max(axis=1) > np.float32(0.9))
    outcome = run(session, "continue")
    assert session.cursor.t == hits[hits > 0][0], outcome.text
    assert run(session, "watch norm(dnew_c)").ok
    assert run(session, "expect len(S) == 12").expect is True


def test_breakpoints_on_names_are_kept_between_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session = Session(TRACE)
    run(session, "break when norm(new_c) > 1")
    saved_state.save(session, tmp_path / "mine.trace")
    again = Session(TRACE)
    assert saved_state.load(again, tmp_path / "mine.trace")
    assert [point.when.text for point in again.breakpoints if point.when] == ["norm(new_c) > 1"]


def test_an_export_has_every_name_in_its_own_shape() -> None:
    session = Session(TRACE)
    session.select_unit(2)
    file = io.BytesIO()
    export(session.view, "a.npz", file)
    arrays = np.load(io.BytesIO(file.getvalue()))
    assert arrays["S"].shape == (16, 2, 2, 2, 3)
    assert arrays["energy"].shape == (16, 2, 1)
    assert arrays["bound_noise"].tolist() == [True, False] * 8
    assert arrays["initial_new_h"].shape == (2, 4)
    table = io.BytesIO()
    export(session.view, "a.csv", table)
    head = table.getvalue().decode().splitlines()[0].split(",")
    assert {"norm(S)", "S[2]", "energy[0]", "best[0]", "dnew_c[2]"} <= set(head)


def test_a_script_is_played_with_the_names_and_stages(tmp_path: Path) -> None:
    session = Session(TRACE)
    script = Script("into\ninto\nprint f[0]\nexpect max(f) < 1\n", "script")
    commands = script.parse(session.vocabulary)
    lines = [json.loads(json_line(step)) for step in play(session, commands, OutputFolder(str(tmp_path)))]
    assert [line["stage"] for line in lines] == ["h_prev", "c_prev", "c_prev", "c_prev"]
    assert lines[3]["expect"] is True


def test_an_old_run_is_compared_with_that_of_changed_code(tmp_path: Path) -> None:
    changed = source_trace(steps=16, seed=1)
    changed.save(tmp_path / "old.trace")
    outcome = run(Session(TRACE), f"compare {tmp_path / 'old.trace'}")
    assert outcome.ok
    assert "they first differ at t=0, in layer 0 forward: x[0]" in outcome.text


def test_names_are_compared_that_both_versions_of_the_code_have(tmp_path: Path) -> None:
    old = source_trace(steps=16)
    (layer,) = old.layers
    assert layer.source is not None
    kept = tuple(v for v in layer.source.variables if v.name not in ("gates", "f"))
    stages = tuple(s for s in layer.source.stages if s.variable not in ("gates", "f"))
    layer = replace(layer, hidden_size=12, source=replace(layer.source, variables=kept, stages=stages))
    gone = ("gates", "dgates", "f", "df")
    arrays = {k: a.copy() for k, a in old.arrays.items() if k.rsplit("/", 1)[-1] not in gone}
    arrays["0/forward/new_c"][5, 1, 2] += 1
    type(old)(replace(old.header, layers=(layer,)), arrays).save(tmp_path / "old.trace")
    outcome = run(Session(TRACE), f"compare {tmp_path / 'old.trace'}")
    assert "they first differ at t=5, in layer 0 forward: new_c[2] of sequence 1" in outcome.text
    synthetic(steps=16).save(tmp_path / "lstm.trace")
    assert "cannot be compared" in run(Session(TRACE), f"compare {tmp_path / 'lstm.trace'}").text


def test_a_notebook_draws_a_state_and_its_name() -> None:
    html = html_of(TRACE)
    assert "S of layer 0, sequence 0" in html
    assert "<title>S from " in html


def test_the_input_is_shown() -> None:
    assert [line.name for line in signal(View.of(TRACE), 0, 16).lines] == ["x[0]", "x[1]", "x[2]"]


def test_a_dataset_has_the_axes_of_the_code() -> None:
    pytest.importorskip("xarray")
    dataset = TRACE.to_xarray()
    assert dataset["S"].dims == ("time", "batch", "S_0", "S_1", "S_2")
    assert dataset["dS"].dims == dataset["S"].dims
    assert dataset["f"].dims == ("time", "batch", "unit_4")
    assert dataset["energy"].shape == (16, 2, 1)
    assert dataset["initial_S"].shape == (2, 2, 2, 3)


def test_where_the_code_does_not_bind_a_name_nothing_is_said_of_it() -> None:
    session = Session(TRACE)
    bound = np.asarray(TRACE.arrays["0/forward/bound/noise"])
    assert bound[0]
    assert not bound[1]
    run(session, "break when abs(noise[0]) < 1e9")
    stops = []
    while run(session, "continue").stop is not None and session.cursor.t < session.last_t:
        stops.append(session.cursor.t)
    assert stops == [t for t in range(1, len(bound)) if bound[t]]
    session.goto(1)
    assert "noise[0] = 0 (noise is not bound here) at t=1" in run(session, "print noise[0]").text
    assert "prev(noise)[0] < 1e9 holds" in run(session, "expect prev(noise)[0] < 1e9").text
    assert not run(session, "expect noise[0] == 0").ok
    session.goto(2)
    assert "(noise is not bound here)" not in run(session, "print noise[0]").text
    assert "(noise is not bound here)" in run(session, "print noise[0] - prev(noise)[0]").text

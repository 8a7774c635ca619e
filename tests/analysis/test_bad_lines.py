"""The first NaN or inf of recorded code has its file, line and text, and what the line had read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from source_traces import source_trace
from synthetic import Array

from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.analysis.first_bad.values import first_bad_timestep
from lstmtui.analysis.statements import statement_at, writes_infinity
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.session.go_to_first_bad import go_to_first_bad
from lstmtui.trace import Trace
from lstmtui.trace.source import Function

NAN, INF = float("nan"), float("inf")


def spoilt(*changes: tuple[str, tuple[int, ...], float], writes: str = "") -> Trace:
    """The run with some values changed, and more text in its code."""
    trace = source_trace()
    for name, at, value in changes:
        trace.arrays[f"0/forward/{name}"][at] = value  # type: ignore[index]
    (layer,) = trace.layers
    assert layer.source is not None
    own, *others = layer.source.functions
    functions = (replace(own, text=own.text + writes), *others)
    layer = replace(layer, source=replace(layer.source, functions=functions))
    return Trace(replace(trace.header, layers=(layer,)), trace.arrays)


def number(array: Array) -> str:
    return UNICODE.number(float(array))


def test_the_line_the_place_and_the_operands_are_named() -> None:
    trace = spoilt(
        ("new_c", (5, 1, 2), INF),
        ("c_prev", (6, 1, 2), INF),
        ("new_c", (6, 1, 2), NAN),
        writes="        float('-inf')\n",
    )
    values = trace.arrays
    f, i, u = (number(values[f"0/forward/{name}"][6, 1, 2]) for name in "fiu")
    assert str(first_bad_of(trace)) == (
        "my_cell.py:30: new_c = (f * c_prev + i * u): new_c[2] of sequence 1 is NaN at t=6; "
        f"f is {f}, c_prev is +inf (since t=5, line 30), i is {i}, u is {u}"
    )


def test_an_overflow_comes_first_and_then_the_nan_that_it_became() -> None:
    trace = spoilt(("new_c", (5, 1, 2), INF), ("c_prev", (6, 1, 2), INF), ("new_c", (6, 1, 2), NAN))
    bad = first_bad_of(trace)
    assert bad is not None
    assert bad.where == "my_cell.py:30: new_c = (f * c_prev + i * u): new_c[2] of sequence 1 is +inf at t=5"
    assert "all of these are finite, and float32 ends at 3.40e38" in bad.how
    assert "new_c[2] of sequence 1 is NaN at t=6" in bad.how
    assert "c_prev is +inf (since t=5, line 30)" in bad.how


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            [("c_prev", (6, 1, 2), NAN)],
            "= state: c_prev[2] of sequence 1 is NaN at t=6; it is new_c of t=5",
        ),
        ([("x", (4, 0, 1), INF)], "my_cell.py: x[1] of sequence 0 is +inf at t=4; LayerNormLSTM.forward was"),
        ([("S", (6, 1, 7), NAN)], "S[1, 0, 1] of sequence 1 is NaN at t=6; S_prev is "),
        ([("energy", (6, 1, 0), NAN)], "sum(-1): energy of sequence 1 is NaN at t=6; ‖new_h‖ is "),
        ([("gates", (3, 0, 9), NAN), ("z_o", (3, 0, 1), NAN)], "gates[9] of sequence 0 is NaN at t=3; "),
        ([("f", (3, 0, 1), NAN), ("f_1", (3, 0, 1), NAN)], "f_1[1] of sequence 0 is NaN at t=3; ‖gates‖ is "),
        (
            [("inner/step", (4, 1, 1, 3), NAN), ("new_c", (4, 0, 0), NAN)],
            ":42: step = 0.5 * (torch.tanh(target) - u): step[3] of sequence 1 is NaN at t=4, inner step 1",
        ),
    ],
)
def test_the_order_of_the_bindings_decides_what_is_first(
    changes: Sequence[tuple[str, tuple[int, ...], float]], sentence: str
) -> None:
    assert sentence in str(first_bad_of(spoilt(*changes)))


def test_each_sequence_has_a_first_bad_timestep_of_its_own() -> None:
    trace = spoilt(("new_c", (7, 0, 2), NAN), ("inner/u", (4, 1, 1, 0), INF))
    assert [first_bad_timestep(trace, batch) for batch in (0, 1)] == [7, 4]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            [("dnew_h", (4, 1, 1), NAN), ("dS", (4, 1, 1), INF)],
            "self.write(new_h): dS[0, 0, 1] of sequence 1 is +inf at t=4; no name bound after it was",
        ),
        (
            [("df", (4, 1, 1), NAN), ("du", (4, 1, 1), NAN)],
            "= (f * c_prev + i * u): du[1] of sequence 1 is NaN at t=4, inner step 2; dnew_c[1] is",
        ),
        (
            [("dnew_c", (4, 1, 1), NAN)],
            ":34: new_h = o * torch.tanh(new_c): dnew_c[1] of sequence 1 is NaN at t=4; dnew_h[1] is",
        ),
        (
            [("dgates", (4, 1, 1), NAN), ("di", (3, 1, 1), NAN)],
            "chunk(4, dim=-1): dgates[1] of sequence 1",
        ),
    ],
)
def test_derivatives_are_named_by_the_line_that_they_came_back_through(
    changes: Sequence[tuple[str, tuple[int, ...], float]], sentence: str
) -> None:
    assert sentence in str(first_bad_of(spoilt(*changes), "backward"))


def test_code_whose_text_is_gone_has_its_file_and_line_and_says_so() -> None:
    trace = spoilt(("new_c", (5, 1, 2), NAN), ("dnew_c", (4, 1, 1), NAN))
    (layer,) = trace.layers
    assert layer.source is not None
    functions = tuple(replace(own, text="") for own in layer.source.functions)
    layer = replace(layer, source=replace(layer.source, functions=functions))
    trace = Trace(replace(trace.header, layers=(layer,)), trace.arrays)
    gone = "the text of its code was not there when it was recorded"
    assert str(first_bad_of(trace)) == (
        f"my_cell.py:30: new_c[2] of sequence 1 is NaN at t=5; {gone}, so what it read is not known"
    )
    assert str(first_bad_of(trace, "backward")) == (
        f"my_cell.py:30: dnew_c[1] of sequence 1 is NaN at t=4; {gone}, so which line read it is not known"
    )


def test_a_line_that_reads_nothing_recorded_is_not_said_to_hand_on_the_state_that_it_computes() -> None:
    trace = spoilt(("S", (5, 1, 7), NAN))
    (layer,) = trace.layers
    assert layer.source is not None
    own, *others = layer.source.functions
    text = own.text.replace("S = 0.9 * S_prev + self.write(new_h)", "S = self.write()")
    variables = tuple(replace(v, carried_to=("S",)) if v.name == "S" else v for v in layer.source.variables)
    source = replace(layer.source, functions=(replace(own, text=text), *others), variables=variables)
    trace = Trace(replace(trace.header, layers=(replace(layer, source=source),)), trace.arrays)
    assert str(first_bad_of(trace)).endswith("at t=5; it reads no name that was recorded")


def test_infinity_is_a_number_of_code_that_names_it() -> None:
    meant = spoilt(("gates", (2, 0, 1), -INF), writes="        gates.masked_fill(mask, -torch.inf)\n")
    assert first_bad_of(meant) is None
    assert first_bad_of(spoilt(("gates", (2, 0, 1), -INF))) is not None


def test_the_cursor_goes_to_the_binding() -> None:
    session = Session(spoilt(("new_c", (5, 1, 2), NAN)))
    stop = go_to_first_bad(session)
    cursor = session.cursor
    assert stop is not None
    assert (cursor.t, cursor.batch, cursor.unit) == (5, 1, 2)
    assert session.cell.stages[cursor.stage or 0] == "new_c"


def test_a_run_that_is_finite_has_none() -> None:
    assert first_bad_of(source_trace()) is None
    assert first_bad_of(source_trace(), "backward") is None


@pytest.mark.parametrize(
    ("text", "line", "shown", "names"),
    [
        ("c = f * c + g\n", 1, "c = f * c + g", ("f", "c", "g")),
        ("    def step(self):\n        self.h += a @ b\n", 2, "self.h += a @ b", ("self.h", "a", "b")),
        ("if (m := x.max()) > 0:\n    y = m\n", 1, "if (m := x.max()) > 0:", ("x",)),
        ("for row in rows:\n    pass\n", 1, "for row in rows:", ("rows",)),
        ("S[:, k] = v\n", 1, "S[:, k] = v", ("S", "k", "v")),
        ("f = lambda a: (\n    a * b)\n", 2, "f = lambda a: (a * b)", ("a", "b")),
        ("c = f(  # not closed\n", 1, "c = f(  # not closed", ("f", "not", "closed")),
        ("\x1b[31mc = 1\n", 1, "␛[31mc = 1", ()),
        ("s = '\\d'\n", 1, "s = '\\d'", ()),
        ("(" * 5000 + "\n", 1, "(" * 159 + "…", ()),
        ("", 7, "", ()),
    ],
)
def test_a_statement_is_read_from_text_that_may_be_anything(
    text: str, line: int, shown: str, names: tuple[str, ...]
) -> None:
    statement = statement_at(Function("step", "a.py", 1, text), line)
    assert (statement.text, statement.names) == (shown, names)


@pytest.mark.parametrize(
    ("text", "writes"),
    [("x = float('-inf')", True), ("x = math.inf", True), ("x = 1e999", True), ("info = 'infinite'", False)],
)
def test_code_that_names_infinity_is_known(text: str, writes: bool) -> None:
    trace = spoilt(writes=f"        {text}\n")
    source = trace.layers[0].source
    assert source is not None
    assert writes_infinity(source) is writes

"""What each operator and function comes to at one timestep, against the same written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.expressions import Expression, ExpressionError, scope_of
from lstmtui.session import Session
from lstmtui.view import View

NAN, INF = math.nan, math.inf
T = 2
C = [[0.5, -1.0, 2.0, 0.0], [1.0, 2.0, -3.0, 4.0], [-2.0, 0.25, 7.0, 3.0], [9.0, 9.0, 9.0, 9.0]]
F = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, 0.5], [0.9, 0.05, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
G = [[0.0] * 4, [0.0] * 4, [NAN, INF, -INF, 1.0], [0.0] * 4]
C0, H0 = [10.0, 20.0, 30.0, 40.0], [0.1, 0.2, 0.3, 0.4]


@pytest.fixture
def scope(scope_with: Callable[..., Any]) -> Any:
    """Four timesteps of four units, and a base run whose c is ten times as large."""
    base = scope_with({"c": np.array(C) * 10, "f": np.array(F)}, loss=0.5)
    return scope_with(
        {"c": np.array(C), "f": np.array(F), "g": np.array(G), "dc": np.array(C)},
        initial={"c": np.array(C0), "h": np.array(H0)},
        base=base,
    )


VALUES = [
    ("1", 1.0),
    (".5", 0.5),
    ("2.5e-1", 0.25),
    ("t", 2.0),
    ("loss", 0.25),
    ("c", [-2.0, 0.25, 7.0, 3.0]),
    ("dc", [-2.0, 0.25, 7.0, 3.0]),
    ("c[0]", -2.0),
    ("c[3]", 3.0),
    ("c[-1]", 3.0),
    ("c[-4]", -2.0),
    ("(c + f)[1]", 0.25 + 0.05),
    ("prev(c)", [1.0, 2.0, -3.0, 4.0]),
    ("prev(prev(c))", [0.5, -1.0, 2.0, 0.0]),
    ("prev(c + t)", [2.0, 3.0, -2.0, 5.0]),
    ("base(c)", [-20.0, 2.5, 70.0, 30.0]),
    ("base(prev(c))[0]", 10.0),
    ("prev(base(c))[0]", 10.0),
    ("base(loss)", 0.5),
    ("base(base(c))[1]", 2.5),
    ("c + 1", [-1.0, 1.25, 8.0, 4.0]),
    ("1 - c", [3.0, 0.75, -6.0, -2.0]),
    ("c * f", [-2.0 * 0.9, 0.25 * 0.05, 7.0, 0.0]),
    ("c / 2", [-1.0, 0.125, 3.5, 1.5]),
    ("1 / f", [1 / 0.9, 1 / 0.05, 1.0, INF]),
    ("7 // 2", 3.0),
    ("-7 // 2", -4.0),
    ("7 % 3", 1.0),
    ("-7 % 3", 2.0),
    ("7 % 0", NAN),
    ("0 / 0", NAN),
    ("-1 / 0", -INF),
    ("2 ** 3", 8.0),
    ("2 ** 3 ** 2", 512.0),
    ("-2 ** 2", -4.0),
    ("2 ** -1", 0.5),
    ("(-8) ** 0.5", NAN),
    ("9**9**9**9", INF),
    ("c ** 2", [4.0, 0.0625, 49.0, 9.0]),
    ("-c", [2.0, -0.25, -7.0, -3.0]),
    ("+c[0]", -2.0),
    ("2 + 3 * 4 - 6 / 2", 11.0),
    ("c > 1", [False, False, True, True]),
    ("c >= 3", [False, False, True, True]),
    ("c < f", [True, False, False, False]),
    ("c <= 0.25", [True, True, False, False]),
    ("c == 7", [False, False, True, False]),
    ("c != 7", [True, True, False, True]),
    ("0 < c < 5", [False, True, False, True]),
    ("0 < f <= 1 < c", [False, False, True, False]),
    ("1 < 2 > 0 == 0", True),
    ("g == g", [False, True, True, True]),
    ("g < 0", [False, False, True, False]),
    ("c > 0 and f > 0.5", [False, False, True, False]),
    ("c > 5 or f > 0.5", [True, False, True, False]),
    ("not f", [False, False, False, True]),
    ("not c > 0", [True, False, False, False]),
    ("c and f", [True, True, True, False]),
    ("g and 1", [True, True, True, True]),
    ("not 0 / 0", False),
    ("0 or 0", False),
    ("2 and 3", True),
    ("(c > 0) + 1", [1.0, 2.0, 2.0, 2.0]),
    ("-(c > 0)", [0.0, -1.0, -1.0, -1.0]),
    ("norm(c)", math.sqrt(4 + 0.0625 + 49 + 9)),
    ("norm(c[0])", 2.0),
    ("mean(c)", 8.25 / 4),
    ("mean(c > 0)", 0.75),
    ("min(c)", -2.0),
    ("max(c)", 7.0),
    ("max(c > 0)", 1.0),
    ("min(c, 1)", [-2.0, 0.25, 1.0, 1.0]),
    ("max(c, f, 2)", [2.0, 2.0, 7.0, 3.0]),
    ("max(1, 2, 3)", 3.0),
    ("max(g)", NAN),
    ("min(g)", NAN),
    ("max(g, 0)", [NAN, INF, 0.0, 1.0]),
    ("sum(c)", 8.25),
    ("sum(c > 0)", 3.0),
    ("sum(g)", NAN),
    ("any(c > 5)", True),
    ("any(c > 50)", False),
    ("all(c > -5)", True),
    ("all(f)", False),
    ("any(g)", True),
    ("abs(c)", [2.0, 0.25, 7.0, 3.0]),
    ("abs(c > 0)", [0.0, 1.0, 1.0, 1.0]),
    ("isnan(g)", [True, False, False, False]),
    ("isfinite(g)", [False, False, False, True]),
    ("argmax(c)", 2.0),
    ("argmin(c)", 0.0),
    ("argmax(g)", 0.0),
    ("len(c)", 4.0),
    ("len(x)", 2.0),
    ("sqrt(c[3] + 6)", 3.0),
    ("sqrt(-1)", NAN),
    ("log(1)", 0.0),
    ("log(0)", -INF),
    ("exp(0)", 1.0),
    ("exp(f)", [math.exp(0.9), math.exp(0.05), math.e, 1.0]),
    ("exp(1000)", INF),
    (" \tc[0]\t ", -2.0),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_the_value_is_what_the_signs_say(scope: Any, text: str, expected: Any) -> None:
    value = Expression(text).evaluate(scope, T)
    if isinstance(expected, list):
        assert isinstance(value, np.ndarray)
        assert value.dtype == np.asarray(expected).dtype
    else:
        assert type(value) is type(expected)
    np.testing.assert_allclose(np.asarray(value), np.asarray(expected), rtol=1e-15)


def test_before_the_first_timestep_h_and_c_are_the_initial_state_and_the_rest_is_unknown(scope: Any) -> None:
    def value(text: str) -> Any:
        return Expression(text).evaluate(scope, 0)

    assert value("prev(c)").tolist() == C0
    assert value("prev(h)").tolist() == H0
    assert np.isnan(value("prev(f)")).all()
    assert np.isnan(value("prev(dc)")).all()
    assert np.isnan(value("prev(prev(c))")).all()
    assert value("prev(t)") == -1
    assert value("prev(7)") == 7


def test_the_timestep_before_is_the_one_after_where_the_direction_is_backward(
    scope_with: Callable[..., Any],
) -> None:
    scope = scope_with({"c": np.array(C)}, initial={"c": np.array(C0)}, backward=True)
    expression = Expression("prev(c)")
    assert expression.evaluate(scope, 0).tolist() == C[1]  # type: ignore[union-attr]
    assert expression.evaluate(scope, 3).tolist() == C0  # type: ignore[union-attr]
    assert Expression("prev(t)").evaluate(scope, 3) == 4
    assert np.isnan(Expression("prev(f)").evaluate(scope, 3)).all()


def test_a_shorter_sequence_begins_its_backward_direction_at_its_own_end() -> None:
    session = Session(synthetic("gru", 6, 3, bidirectional=True, batch=2, lengths=(6, 4)))
    session.select_direction("backward")
    session.select_batch(1)
    scope = scope_of(session.view)
    assert scope.steps == 4
    assert Expression("prev(h)").evaluate(scope, 3).tolist() == [0.0] * 3  # type: ignore[union-attr]
    with pytest.raises(IndexError):
        Expression("h").evaluate(scope, 4)


def test_a_scope_sees_the_selected_layer_direction_and_sequence_and_the_baseline() -> None:
    trace = synthetic("gru", 5, 3, layers=2, bidirectional=True, batch=2, seed=1)
    baseline = synthetic("gru", 5, 3, layers=2, bidirectional=True, batch=2, seed=2)
    scope = scope_of(replace(View.of(trace, 1, "backward", 1), baseline=baseline))
    for text, seen in (("z", trace), ("base(z)", baseline)):
        value = Expression(text).evaluate(scope, 2)
        assert np.array_equal(value, seen.values("z", 1, "backward")[2, 1].astype(np.float64))


def test_without_what_ifs_base_is_the_run_itself(scope: Any) -> None:
    assert Expression("base(base(c)) == base(c)").evaluate(scope, 1).all()  # type: ignore[union-attr]
    assert Expression("all(base(c) == c)").condition(scope.base, 1)


def test_a_condition_is_one_value_that_is_not_0(scope: Any) -> None:
    for text, holds in (("c[0] < 0", True), ("c[0] > 0", False), ("t", True), ("t - 2", False)):
        assert Expression(text).condition(scope, T) is holds
    assert Expression("0 / 0").condition(scope, T) is True


def test_a_value_for_each_unit_is_no_condition(scope: Any) -> None:
    expression = Expression("c > 0")
    assert expression.vector
    for ask in (
        lambda: expression.condition(scope, 0),
        lambda: expression.search(scope, range(4)),
        lambda: expression.check(scope, condition=True),
    ):
        with pytest.raises(ExpressionError) as caught:
            ask()
        assert caught.value.wrong == "c > 0 is a value for each unit; write any(…) or all(…)"
    expression.check(scope)


def test_arithmetic_is_in_float64_whatever_the_trace_is_in(scope_with: Callable[..., Any]) -> None:
    values = np.array([[0.1, 16777216.0]])
    for dtype in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            recorded = values.astype(dtype)
        scope = scope_with({"c": recorded})
        exact = recorded.astype(np.float64)[0]
        assert np.array_equal(Expression("c + 1").evaluate(scope, 0), exact + 1)
        assert Expression("sum(c)").evaluate(scope, 0) == exact.sum()
        assert Expression("abs(c[0]) == 0.1").evaluate(scope, 0) is False
        assert Expression("max(abs(c))").evaluate(scope, 0) == exact.max()


def test_it_knows_what_it_reads() -> None:
    assert Expression("norm(dc) > prev(f_pre)[0] + t").quantities == {"dc", "f_pre"}
    assert Expression("loss").quantities == frozenset()


def test_the_value_belongs_to_the_caller(scope: Any) -> None:
    value = Expression("c").evaluate(scope, T)
    assert isinstance(value, np.ndarray)
    value[:] = 0
    assert Expression("max(c)").evaluate(scope, T) == 7


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e200])
def test_a_norm_of_numbers_whose_squares_are_none_is_no_zero_and_no_infinity(
    scope_with: Callable[..., Any], size: float
) -> None:
    scope = scope_with({"c": np.full((3, 4), size)})
    assert Expression("norm(c)").evaluate(scope, 1) == pytest.approx(2 * size, rel=1e-12, abs=0)

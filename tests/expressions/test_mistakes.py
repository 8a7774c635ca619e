"""A mistake is said in a sentence, at its exact column, with what may have been meant."""

from __future__ import annotations

import pytest
from synthetic import synthetic

from lstmtui.errors import UserError
from lstmtui.expressions import Expression, ExpressionError, Scope, scope_of
from lstmtui.view import View


@pytest.fixture(scope="module")
def scope() -> Scope:
    """An LSTM of 64 units that sees 3 inputs."""
    return scope_of(View.of(synthetic("lstm", 5, 64, input_size=3)))


MISTAKES = [
    ("mean(ff)", 5, "f"),
    ("norm(c", 4, "norm(c)"),
    ("max(abs(c) > 9", 3, "max(abs(c) > 9)"),
    ("norm(c))", 7, ""),
    ("(c]", 2, ")"),
    ("c.shape", 1, "len(c)"),
    ("f.mean()", 1, "mean(f)"),
    ("h = 1", 2, "=="),
    ("h =< 1", 2, "<="),
    ("nrm(c)", 0, "norm"),
    ("c > 0 & f > 0", 6, "and"),
    ("c > 0 | f > 0", 6, "or"),
    ("c ^ 2", 2, "**"),
    ("c ≤ 2", 2, "<="),
    ("1 − c", 2, "-"),
    ("2c", 0, "2*c"),
    ("c(3)", 0, "c[3]"),
    ("norm", 0, "norm(…)"),
    ("1 + max()", 4, "max(…)"),
    ("norm(c, f)", 8, ""),
    ("c f", 2, ""),
    ("c + ", 3, ""),
    ("c + * f", 4, ""),
    ("c > and f", 4, ""),
    ("c[1:2]", 3, ""),
    ("c[1.5]", 2, ""),
    ("c[t]", 2, ""),
    ("c[1, c]", 5, ""),
    ("t[0]", 2, ""),
    ("norm(c)[0]", 8, ""),
    ("  ff", 2, "f"),
    ("1 + not 2", 4, ""),
    ("", 0, ""),
    ("   ", 0, ""),
    ("()", 0, ""),
]


@pytest.mark.parametrize(("text", "column", "suggestion"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_has_its_column_and_what_may_be_meant(text: str, column: int, suggestion: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert (caught.value.column, caught.value.suggestion) == (column, suggestion)
    assert caught.value.wrong


MISFITS = [
    ("c[99]", 2, "", "unit 99: c has units 0 to 63"),
    ("1 + c[-65]", 6, "", "unit -65: c has units 0 to 63"),
    ("prev(c + f)[64]", 12, "", "unit 64: prev(c + f) has units 0 to 63"),
    ("norm(z)", 5, "f", "z is not there; the selected layer has x, f, i, g, c, o, h"),
    ("any(dn_pre > 0)", 4, "dg_pre", "dn_pre is not there; the selected layer has x, f_pre, f,"),
    ("any(r > 0)", 4, "", "r is not there"),
    ("any(x * c > 0)", 8, "", "x has 3 units and c has 64 units"),
    ("all(c > 0 and x > 0)", 14, "", "c > 0 has 64 units and x > 0 has 3 units"),
    ("base(z)", 5, "f", "z is not there"),
]


@pytest.mark.parametrize(("text", "column", "suggestion", "wrong"), MISFITS, ids=[m[0] for m in MISFITS])
def test_what_does_not_fit_the_selected_layer_is_said_wherever_it_is_asked(
    scope: Scope, text: str, column: int, suggestion: str, wrong: str
) -> None:
    expression = Expression(text)
    for ask in (
        lambda: expression.check(scope),
        lambda: expression.evaluate(scope, 0),
        lambda: expression.condition(scope, 0),
        lambda: expression.search(scope, range(5)),
    ):
        with pytest.raises(ExpressionError) as caught:
            ask()
        assert caught.value.wrong.startswith(wrong)
        assert (caught.value.column, caught.value.suggestion) == (column, suggestion)


def test_the_error_reads_as_a_sentence() -> None:
    with pytest.raises(UserError, match=r"^ff is neither a quantity nor a function; did you mean f\?$"):
        Expression("ff")


def test_a_timestep_outside_the_sequence_is_an_index_error(scope: Scope) -> None:
    expression = Expression("t > 0")
    for ask in (
        lambda: expression.evaluate(scope, 5),
        lambda: expression.condition(scope, -1),
        lambda: expression.search(scope, range(6)),
        lambda: expression.search(scope, range(3, -2, -1)),
    ):
        with pytest.raises(IndexError):
            ask()

"""Hostile text is refused at once, whatever it tries, and never runs."""

from __future__ import annotations

import tracemalloc

import pytest
from clock import Within
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic

from lstmtui.expressions import FUNCTIONS, Expression, ExpressionError, quantity_names, scope_of
from lstmtui.view import View

HOSTILE = [
    "().__class__.__bases__[0].__subclasses__()",
    "c.__class__",
    "c.tofile",
    "1 .real",
    "1..real",
    "1.0.hex()",
    "__import__('os').system('id')",
    "__builtins__",
    "__debug__",
    "eval",
    "eval(c)",
    "open(c)",
    "exec(1)",
    "print(c)",
    "breakpoint()",
    "norm(norm)",
    "norm(c)(c)",
    "(norm)(c)(1)",
    "(1)(2)",
    "1(2)",
    "c[0](1)",
    "norm(*c)",
    "norm(**c)",
    "norm(c=1)",
    "norm(x=c)",
    "max(c, key=abs)",
    "lambda: 1",
    "lambda x: x",
    "(lambda: 1)()",
    "f'{c}'",
    "f'{c.__class__}'",
    "'a' * 9999999999",
    '"" "',
    "b'x'",
    "[0] * 9999999999",
    "[c]",
    "(c, f)",
    "c, f",
    "{c}",
    "{1: 2}",
    "[c for c in h]",
    "(c for c in h)",
    "{c for c in h}",
    "c if t else f",
    "(c := 1)",
    "c := 1",
    "h = 1",
    "c; f",
    "c in f",
    "c is f",
    "c not in f",
    "await c",
    "yield c",
    "None",
    "True",
    "...",
    "1j",
    "0x10",
    "0b1",
    "1_000",
    "007",
    "1e",
    "1.2.3",
    "c @ f",
    "c << 3",
    "1 << 9999999999",
    "c & f",
    "~c",
    "c[...]",
    "c[:]",
    "c[0:1]",
    "c[()]",
    "c['a']",
    "c[True]",
    "c[1e3]",
    "c[0][0]",
    "c[0, 0:1]",
    "c[+1]",
    "c[--1]",
    "c\n+ f",
    "(c\n)",
    "c\r",
    "c\f",
    "c \\\n + f",
    "c # f",
    "\0",
    "c\0",
    "c\x1b[2J",
    "\x1b]0;title\x07",
    "\ud800",
    "c + \udc80",
    "١ + ١",
    "１ + 1",
    "ｃ",
    "𝐜",
    "nоrm(c)",
    "ﬀ",
    "c\u202e",
    "c\u200b",
    "\ufeffc",
    "c\u00a0+ f",
    "c²",
    "(" * 10_000 + "c" + ")" * 10_000,
    "(" * 900 + "c" + ")" * 900,
    "(" * 10_000,
    "[" * 1_999,
    "-" * 1_999 + "c",
    "- " * 400 + "c",
    "not " * 499 + "c",
    "abs(" * 400 + "c" + ")" * 390,
    "+".join("c" * 900),
    "**".join("9" * 600),
    "c+" * 500_000 + "c",
    "c" * 1_000_000,
    " " * 1_000_000,
    "c*f>0 and " * 180 + "t",
]


@pytest.mark.clock
@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text[:30]) for text in HOSTILE])
def test_hostile_text_is_refused_at_once_and_shown_safely(text: str, within: Within) -> None:
    with within(0.5), pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert 0 <= caught.value.column <= len(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_refusing_hostile_text_takes_little_memory() -> None:
    Expression("c")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for text in HOSTILE:
            with pytest.raises(ExpressionError):
                Expression(text)
        assert tracemalloc.get_traced_memory()[1] - before < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "column", "wrong"),
    [
        ("c" * 2_001, 2_000, "at most 2,000 characters"),
        ("-" * 1_500 + "c", 1_000, "too large"),
        ("(" * 51 + "c" + ")" * 51, 50, "more than 50 deep"),
        ("max(" + ",".join("t" * 600) + ")", 4 + 2 * 499, "too large"),
        ("- " * 100 + "c", 200, "too large"),
    ],
    ids=["characters", "tokens", "brackets", "nodes", "depth"],
)
def test_a_limit_names_the_column_where_it_is_passed(text: str, column: int, wrong: str) -> None:
    with pytest.raises(ExpressionError, match=wrong) as caught:
        Expression(text)
    assert caught.value.column == column


LARGE = [
    "9**9**9**9",
    "**".join("9" * 90),
    "9" * 1_999,
    "1e99999",
    "1 < (" * 49 + "1" + " < 1)" * 49,
    "prev(" * 49 + "max(c)" + ")" * 49,
    "max(" + ", ".join(["norm(c)"] * 150) + ")",
]


@pytest.mark.clock
@pytest.mark.parametrize("text", LARGE, ids=[text[:20] for text in LARGE])
def test_what_is_large_but_allowed_is_evaluated_at_once(text: str, within: Within) -> None:
    scope = scope_of(View.of(synthetic("lstm", 5, 4)))
    expression = Expression(text)
    with within(1):
        expression.evaluate(scope, 4)
        expression.search(scope, range(5))


_PIECES = st.one_of(
    st.sampled_from(
        (*quantity_names(), *FUNCTIONS, "t", "loss", "and", "or", "not", "c[0]", "norm(c)", "prev(")
    ),
    st.sampled_from(("in", "if", "else", "lambda", "__", "None", "**", "//", "<=", "==", "1e5", "0x", "f'")),
    st.sampled_from("()[]+-*/%<>=!.,:;'\"#@\\{}~^&|0123456789 \t\n_é\0"),
)


@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error_with_a_column(text: str) -> None:
    scope = scope_of(View.of(synthetic("lstm", 3, 2)))
    error = None
    try:
        expression = Expression(text)
        expression.check(scope)
    except ExpressionError as refused:
        error = refused
    if error is None:
        assert expression.evaluate(scope, 0) is not None
    else:
        assert 0 <= error.column <= len(text)
        assert str(error).isprintable()

"""What keeps a state and what is written to it, however the equation is written down."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lstmtui.cells.cell import Cell, Equations
from lstmtui.cells.functions import clamp, maximum, minimum, relu, tanh, σ
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.parameters import Parameter
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term

Equation = Callable[[SimpleNamespace], Any]


def cell_with(equation: Equation) -> Cell:
    """z = σ(W_z x), n = tanh(W_n x + R_n h), and then h by the equation."""

    def equations(p: Any, x: Any, h: Any) -> Equations:
        z = yield "z", σ(p.W_z @ x)
        n = yield "n", tanh(p.W_n @ x + p.R_n @ h)
        turned = yield "turned", 1 - z
        kept = yield "kept", z * h
        yield "h", equation(SimpleNamespace(p=p, x=x, h=h, z=z, n=n, turned=turned, kept=kept))

    decay = Parameter("decay", ("decay",), ("hidden",))
    return Cell("written", equations, rows=("z", "n"), states=("h",), own_parameters=(decay,))


def written(term: Term | None) -> str:
    return "" if term is None else text(render(term, UNICODE, numeric=False, expand=False))


KEPT: dict[str, tuple[Equation, str, str, bool]] = {
    "the usual way": (lambda e: e.z * e.h + (1 - e.z) * e.n, "z", "(1 − z)·n", True),
    "the other way round": (lambda e: e.z * e.n + e.h * (1 - e.z), "1 − z", "z·n", True),
    "as a step towards": (lambda e: e.h + e.z * (e.n - e.h), "1 − z", "z·n", True),
    "as a difference": (lambda e: e.n - e.z * (e.n - e.h), "z", "n − z·n", False),
    "a gate of its own": (lambda e: e.turned * e.h + e.n, "turned", "n", False),
    "a quantity of its own": (lambda e: e.kept + e.n, "z", "n", False),
    "two gates": (lambda e: e.z * (e.turned * e.h) + e.n, "z·turned", "n", False),
    "a parameter": (lambda e: e.p.decay * e.h + e.n, "decay", "n", False),
    "a number": (lambda e: 0.9 * e.h + e.n, "0.9", "n", False),
    "all of it": (lambda e: e.h + e.n, "1", "n", False),
    "nothing written": (lambda e: e.z * e.h, "z", "", False),
    "clamped": (
        lambda e: clamp(e.h + e.n, -3, 2),
        "[−3 < h]·[h < 2]",
        "n·[−3 < h]·[h < 2] + (−3)·(1 − [−3 < h])·[h < 2] + 2·(1 − [h < 2])",
        False,
    ),
    "clamped from below": (lambda e: maximum(e.z * e.h + e.n, 0), "z·[0 < h]", "n·[0 < h]", False),
    "clamped from above": (
        lambda e: minimum(e.kept + e.n, 1),
        "z·[h < 1]",
        "n·[h < 1] + 1·(1 − [h < 1])",
        False,
    ),
}


@pytest.mark.parametrize("form", KEPT)
def test_the_factor_is_read_from_any_form(form: str) -> None:
    equation, factor, rest, is_average = KEPT[form]
    keeping = cell_with(equation).keeping["h"]
    assert (written(keeping.factor), written(keeping.written)) == (factor, rest)
    assert keeping.is_average == is_average


NOT_KEPT: dict[str, Equation] = {
    "squashed": lambda e: tanh(e.z * e.h + e.n),
    "by a matrix": lambda e: e.p.R_n @ e.h + e.n,
    "by a matrix too": lambda e: e.z * e.h + e.p.R_n @ e.h,
    "by itself": lambda e: σ(e.h) * e.h + e.n,
    "its square": lambda e: e.h * e.h + e.n,
    "by the input": lambda e: e.x * e.h + e.n,
    "through relu": lambda e: relu(e.h) + e.n,
    "larger than another": lambda e: maximum(e.z * e.h, e.n),
    "clamped and squashed": lambda e: clamp(tanh(e.h), -0.5, 0.5),
    "not at all": lambda e: e.z * e.n,
}


@pytest.mark.parametrize("form", NOT_KEPT)
def test_what_is_no_factor_alone_is_none(form: str) -> None:
    cell = cell_with(NOT_KEPT[form])
    assert cell.keeping == {}
    assert (cell.memory, cell.candidate) == ("h", "")


@pytest.mark.parametrize(
    ("equation", "side"),
    [
        (lambda e: e.z * e.h + e.n, "open"),
        (lambda e: (1 - e.z) * e.h + e.n, "closed"),
        (lambda e: e.turned * e.h + e.n, "closed"),
        (lambda e: (1 - e.turned) * e.h + e.n, "open"),
        (lambda e: e.z * (1 - e.z) * e.h + e.n, ""),
        (lambda e: 0.9 * e.h + e.z * e.n, ""),
    ],
)
def test_a_gate_remembers_on_the_side_that_keeps_more(equation: Equation, side: str) -> None:
    assert cell_with(equation).remembers_when("z") == side


def test_ranges_follow_from_how_a_quantity_is_made() -> None:
    cell = cell_with(lambda e: e.z * e.n - relu(e.n) * e.turned)
    assert [cell.range(q) for q in ("z", "n", "turned")] == [(0, 1), (-1, 1), (0, 1)]
    low, high = cell.range("h")
    assert (low, high) == (-float("inf"), 1)
    assert cell.range("x") == (-float("inf"), float("inf"))

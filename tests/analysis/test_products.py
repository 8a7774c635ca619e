"""The products W·x and R·h of a timestep, opened into weights times numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from oracles.recurrents import noise, random_recurrent
from synthetic import editable, synthetic

from lstmtui.analysis.equations import equations_at, products_at
from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.tui.panels.products import product_lines
from lstmtui.view import View


def view_of(cell: str, t: int = 2, unit: int = 1, **options: object) -> View:
    session = Session(record(random_recurrent(cell, **options), noise(4, 2, 3, seed=1)))  # type: ignore[arg-type]
    session.cursor = replace(session.cursor, t=t, unit=unit, batch=1)
    return session.view


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_the_addends_of_every_product_come_to_what_the_equation_reads(cell: str) -> None:
    view = view_of(cell)
    every = products_at(view, most=100)
    assert every
    stages = [equation.quantity for equation in equations_at(view)]
    for product in every:
        assert product.quantity in stages
        assert sum(f.weight * f.value for f in product.factors) == pytest.approx(
            product.total, rel=1e-12, abs=1e-12
        )
        sizes = [abs(factor.product) for factor in product.factors]
        assert sizes == sorted(sizes, reverse=True)
        assert len(sizes) == product.count


def test_they_are_the_weights_inputs_and_states_by_hand() -> None:
    view = view_of("lstm")
    of_f = [product for product in products_at(view) if product.quantity == "f"]
    assert ["".join(text for text, _ in product.written) for product in of_f] == ["W_f·x", "R_f·h₁"]
    arrays, place = view.trace.parameters, (2, 1)
    w, r = arrays["weight_ih_l0"][4 + 1], arrays["weight_hh_l0"][4 + 1]
    x, h = view.trace.values("x")[place], view.trace.values("h")[1, 1]
    for product, weights, vector in zip(of_f, (w, r), (x, h), strict=True):
        assert product.total == pytest.approx(weights @ vector, rel=1e-12)
        for factor in product.factors:
            assert (factor.weight, factor.value) == (weights[factor.index], vector[factor.index])
    bias = arrays["bias_ih_l0"][5] + arrays["bias_hh_l0"][5]
    assert sum(p.total for p in of_f) + bias == pytest.approx(view.trace.values("f_pre")[place][1], rel=1e-12)


def test_of_many_the_largest_are_listed_and_the_rest_is_one_number() -> None:
    view = view_of("gru", hidden_size=20)
    product = products_at(view, most=5)[1]
    assert (product.count, len(product.factors)) == (20, 5)
    assert product.rest + sum(f.product for f in product.factors) == pytest.approx(product.total)
    lines = ["".join(text for text, _ in line) for line in product_lines([product], "r", 1, UNICODE)]
    assert lines[0].split() == [
        "R_r·h₁",
        "=",
        UNICODE.number(product.total),
        "20",
        "products,",
        "largest",
        "first",
    ]
    assert (
        lines[1].strip().startswith(f"R_r[1, {product.factors[0].index}]·h₁[{product.factors[0].index}] = ")
    )
    assert lines[-1].strip() == f"and 15 more = {UNICODE.number(product.rest)}"
    assert product_lines([product], "z", 1, UNICODE) == []
    for hidden in ("h", "r", "r_pre"):
        assert product_lines([product], "r", 1, UNICODE, {hidden}) == []


def test_nan_comes_first_and_without_weights_there_is_nothing() -> None:
    trace = synthetic("lstm", input_size=3)
    x = np.array(trace.arrays["0/forward/x"])
    x[0, 0, 2] = np.nan
    spoilt = editable(trace, {**trace.arrays, "0/forward/x": x})
    first = products_at(Session(spoilt).view)[0]
    assert first.factors[0].index == 2
    assert np.isnan(first.factors[0].product)
    bare = {key: array for key, array in trace.arrays.items() if not key.startswith("parameters/")}
    assert products_at(Session(editable(trace, bare)).view) == ()

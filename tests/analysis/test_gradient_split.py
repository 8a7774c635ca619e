"""Shares and norms of a split gradient, and the sentence about it."""

from __future__ import annotations

import numpy as np
import pytest

from lstmtui.analysis.gradient_split import FROM_ABOVE, Route, Split, survival
from lstmtui.cells.notation import ASCII


def split(later: list[float], **routes: list[float]) -> Split:
    """∂L/∂c₄ seen from t = 5, as the sum of some routes."""
    made = tuple(Route(name.replace("_", " "), np.array(values)) for name, values in routes.items())
    with np.errstate(all="ignore"):
        whole = np.sum([r.values for r in made], axis=0)
    return Split("c", 4, whole, np.array(later), 5, made)


def test_shares_add_up_to_one_and_an_opposing_route_is_negative() -> None:
    found = split([1.0, 0.0], carry_f=[3.0, 0.0], output_gate=[-1.0, 4.0], from_above=[0.0, -4.0])
    assert found.whole.tolist() == [2.0, 0.0]
    assert found.shares == (1.5, -0.5, 0.0)
    assert found.norms == pytest.approx((3.0, 17**0.5, 4.0))
    assert found.ratio == 2.0


def test_gradients_whose_squares_are_zero_have_shares_and_norms() -> None:
    found = split([1e-200, 0.0], carry_f=[3e-200, 0.0], output_gate=[0.0, 4e-200])
    assert found.norms == pytest.approx((3e-200, 4e-200), rel=1e-12)
    assert found.shares == pytest.approx((9 / 25, 16 / 25))
    assert found.ratio == pytest.approx(5)


@pytest.mark.parametrize(
    ("carry", "sentence"),
    [
        (3.0, "∂L/∂c₄ grew: its norm is 3.20 of that of ∂L/∂c₅; 94% of it came by carry f"),
        (0.8, "∂L/∂c₄ survived: its norm is 1.00 of that of ∂L/∂c₅; 80% of it came by carry f"),
        (0.1, "∂L/∂c₄ shrank: its norm is 0.300 of that of ∂L/∂c₅; 67% of it came by output gate"),
        (-0.15, "∂L/∂c₄ died: its norm is 0.050 of that of ∂L/∂c₅; 400% of it came by output gate"),
    ],
)
def test_the_sentence_says_what_became_of_the_gradient_and_by_which_route(
    carry: float, sentence: str
) -> None:
    found = split([1.0, 0.0], carry_f=[carry, 0.0], output_gate=[0.2, 0.0])
    assert survival(found) == sentence


def test_the_sentence_can_be_ascii() -> None:
    sentence = survival(split([1.0], carry_f=[1.0]), ASCII)
    assert sentence == "dL/dc[4] survived: its norm is 1.00 of that of dL/dc[5]; 100% of it came by carry f"


def test_a_gradient_that_starts_here_came_from_above() -> None:
    found = split([0.0], carry_f=[0.0], from_above=[2.0])
    assert found.routes[-1].name == FROM_ABOVE
    assert survival(found) == "∂L/∂c₄ starts here, as ∂L/∂c₅ is 0; 100% of it came from above"
    assert found.ratio == np.inf


def test_a_gradient_of_zero_says_whether_anything_was_cancelled() -> None:
    assert survival(split([0.0], carry_f=[0.0])) == "∂L/∂c₄ is 0: no route brings anything"
    cancelled = split([1.0], carry_f=[1.0], output_gate=[-1.0])
    assert survival(cancelled) == "∂L/∂c₄ is 0: the routes cancel"
    assert np.isnan(cancelled.shares).all()


def test_a_gradient_that_is_not_finite_names_the_routes_that_brought_it() -> None:
    found = split([1.0], carry_f=[np.nan], output_gate=[1.0], from_above=[np.nan])
    assert survival(found) == "∂L/∂c₄ is not finite, by carry f"
    assert survival(split([1.0], carry_f=[1.0], from_above=[np.inf])).endswith("not finite, by from above")

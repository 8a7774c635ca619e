"""Panel 9: its sentences on how far memory and gradients reach."""

from __future__ import annotations

import numpy as np
import pytest

from lstmtui.analysis.reach import Horizon, Reach
from lstmtui.analysis.unit_values import Numbers, RoutePart, Survival, Survivals
from lstmtui.cells.notation import UNICODE
from lstmtui.tui.panels.values import reach_lines, route_lines, value_lines


@pytest.mark.parametrize(
    ("half_life", "steps", "sentences"),
    [
        (4.0, 3.0, ["forgets half in 4.00 timesteps", "falls to 1/e within 3.00 timesteps back from t=8"]),
        (1.0, 1.0, ["forgets half in 1.00 timestep", "falls to 1/e within 1.00 timestep back from t=8"]),
        (np.inf, np.inf, ["forgets nothing", "never falls to 1/e, back from t=8"]),
        (np.nan, np.nan, ["has no half-life", "is 0 or not finite at t=8"]),
    ],
)
def test_what_has_no_number_is_said_in_words(half_life: float, steps: float, sentences: list[str]) -> None:
    lines = reach_lines(Horizon(np.array([half_life]), Reach("c", 8, steps)), 0, UNICODE)
    texts = ["".join(text for text, _ in line) for line in lines]
    assert len(texts) == len(sentences)
    for text, sentence in zip(texts, sentences, strict=True):
        assert sentence in text
        assert "NaN timesteps" not in text


def test_shares_of_all_units_and_the_parts_of_one_stand_apart() -> None:
    parts = (RoutePart("R_f", -1.3e-4, 0.15), RoutePart("R_o", 4.1e-5, 0.85))
    of_h = Survival("∂L/∂h₀ shrank", parts)
    of_c = Survival("∂L/∂c₀ shrank", (RoutePart("carry f", 2.0, 1.0),))
    assert [
        "".join(text for text, _ in line) for line in route_lines(Survivals((of_h, of_c)), 3, UNICODE)
    ] == [
        "∂L/∂h₀ shrank",
        "  all units: R_f 15%  R_o 85%",
        "  unit 3: R_f −1.3e−4  R_o 4.1e−5",
        "∂L/∂c₀ shrank",
        "  unit 3: carry f 2.00",
    ]


@pytest.mark.parametrize(
    ("why", "width", "said"),
    [
        ("requires none", 80, "requires no gradient"),
        ("requires none", 46, "no gradient"),
        ("detached", 80, "no gradient: detached"),
        ("detached", 46, "detached"),
        ("its derivative was not computed", 46, "no gradient"),
    ],
)
def test_why_there_is_no_derivative_is_understood_however_little_room_there_is(
    why: str, width: int, said: str
) -> None:
    numbers = [Numbers("x", 0.5, None, None, 1.0)]
    _, line = value_lines(numbers, UNICODE, width, {"x": why}, changed=False)
    assert "".join(text for text, _ in line).split("1.00")[-1].strip() == said

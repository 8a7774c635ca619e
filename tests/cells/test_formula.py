"""The formula on screen: the right text, and numbers that are those of the run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import CELL_NAMES, LSTM_NAMES, noise, random_recurrent, random_states

from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.cells.formula import Equation, Operands, equations
from lstmtui.cells.notation import ASCII, UNICODE, Notation, percent, plain
from lstmtui.cells.rendering import text
from lstmtui.trace import Trace


def operands_at(trace: Trace, layer: int, direction: str, t: int, sequence: int, unit: int) -> Operands:
    """What a front end gives: everything recorded for one timestep of one sequence."""
    previous = t + 1 if direction == "backward" else t - 1
    cell = trace.cell(layer)

    def at(name: str, when: int) -> Any:
        if 0 <= when < trace.steps:
            return trace.values(name, layer, direction)[when, sequence]
        return trace.initial(name, layer, direction)[sequence]

    return Operands(
        t=t,
        previous=previous,
        unit=unit,
        x=at("x", t),
        states={s: at(s, previous) for s in cell.states},
        recorded={q: at(q, t) for q in cell.quantities},
        parameters=trace.layer_parameters(layer, direction),
    )


def assert_computed(trace: Trace, tolerance: float, points: int = 6) -> None:
    chosen = random.Random(1)
    for point in range(points):
        layer, direction = chosen.randrange(len(trace.layers)), chosen.choice(trace.layers[0].directions)
        size = trace.layers[layer].size("h")
        t = (0, trace.steps - 1, chosen.randrange(trace.steps))[point % 3]
        operands = operands_at(
            trace, layer, direction, t, chosen.randrange(trace.batch), chosen.randrange(size)
        )
        written = equations(trace.cell(layer), operands)
        assert tuple(e.quantity for e in written) == trace.cell(layer).stages
        for equation in written:
            recorded = operands.recorded[equation.quantity][operands.unit]
            assert equation.value == recorded
            assert equation.computed == pytest.approx(recorded, rel=tolerance, abs=tolerance), equation


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_an_equation_gives_what_the_run_recorded(
    cell: str, bias: bool, dtype: torch.dtype, tolerance: float
) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True, bias=bias, dtype=dtype)
    x = noise(5, 2, 3, seed=60, dtype=dtype)
    assert_computed(record(module, x, hx=random_states(module, 2)), tolerance)


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_an_equation_gives_what_the_run_recorded_through_a_projection(cell: str) -> None:
    module = random_recurrent(cell, hidden_size=5, proj_size=2, num_layers=2)
    assert_computed(record(module, noise(5, 2, 3, seed=61)), 1e-9)


PARAMETERS = {
    "weight_ih": np.array([[0.5], [1.31], [-0.25], [0.125]]),
    "weight_hh": np.array([[0.5], [-0.66], [0.75], [0.25]]),
    "bias_ih": np.array([0.1, -0.05, 0.2, 0.3]),
    "bias_hh": np.array([0.1, -0.02, -0.4, 0.0]),
}
PEEPHOLES = {
    f"weight_c{gate}": np.array([value]) for gate, value in zip("ifo", (0.5, -0.5, 0.25), strict=True)
}


def written(cell: str, notation: Notation = UNICODE, **changes: Any) -> dict[str, Equation]:
    """The equations of a cell of one unit with round numbers, by quantity, at t = 12."""
    rows = len(CELLS[cell].rows)
    given: dict[str, Any] = {
        "t": 12,
        "previous": 11,
        "x": np.array([1.12]),
        "states": {"h": np.array([-0.3]), "c": np.array([0.413])},
        "recorded": {"r": np.array([0.648])},
        "parameters": {name: values[:rows] for name, values in PARAMETERS.items()} | PEEPHOLES,
    }
    found = equations(CELLS[cell], Operands(**(given | changes)), notation)
    return {equation.quantity: equation for equation in found}


def lines(equation: Equation) -> list[str]:
    return [text(equation.left), text(equation.symbols), *(text(n) for n in equation.numbers)]


UNICODE_LINES = [
    ("lstm", "f", ["f₁₂", "σ(W_f·x + R_f·h₁₁ + b_f)", "σ(1.47 + 0.198 − 0.070)", "σ(1.60)"]),
    ("lstm", "g", ["g₁₂", "tanh(W_g·x + R_g·h₁₁ + b_g)", "tanh(−0.280 − 0.225 − 0.200)", "tanh(−0.705)"]),
    ("lstm", "c", ["c₁₂", "f·c₁₁ + i·g", "0.831·0.413 + 0.648·(−0.608)"]),
    ("lstm", "h", ["h₁₂", "o·tanh(c₁₂)", "0.590·tanh(−0.050)"]),
    (
        "lstm_peephole",
        "f",
        ["f₁₂", "σ(W_f·x + R_f·h₁₁ + b_f + w_cf·c₁₁)", "σ(1.47 + 0.198 − 0.070 + (−0.500)·0.413)", "σ(1.39)"],
    ),
    (
        "lstm_peephole",
        "o",
        [
            "o₁₂",
            "σ(W_o·x + R_o·h₁₁ + b_o + w_co·c₁₂)",
            "σ(0.140 − 0.075 + 0.300 + 0.250·(−0.091))",
            "σ(0.342)",
        ],
    ),
    ("lstm_coupled", "f", ["f₁₂", "1 − i", "1 − 0.648"]),
    (
        "gru",
        "n",
        [
            "n₁₂",
            "tanh(W_n·x + b_n + r·(R_n·h₁₁ + b′_n))",
            "tanh(−0.280 + 0.200 + 0.648·(−0.225 − 0.400))",
            "tanh(−0.485)",
        ],
    ),
    ("gru", "h", ["h₁₂", "(1 − z)·n + z·h₁₁", "(1 − 0.831)·(−0.450) + 0.831·(−0.300)"]),
    (
        "gru_reset_before",
        "n",
        [
            "n₁₂",
            "tanh(W_n·x + b_n + R_n·(r·h₁₁) + b′_n)",
            "tanh(−0.280 + 0.200 − 0.146 − 0.400)",
            "tanh(−0.626)",
        ],
    ),
    ("rnn_tanh", "h", ["h₁₂", "tanh(W·x + R·h₁₁ + b)", "tanh(0.560 − 0.150 + 0.200)", "tanh(0.610)"]),
    ("rnn_relu", "h", ["h₁₂", "relu(W·x + R·h₁₁ + b)", "relu(0.560 − 0.150 + 0.200)", "relu(0.610)"]),
]


@pytest.mark.parametrize(("cell", "quantity", "expected"), UNICODE_LINES)
def test_text_in_unicode(cell: str, quantity: str, expected: list[str]) -> None:
    assert lines(written(cell)[quantity]) == expected


ASCII_LINES = [
    (
        "lstm_peephole",
        "f",
        [
            "f[12]",
            "sigmoid(W_f*x + R_f*h[11] + b_f + w_cf*c[11])",
            "sigmoid(1.47 + 0.198 - 0.070 + (-0.500)*0.413)",
            "sigmoid(1.39)",
        ],
    ),
    ("lstm", "c", ["c[12]", "f*c[11] + i*g", "0.831*0.413 + 0.648*(-0.608)"]),
    (
        "gru",
        "n",
        [
            "n[12]",
            "tanh(W_n*x + b_n + r*(R_n*h[11] + b'_n))",
            "tanh(-0.280 + 0.200 + 0.648*(-0.225 - 0.400))",
            "tanh(-0.485)",
        ],
    ),
]


@pytest.mark.parametrize(("cell", "quantity", "expected"), ASCII_LINES)
def test_text_in_ascii(cell: str, quantity: str, expected: list[str]) -> None:
    assert lines(written(cell, ASCII)[quantity]) == expected


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_ascii_is_ascii_to_the_last_sign(cell: str) -> None:
    for value in (-0.3, float("nan"), float("-inf"), 1e-9):
        for equation in written(cell, ASCII, x=np.array([value]), t=0, previous=-1).values():
            assert all(line.isascii() for line in lines(equation)), lines(equation)


def test_the_backward_direction_comes_from_the_next_timestep() -> None:
    assert text(written("lstm", previous=13)["c"].symbols) == "f·c₁₃ + i·g"
    assert text(written("lstm", t=0, previous=-1)["c"].symbols) == "f·c₋₁ + i·g"


def test_projection_is_written_as_a_product() -> None:
    equation = written("lstm", parameters=PARAMETERS | {"weight_hr": np.array([[2.0]])})["h"]
    assert text(equation.symbols) == "W_hr·(o·tanh(c₁₂))"


def test_parts_of_a_state_add_up_to_it() -> None:
    for cell, state in (("lstm", "c"), ("lstm_peephole", "c"), ("lstm_coupled", "c"), ("gru", "h")):
        equation = written(cell)[state]
        assert sorted(name for name, _ in equation.parts) == ["kept", "written"]
        assert sum(value for _, value in equation.parts) == pytest.approx(equation.computed)
    kept = dict(written("lstm")["c"].parts)["kept"]
    assert kept == pytest.approx(0.413 / (1 + np.exp(-1.5952)))
    assert written("lstm")["h"].parts == ()


def test_nan_and_infinities_are_named_in_the_formula() -> None:
    assert text(written("rnn_tanh", x=np.array([np.nan]))["h"].numbers[0]) == "tanh(NaN − 0.150 + 0.200)"
    assert text(written("rnn_tanh", x=np.array([np.inf]))["h"].numbers[0]) == "tanh(+inf − 0.150 + 0.200)"
    assert text(written("rnn_tanh", x=np.array([-np.inf]))["h"].numbers[1]) == "tanh(−inf)"
    nan = written("lstm", recorded={"i": np.array([np.nan])})["c"]
    assert text(nan.numbers[0]) == "0.831·0.413 + NaN·(−0.608)"
    assert np.isnan(nan.computed)


@pytest.mark.parametrize(
    ("value", "unicode", "ascii_text"),
    [
        (0.0, "0", "0"),
        (0.267, "0.267", "0.267"),
        (-0.912, "−0.912", "-0.912"),
        (1.5952, "1.60", "1.60"),
        (-25.04, "−25.0", "-25.0"),
        (143.0, "143", "143"),
        (9999.0, "9999", "9999"),
        (123456.0, "1.2e5", "1.2e5"),
        (-0.00012, "−1.2e−4", "-1.2e-4"),
        (3.2e-45, "3.2e−45", "3.2e-45"),
        (float("nan"), "NaN", "NaN"),
        (float("inf"), "+inf", "+inf"),
        (float("-inf"), "−inf", "-inf"),
    ],
)
def test_numbers_are_written_to_three_digits(value: float, unicode: str, ascii_text: str) -> None:
    assert UNICODE.number(value) == unicode
    assert ASCII.number(value) == ascii_text


def test_every_piece_of_text_has_a_role() -> None:
    spans = written("lstm")["c"].symbols
    assert spans == (
        ("f", "f"),
        ("·", "sign"),
        ("c₁₁", "c"),
        (" + ", "sign"),
        ("i", "i"),
        ("·", "sign"),
        ("g", "g"),
    )


@pytest.mark.parametrize(
    ("value", "written", "narrow"),
    [
        (0.9995, "0.9995", "0.9995"),
        (0.99996, "0.99996", "0.99996"),
        (-0.99996, "−0.99996", "−0.99996"),
        (0.9999996, "0.9999996", "1−4e−7"),
        (-0.9999996, "−0.9999996", "−1+4e−7"),
        (1 - 2**-24, "0.99999994", "1−6e−8"),
        (1 - 2**-53, "0.9999999999999999", "1−1e−16"),
        (0.0004, "4.0e−4", "4.0e−4"),
        (5e-324, "4.9e−324", "4.9e−324"),
        (1.0, "1.00", "1.00"),
        (-0.0, "−0", "−0"),
    ],
)
def test_what_is_neither_0_nor_1_is_never_written_so(value: float, written: str, narrow: str) -> None:
    assert UNICODE.number(value) == written
    assert UNICODE.number(value, width=8) in (narrow, written if len(written) <= 8 else "")
    assert len(UNICODE.number(value, width=8)) <= 8


def test_numbers_between_0_and_1_are_never_0_or_1_in_any_way_of_writing() -> None:
    dice = np.random.default_rng(5)
    below = 10.0 ** dice.uniform(-320, 0, 500)
    near = 1 - 10.0 ** dice.uniform(-15.9, -1, 500)
    single = (1 - 2.0 ** -dice.integers(1, 25, 50)).astype(np.float32)
    for value in [*below, *near, *single]:
        for digits in (3, 6):
            written = UNICODE.read(UNICODE.number(float(value), digits))
            assert 0 < written < 1
            assert 0 < float(plain(float(value), digits)) < 1
            assert abs(written - value) <= 0.06 * value
        assert percent(float(value)) not in ("0%", "100%")
    assert (percent(0.0), percent(1.0), percent(0.996), percent(0.004)) == ("0%", "100%", ">99%", "<1%")
    assert (percent(-0.25), percent(-0.004)) == ("−25%", "−<1%")


def test_nan_infinities_and_minus_zero_are_the_same_on_screen_and_in_logs() -> None:
    for value in (float("nan"), float("inf"), -float("inf"), -0.0, 0.0):
        assert plain(value) == ASCII.number(value)


def test_an_almost_closed_gate_is_legible_in_its_equation() -> None:
    z, n, h = 0.99996, 0.8, 0.5
    gru = written("gru", recorded={"z": np.array([z]), "n": np.array([n])}, states={"h": np.array([h])})
    assert text(gru["h"].numbers[0]) == "(1 − 0.99996)·0.800 + 0.99996·0.500"


def test_numbers_that_nearly_cancel_have_the_digits_the_result_is_in() -> None:
    given = {"f": np.array([0.5]), "i": np.array([0.25]), "g": np.array([-0.61234])}
    lstm = written("lstm", recorded=given, states={"h": np.array([0.1]), "c": np.array([0.30657])})
    assert lstm["c"].computed == pytest.approx(2.0e-4)
    assert text(lstm["c"].numbers[0]) == "0.50000·0.30657 + 0.25000·(−0.61234)"


def test_a_gate_that_almost_vanishes_is_not_0() -> None:
    lstm = written("lstm", x=np.array([-70.0]))
    assert 0 < lstm["f"].computed < 1e-30

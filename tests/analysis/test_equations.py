"""The equations at the cursor: their numbers are the recorded ones, in every cell and direction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import synthetic

import lstmtui
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.windows import vector
from lstmtui.cells import CELLS
from lstmtui.cells.notation import ASCII
from lstmtui.cells.rendering import text
from lstmtui.session import Session


def recorded(cell: str, **options: object) -> lstmtui.Trace:
    """A run of five timesteps in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layer = lstmtui.Recurrent(cell, 2, 3, **options).double()  # type: ignore[arg-type]
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
        return lstmtui.record(layer, torch.randn(5, 2, 2, dtype=torch.float64))


@pytest.mark.parametrize("cell", CELLS)
def test_what_the_equations_compute_is_what_was_recorded_everywhere(cell: str) -> None:
    session = Session(recorded(cell, num_layers=2, bidirectional=True))
    for layer, direction, t in ((0, "forward", 0), (0, "backward", 4), (1, "forward", 4), (1, "backward", 0)):
        session.select_layer(layer)
        session.select_direction(direction)
        session.select_batch(1)
        session.goto(t)
        for unit in range(3):
            session.select_unit(unit)
            written = equations_at(session.view)
            assert tuple(e.quantity for e in written) == session.cell.stages
            for equation in written:
                values = vector(session.view, equation.quantity)
                expected = values[min(unit, len(values) - 1)]  # one number may be for every unit
                assert equation.value == expected
                assert equation.computed == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_state_before_is_t_minus_1_forward_and_t_plus_1_backward() -> None:
    session = Session(recorded("lstm", bidirectional=True))
    session.goto(2)
    assert "c₁" in text(equations_at(session.view)[3].symbols)
    session.select_direction("backward")
    assert "c₃" in text(equations_at(session.view)[3].symbols)
    session.last()
    assert "c₅" in text(equations_at(session.view)[3].symbols)
    session.select_direction("forward")
    session.first()
    assert "c₋₁" in text(equations_at(session.view)[3].symbols)


def test_a_shorter_sequence_begins_its_backward_direction_at_its_own_end() -> None:
    layer = lstmtui.Recurrent("gru", 2, 3, bidirectional=True).double()
    trace = lstmtui.record(layer, torch.randn(5, 2, 2, dtype=torch.float64), lengths=[5, 3])
    session = Session(trace)
    session.select_batch(1)
    session.select_direction("backward")
    session.last()
    for equation in equations_at(session.view):
        assert equation.computed == pytest.approx(equation.value, rel=1e-9, abs=1e-12)


def test_a_unit_beyond_the_projection_has_no_equation_of_h() -> None:
    session = Session(recorded("lstm", proj_size=2))
    session.select_unit(1)
    h = equations_at(session.view)[-1]
    assert (h.quantity, h.computed) == ("h", pytest.approx(h.value, rel=1e-9))
    session.select_unit(2)
    assert [e.quantity for e in equations_at(session.view)] == ["f", "i", "g", "c", "o"]


def test_a_recording_without_bias_and_parameters_still_has_its_equations() -> None:
    session = Session(recorded("lstm_peephole", bias=False))
    for equation in equations_at(session.view):
        assert equation.computed == pytest.approx(equation.value, rel=1e-9)
    trace = synthetic("lstm")
    bare = {k: v for k, v in trace.arrays.items() if not k.startswith("parameters/")}
    session = Session(lstmtui.Trace(trace.header, bare))
    assert [np.isnan(e.value) for e in equations_at(session.view)] == [False] * 6


def test_in_ascii_there_is_nothing_else() -> None:
    session = Session(recorded("gru_reset_before"))
    for equation in equations_at(session.view, ASCII):
        for spans in (equation.left, equation.symbols, *equation.numbers):
            assert text(spans).isascii()

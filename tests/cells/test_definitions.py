"""What every cell is made of: the contract's names, rows, states and order of evaluation."""

from __future__ import annotations

import pytest

from lstmtui.cells import CELLS
from lstmtui.cells.layout import Layout

ORDER = {
    "rnn_tanh": "h_pre h",
    "rnn_relu": "h_pre h",
    "lstm": "f_pre f i_pre i g_pre g c o_pre o h",
    "lstm_peephole": "f_pre f i_pre i g_pre g c o_pre o h",
    "lstm_coupled": "i_pre i f g_pre g c o_pre o h",
    "gru": "r_pre r z_pre z n_pre n h",
    "gru_reset_before": "r_pre r z_pre z n_pre n h",
}
ROWS = {
    "lstm": "ifgo",
    "lstm_peephole": "ifgo",
    "lstm_coupled": "igo",
    "gru": "rzn",
    "gru_reset_before": "rzn",
}


def test_the_seven_cells_have_their_names() -> None:
    assert list(CELLS)[: len(ORDER)] == list(ORDER)
    assert all(cell.name == name for name, cell in CELLS.items())


@pytest.mark.parametrize("name", ORDER)
def test_quantities_come_in_order_of_evaluation(name: str) -> None:
    cell = CELLS[name]
    order = tuple(ORDER[name].split())
    assert cell.quantities == order
    assert cell.stages == tuple(q for q in order if not q.endswith("_pre"))
    assert cell.gates == tuple(q for q in cell.stages if q not in ("h", "c"))
    assert cell.states == (("h", "c") if "c" in order else ("h",))


@pytest.mark.parametrize("name", ORDER)
def test_rows_are_in_pytorchs_order(name: str) -> None:
    assert CELLS[name].rows == tuple(ROWS.get(name, ("",)))
    assert [CELLS[name].row(row) for row in CELLS[name].rows] == list(range(len(CELLS[name].rows)))


def test_only_the_lstm_family_projects_and_only_one_cell_has_peepholes() -> None:
    assert [n for n in ORDER if CELLS[n].projects] == ["lstm", "lstm_peephole", "lstm_coupled"]
    assert {n: CELLS[n].peepholes for n in ORDER if CELLS[n].peepholes} == {"lstm_peephole": ("i", "f", "o")}


@pytest.mark.parametrize("name", ORDER)
def test_each_cell_says_where_it_comes_from_in_one_line(name: str) -> None:
    assert "\n" not in CELLS[name].summary
    assert len(CELLS[name].summary) > 20


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(ValueError, match="tuple"):
        CELLS["lstm_coupled"].row("f")


def test_shapes_of_a_projected_bidirectional_stack() -> None:
    layout = Layout(CELLS["lstm_peephole"], 3, 5, num_layers=2, bidirectional=True, proj_size=2)
    shapes = layout.shapes()
    assert shapes["weight_ih_l0"] == (20, 3)
    assert shapes["weight_ih_l1_reverse"] == (20, 4)
    assert shapes["weight_hh_l1"] == (20, 2)
    assert shapes["weight_hr_l0_reverse"] == (2, 5)
    assert shapes["weight_co_l1_reverse"] == (5,)
    assert (layout.state_size("h"), layout.state_size("c"), layout.output_size) == (2, 5, 2)
    assert layout.problems() == []


def test_every_problem_of_the_sizes_is_named_at_once() -> None:
    layout = Layout(CELLS["gru"], 0, 4, num_layers=0, proj_size=5)
    assert [field for field, _ in layout.problems()] == ["input_size", "num_layers", "proj_size", "proj_size"]

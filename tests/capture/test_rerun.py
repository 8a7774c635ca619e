"""What-ifs against loops written by hand: values, gradients and the loss of the changed run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.clamped_loops import ClampedLoop
from oracles.recurrents import CELL_NAMES, gap, noise, random_recurrent, random_states
from torch import Tensor, nn

from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.cells import CELLS
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt

STEPS = 9


def edit(
    quantity: str, value: float, start: int, stop: int, unit: int | None = None, **place: object
) -> Edit:
    where = {"layer": 0, "direction": "forward", "batch": 0, "id": 1, "model": "", **place}
    return Edit(quantity=quantity, unit=unit, value=value, start=start, stop=stop, **where)  # type: ignore[arg-type]


def recorded(
    cell: str, batch: int = 2, steps: int = STEPS, lengths: list[int] | None = None, **options: object
) -> Trace:
    module = random_recurrent(cell, **options)  # type: ignore[arg-type]
    x = noise(steps, batch, 3, seed=5)
    counts = None if lengths is None else torch.tensor(lengths)
    return record(module, x, hx=random_states(module, batch), lengths=counts)


def last_hidden(loop: ClampedLoop) -> Tensor:
    """The recorded default: h after the last timestep each direction of the last layer saw."""
    last = len(loop.trace.layers) - 1
    ends = []
    for kept in loop.kept:
        for direction in loop.trace.layers[last].directions:
            ends.append(kept[last, direction]["h"][0 if direction == "backward" else -1].sum())
    return torch.stack(ends).sum()


def farthest(variant: Trace, loop: ClampedLoop) -> float:
    """How far any value or derivative is from the loop's, whose loss has been differentiated."""
    found = []
    for batch, kept in enumerate(loop.kept):
        for place, quantities in kept.items():
            for name, tensors in quantities.items():
                values = torch.stack(tensors)
                grads = torch.stack([torch.zeros_like(v) if v.grad is None else v.grad for v in tensors])
                for key, wanted in ((name, values), ("d" + name, grads)):
                    ours = variant.values(key, *place)[:, batch]
                    found.append(gap(ours[: len(wanted)], wanted))
                    assert not ours[len(wanted) :].any(), "something stands past the end of a sequence"
    for name, parameter in loop.parameters.items():
        wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        found.append(gap(variant.parameter_gradients[name], wanted))
    return max(found)


def check(trace: Trace, *edits: Edit) -> Trace:
    variant, loop = rerun(trace, edits), ClampedLoop(trace, edits)
    loss = last_hidden(loop)
    loss.backward()  # type: ignore[no-untyped-call]
    assert farthest(variant, loop) < 1e-12
    assert gap(np.float64(variant.loss), loss) < 1e-12
    return variant


@pytest.mark.parametrize(
    ("cell", "quantity"), [(name, q) for name in CELL_NAMES for q in ("x", *CELLS[name].quantities)]
)
def test_every_quantity_of_every_cell_can_be_put_in_place(cell: str, quantity: str) -> None:
    trace = recorded(cell)
    variant = check(trace, edit(quantity, 0.75, 3, 5, unit=1), edit(quantity, -0.5, 4, 4, batch=1))
    assert (variant.values(quantity)[3:6, 0, 1] == 0.75).all()
    assert (variant.values(quantity)[4, 1] == -0.5).all()


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_both_directions_and_layers_follow_a_change(cell: str) -> None:
    trace = recorded(cell, num_layers=2, bidirectional=True, lengths=[9, 6])
    check(
        trace,
        edit("h", 0.3, 4, 5, unit=0, direction="backward"),
        edit(CELLS[cell].quantities[0], 1.5, 2, 3, layer=1, batch=1),
        edit("x", -2.0, 5, 5, unit=2, batch=1),
        edit("h", -0.9, 1, 1, layer=1, direction="backward", batch=1),
    )


def test_projections_and_segments_make_no_difference() -> None:
    trace = recorded("lstm", steps=150, proj_size=2, num_layers=2, bidirectional=True, lengths=[150, 71])
    check(trace, edit("f", 1.0, 66, 130, unit=2), edit("h", 0.2, 60, 70, batch=1, direction="backward"))
    check(trace, edit("o", 0.0, 149, 149, layer=1, direction="backward"))


def test_where_two_changes_meet_the_later_one_counts() -> None:
    variant = check(recorded("gru"), edit("z", 0.1, 2, 6), edit("z", 0.9, 4, 8, unit=3))
    assert variant.values("z")[4, 0].tolist() == [0.1, 0.1, 0.1, 0.9]


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize(("start", "direction"), [(70, "forward"), (70, "backward")])
def test_what_a_change_does_not_reach_keeps_its_bits(start: int, direction: str) -> None:
    trace = recorded("lstm", steps=140, bidirectional=True)
    variant = rerun(trace, [edit("o", 0.5, start, start, unit=1, direction=direction)])
    other = "backward" if direction == "forward" else "forward"
    before = slice(None, start) if direction == "forward" else slice(start + 1, None)
    for name in CELLS["lstm"].quantities:
        assert variant.values(name, 0, other) is trace.values(name, 0, other)
        ours, recorded_values = variant.values(name, 0, direction), trace.values(name, 0, direction)
        assert np.array_equal(ours[before], recorded_values[before])
        assert np.array_equal(ours[:, 1], recorded_values[:, 1]), "the other sequence changed"
        if name not in ("o", "h"):
            assert np.array_equal(ours[start], recorded_values[start]), "what o does not reach changed"
    assert not np.array_equal(variant.values("h", 0, direction), trace.values("h", 0, direction))


def test_putting_in_what_is_there_already_gives_the_same_bits() -> None:
    trace = recorded("lstm_peephole", steps=140, batch=1, num_layers=2)
    value = float(trace.values("c")[70, 0, 2])
    variant = rerun(trace, [edit("c", value, 70, 70, unit=2)])
    for layer in range(2):
        for name in ("x", *CELLS["lstm_peephole"].quantities):
            assert np.array_equal(variant.values(name, layer), trace.values(name, layer))
    assert variant.loss == trace.loss


def test_an_open_forget_gate_and_a_closed_input_gate_hold_c() -> None:
    variant = check(recorded("lstm"), edit("f", 1.0, 3, 8, unit=1), edit("i", 0.0, 3, 8, unit=1))
    held = variant.values("c")[2:, 0, 1]
    assert (held == held[0]).all()
    assert (variant.values("dc")[2:8, 0, 1] != 0).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_may_be_no_number(value: float) -> None:
    trace = recorded("lstm")
    variant = rerun(trace, [edit("c", value, 4, 4, unit=0)])
    assert np.array_equal(variant.values("c")[4, 0, 0], value, equal_nan=True)
    assert np.isfinite(variant.values("c")[:4]).all()
    assert np.isfinite(variant.values("c")[:, 1]).all()
    assert np.isnan(variant.values("h")[4:, 0, 0]).all() == np.isnan(value)


def test_values_are_rounded_to_the_dtype_of_the_run() -> None:
    module = random_recurrent("lstm", dtype=torch.float32).to(torch.bfloat16)
    trace = record(module, noise(STEPS, 1, 3, seed=5).to(torch.bfloat16))
    variant = rerun(trace, [edit("f", 0.1, 2, 3), edit("x", 1e300, 5, 5, unit=0)])
    assert float(variant.values("f")[2, 0, 0]) == float(torch.tensor(0.1, dtype=torch.bfloat16))
    assert variant.values("x")[5, 0, 0] == np.inf
    assert variant.values("dh").dtype == trace.values("dh").dtype == np.float32


@pytest.mark.parametrize("unit", [None, 2])
@pytest.mark.parametrize("edits", [(), (edit("g", 0.4, 1, 3),)])
def test_the_gradients_of_a_chosen_timestep_are_those_of_autograd(
    unit: int | None, edits: tuple[Edit, ...]
) -> None:
    trace = recorded("lstm", num_layers=2, bidirectional=True, lengths=[9, 6])
    variant, loop = rerun(trace, edits, LossAt(4, 1, unit)), ClampedLoop(trace, edits)
    loss = loop.h[1][4].sum() if unit is None else loop.h[1][4, unit]
    loss.backward()  # type: ignore[no-untyped-call]
    assert farthest(variant, loop) < 1e-12
    assert gap(np.float64(variant.loss), loss) < 1e-12
    assert variant.values("h").tobytes() == trace.values("h").tobytes() or edits


@pytest.mark.usefixtures("step_by_step")
def test_without_changes_everything_is_as_recorded() -> None:
    trace = recorded("gru", num_layers=2, bidirectional=True, lengths=[9, 6])
    again = rerun(trace)
    assert set(again.arrays) == set(trace.arrays)
    for key in trace.arrays:
        assert gap(again.arrays[key], trace.arrays[key]) < 1e-12, key
    assert again.header == trace.header


def test_stock_modules_can_be_run_again() -> None:
    module = nn.LSTM(3, 4, num_layers=2, dtype=torch.float64, batch_first=True)
    trace = record(module, noise(2, STEPS, 3, seed=3))
    variant = check(trace, edit("i", 0.0, 2, 4))
    assert np.array_equal(variant.values("y"), variant.values("h", 1))


@pytest.mark.parametrize("cell", ["lstm", "lstm_coupled", "gru"])
def test_an_input_put_in_place_of_itself_changes_no_bit(cell: str) -> None:
    module, x = random_recurrent(cell, dtype=torch.float32), noise(30, 2, 3, seed=60, dtype=torch.float32)
    trace = record(module, x)
    same = rerun(trace, [edit("x", float(x[5, 1, 2]), 5, 5, 2, batch=1)])
    assert same.header.what_ifs
    for key in set(trace.arrays):
        assert np.array_equal(same.arrays[key], trace.arrays[key]), key
    other = rerun(trace, [edit("x", float(x[5, 1, 2]), 5, 6, 2, batch=1)])
    assert not np.array_equal(other.values("dx"), trace.values("dx"))

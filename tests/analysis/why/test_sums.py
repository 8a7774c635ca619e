"""Every ledger of every cell adds up: layers, directions, lengths, initial states, projections, what-ifs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from oracles.invented_cells import MINGRU, ODD, invented_cells
from oracles.recurrents import noise, random_recurrent, random_states
from torch import Tensor

from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.ledger import SET, Ledger, Part, Place
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.cells import CELLS
from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ
from lstmtui.cells.notation import UNICODE
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit

__all__ = ["invented_cells"]

EXACT = 1e-12
NAMES = (*CELLS, MINGRU.name, ODD.name)
pytestmark = pytest.mark.usefixtures("invented_cells")


def weighted(result: Any) -> Tensor:
    """A loss that reads every timestep, each differently."""
    h = result[0]
    loss: Tensor = (noise(*h.shape, seed=3) * h**2).sum()
    return loss


def recorded(name: str, seed: int, **options: Any) -> Trace:
    """Two sequences of different lengths, from random states."""
    module = random_recurrent(name, seed=seed, **options)
    x, hx = noise(9, 2, 3, seed=seed), random_states(module, 2, seed=seed + 1)
    return record(module, x, hx=hx, lengths=[9, 6], loss=weighted)


def questions(trace: Trace) -> Iterator[Place]:
    """Every number of every quantity, and what can be asked of a state besides."""
    for layer, own in enumerate(trace.layers):
        cell = own.layout.cell
        names = [*trace.quantities(layer), *(f"written {s}" for s in cell.keeping)]
        names += [f"routes d{s}" for s in cell.states]
        for direction in own.directions:
            for batch, length in enumerate(trace.lengths.tolist()):
                for name in names:
                    units = trace.values(name.rpartition(" ")[2], layer, direction).shape[-1]
                    for t in range(length):
                        for unit in range(units):
                            yield Place(name, t, unit, layer, direction, batch)


def assert_adds_up(ledger: Ledger) -> None:
    """To the whole, relative to what is added; a derivative that went through a slope, to what it was of."""
    size = ledger.size
    if ledger.asked.quantity.startswith("d") and ledger.asked.quantity.endswith("_pre"):
        # 1 − g² of a g near 1 has lost the digits that no sum can give back.
        size += max((abs(f.value) for part in ledger.parts for f in part.factors), default=1.0)
    assert abs(ledger.residual) <= EXACT * size, ledger
    assert abs(ledger.value) == 0 or ledger.parts


OPTIONS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_the_sum_of_its_parts(name: str) -> None:
    draw = random.Random(name)
    projected = [{"proj_size": 2, "bidirectional": True}] if CELLS[name].projects else []
    for seed, options in enumerate((*OPTIONS, *projected)):
        trace = recorded(name, seed, **options)
        every = list(questions(trace))
        for place in draw.sample(every, min(len(every), 150)):
            assert_adds_up(ledger_at(trace, place))


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_the_sum_of_its_parts_with_what_ifs(name: str) -> None:
    trace = recorded(name, 5)
    draw = random.Random(name)
    cell = CELLS[name]
    vectors = [q for q in cell.quantities if trace.values(q).shape[-1] > 1]
    quantities = draw.sample(vectors, min(3, len(vectors)))
    edits = [
        Edit(n, "", 0, "forward", 0, quantity, draw.choice([None, 1]), value=0.3, start=t, stop=t + n)
        for n, (quantity, t) in enumerate(zip(quantities, (2, 4, 6), strict=False))
    ]
    changed = rerun_with_loss(trace, edits)
    every = [place for place in questions(changed) if place.quantity.partition(" ")[0] != "written"]
    for place in draw.sample(every, 200):
        assert_adds_up(ledger_at(changed, place))
    for edit in edits:
        unit = 1 if edit.unit is None else edit.unit
        ledger = ledger_at(changed, Place(edit.quantity, edit.start, unit, 0, "forward", 0))
        assert ledger.value == 0.3
        assert [part.text.partition(" at ")[0] for part in ledger.parts] == [SET]


def rerun_with_loss(trace: Trace, edits: list[Edit]) -> Trace:
    """With what-ifs, and a loss that a trace can take again: the last hidden state."""
    return rerun(Trace(_with_last_hidden(trace), dict(trace.arrays)), edits)


def _with_last_hidden(trace: Trace) -> Any:
    return replace(trace.header, loss_kind="last_hidden", output_kind="hidden")


def test_the_parts_of_a_product_are_multiplied() -> None:
    trace = recorded("lstm", 1)
    ledger = ledger_at(trace, Place("h", 4, 2, 0, "forward", 0))
    assert [part.text for part in ledger.parts] == ["o", "tanh(c₄)"]
    assert ledger.kind == "product"
    assert ledger.total == pytest.approx(trace.values("h")[4, 0, 2], rel=1e-14)


def test_a_gate_is_the_sum_of_its_products_before_it_is_squashed() -> None:
    trace = recorded("lstm_peephole", 1)
    ledger = ledger_at(trace, Place("f", 4, 2, 0, "forward", 0))
    p = {name.removesuffix("_l0"): value for name, value in trace.parameters.items()}
    row = 4 + 2
    wanted = {
        **{f"W_f[2, {n}]·x[{n}]": p["weight_ih"][row, n] * trace.values("x")[4, 0, n] for n in range(3)},
        **{f"R_f[2, {n}]·h₃[{n}]": p["weight_hh"][row, n] * trace.values("h")[3, 0, n] for n in range(4)},
        "b_f": p["bias_ih"][row] + p["bias_hh"][row],
        "w_cf·c₃": p["weight_cf"][2] * trace.values("c")[3, 0, 2],
    }
    assert {part.text: part.value for part in ledger.parts} == pytest.approx(wanted, rel=1e-13)
    assert (ledger.of, ledger.whole) == ("f_pre[2]", trace.values("f_pre")[4, 0, 2])
    sizes = [abs(part.value) for part in ledger.parts]
    assert sizes == sorted(sizes, reverse=True)


def nested(p: Parameters, x: Value, h: Value) -> Equations:
    """Products with a matrix inside of functions that have no name."""
    a = yield "a", σ(p.W_a @ x + p.R_a @ h + p.b_a)
    w = yield "w", tanh(p.W_g @ x + p.b_g) * (1 - a)
    yield "h", tanh(w - tanh(p.R_g @ h + p.b_g) * a)


@pytest.mark.parametrize("bias", [True, False])
def test_a_factor_with_a_matrix_inside_is_there_without_a_bias_and_leads_to_no_unit(bias: bool) -> None:
    cell = Cell("nested", nested, rows=("a", "g"), states=("h",))
    module = Recurrent(cell, 2, 5, bias=bias, dtype=torch.float64)
    trace = record(module, noise(4, 1, 2, seed=1), loss=weighted)
    for place in questions(trace):
        assert_adds_up(ledger_at(trace, place))
    ledger = ledger_at(trace, Place("w", 2, 4, 0, "forward", 0))
    assert [part.leads_to and part.leads_to.quantity for part in ledger.parts] == [None, "a"]


def test_a_part_leads_to_the_number_that_it_was_made_of() -> None:
    trace = recorded("gru", 2, num_layers=2, bidirectional=True)
    for place in random.Random(1).sample(list(questions(trace)), 300):
        if place.quantity.startswith("d") or " " in place.quantity:
            continue
        ledger = ledger_at(trace, place)
        for part in ledger.parts:
            to = part.leads_to
            if to is not None and part.factors and " " not in to.quantity:
                value = trace.values(to.quantity, to.layer, to.direction)[to.t, to.batch, to.unit]
                assert any(np.isclose(value, f.value) for f in part.factors), (place, part)


def test_the_parts_that_are_not_listed_come_to_one_number() -> None:
    trace = recorded("lstm", 1)
    every = ledger_at(trace, Place("f", 4, 2, 0, "forward", 0))
    some = ledger_at(trace, Place("f", 4, 2, 0, "forward", 0), most=3)
    assert some.parts == every.parts[:3]
    assert (some.rest_count, some.total) == (5, every.total)
    assert some.rest == pytest.approx(sum(part.value for part in every.parts[3:]), rel=1e-14)


def test_parts_that_come_to_nan_are_not_said_to_be_the_number() -> None:
    trace = recorded("lstm", 1)
    whole = ledger_at(trace, Place("c", 4, 2, 0, "forward", 0))
    spoilt = replace(whole, total=float("nan"))
    assert whole.residual_text(UNICODE) == ""
    assert spoilt.residual_text(UNICODE) == "the parts come to NaN, which is not what was recorded"
    same = replace(spoilt, whole=float("nan"))
    assert (same.residual, same.residual_text(UNICODE)) == (0.0, "")


def test_dropout_between_layers_is_no_copy() -> None:
    torch.manual_seed(0)
    module = random_recurrent("lstm", num_layers=2, dropout=0.5).train()
    trace = record(module, noise(5, 1, 3, seed=1))
    x, h = trace.values("x", 1)[:, 0], trace.values("h", 0)[:, 0]
    for t, unit in np.argwhere(x != h).tolist():
        ledger = ledger_at(trace, Place("x", t, unit, 1, "forward", 0))
        assert ledger.kind == "origin"
        assert ledger.parts[0].leads_to == Place("h", t, unit, 0, "forward", 0)


def ledger_of(*values: float) -> Ledger:
    """A sum of these parts."""
    place = Place("c", 3, 0, 0, "forward", 0)
    parts = tuple(Part(f"part {n}", value) for n, value in enumerate(values))
    total, size = sum(values), sum(map(abs, values))
    return Ledger(place, total, "sum", "", "c[0]", total, parts, len(parts), 0.0, total, size)


def test_parts_that_nearly_cancel_have_their_amounts_and_no_shares() -> None:
    ledger = ledger_of(1.5, -1.25, -0.2)
    assert [ledger.share_text(part) for part in ledger.parts] == ["", "", ""]
    assert "part 0 (1.50), part 1 (−1.25), part 2 (−0.200)" in str(ledger)
    assert "the parts nearly cancel: those above 0 come to 1.50, those below to −1.45" in str(ledger)
    assert "the parts cancel: those above 0 come to 2.00, those below to −2.00" in str(ledger_of(2, -2))
    assert "those above 0 come to 1.2345, those below to −1.2341" in str(ledger_of(1.2345, -1.2341))


@pytest.mark.parametrize("values", [(1.0, -0.75), (1.0,), (0.0, 0.0), (np.inf, -1.0), (np.nan, 1.0)], ids=str)
def test_other_parts_do_not_cancel(values: tuple[float, ...]) -> None:
    ledger = ledger_of(*values)
    assert not ledger.cancels
    assert "cancel" not in str(ledger)


def test_shares_are_written_up_to_what_is_no_near_cancelling() -> None:
    ledger = ledger_of(1.0, -0.75)
    assert [ledger.share_text(part) for part in ledger.parts] == ["400%", "−300%"]


def test_an_equation_says_of_which_timestep_the_states_are() -> None:
    trace = recorded("lstm", 1, bidirectional=True)

    def equation(quantity: str, direction: str) -> str:
        return ledger_at(trace, Place(quantity, 4, 0, 0, direction, 0)).equation

    assert equation("o", "forward") == "o₄ = σ(W_o·x + R_o·h₃ + b_o)"
    assert equation("o", "backward") == "o₄ = σ(W_o·x + R_o·h₅ + b_o)"
    assert equation("h", "forward") == "h₄ = o·tanh(c₄)"

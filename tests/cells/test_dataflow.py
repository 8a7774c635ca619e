"""The graph of a cell's operations: complete, and each number is what its operation makes of others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracles.invented_cells import MINGRU, ODD
from oracles.recurrents import noise, random_recurrent

from lstmtui.analysis.node_values import node_values_at, nodes_of
from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.dataflow import Node
from lstmtui.cells.functions import softplus, tanh
from lstmtui.cells.parameters import Parameter
from lstmtui.trace import Trace
from lstmtui.view import Cursor, View

EVERY = [*CELLS.values(), MINGRU, ODD]


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_every_quantity_of_the_equations_is_a_node_or_what_its_function_reads(cell: Cell) -> None:
    nodes = nodes_of(cell, projected=False)
    named = [node.name for node in nodes if node.name] + [node.before for node in nodes if node.before]
    assert sorted(named) == sorted(cell.quantities)
    assert [node.stage for node in nodes if node.kind == "source"] == ["x", *cell.states]


def computed(node: Node, reads: list[float], before: float | None) -> float | None:
    """What an operation gives, by its sign; None for a weighted sum."""
    first = before if node.kind == "weighted" and before is not None else reads[0] if reads else math.nan
    functions = {
        "σ": lambda v: 1 / (1 + np.exp(-v)),
        "tanh": np.tanh,
        "relu": lambda v: max(v, 0.0),
        "exp": np.exp,
        "1−": lambda v: 1 - v,
        "log σ": lambda v: -np.log1p(np.exp(-v)),
        "√(1−a²)": lambda v: np.sqrt(1 - v * v),
    }
    if node.kind == "operation":
        a, b = reads
        signs = {"×": a * b, "+": a + b, "−": a - b, "/": a / b if b else math.nan, "max": max(a, b)}
        return signs[node.text]
    if node.kind == "number":
        return float(node.text)
    is_function = node.text in functions and (node.kind == "function" or before is not None)
    return float(functions[node.text](first)) if is_function else None


@pytest.mark.parametrize("name", [name for name in CELLS if name != "lstm_layernorm"])
def test_each_number_is_what_its_operation_makes_of_those_it_reads(name: str) -> None:
    module = random_recurrent(name)
    trace = record(module, noise(6, 2, 3, seed=1))
    cell = CELLS[name]
    nodes, held = nodes_of(cell, projected=False), 0
    for t, unit in ((0, 0), (3, 2), (5, 1)):
        cursor = Cursor(trace.name, t=t, batch=1, unit=unit)
        values = node_values_at(View(trace, trace, cursor))
        for node, own in zip(nodes, values, strict=True):
            reads = [values[read].value for read in node.reads]
            if any(value is None for value in reads) and node.kind != "weighted":
                continue
            expected = computed(node, [math.nan if v is None else v for v in reads], own.before)
            if name == "cfc" and node.name == "u":
                expected = None  # LeCun's tanh is drawn as tanh
            if expected is not None:
                assert own.value == pytest.approx(expected, rel=1e-9, abs=1e-12), node
                held += 1
            if node.name:
                assert own.value == trace.values(node.name)[t, 1, unit if len(reads) else 0]
            if node.before:
                assert own.before == trace.values(node.before)[t, 1, unit]
    assert held >= 3


def test_the_recurrent_part_of_a_grus_candidate_is_its_own_weighted_sum() -> None:
    module = random_recurrent("gru")
    trace = record(module, noise(4, 1, 3, seed=2))
    size = trace.layers[0].hidden_size
    weights, bias = trace.parameters["weight_hh_l0"], trace.parameters["bias_hh_l0"]
    h = trace.values("h")[2, 0]
    view = View(trace, trace, Cursor(trace.name, t=3, unit=1))
    nodes = nodes_of(view.cell, projected=False)
    at = next(at for at, node in enumerate(nodes) if node.text == "R_n")
    expected = weights[2 * size + 1] @ h + bias[2 * size + 1]
    assert node_values_at(view)[at].value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (lambda p, x, h: p.decay * x, "decay×"),
        (lambda p, x, h: -(p.decay * x), "−decay×"),
        (lambda p, x, h: -(8 * softplus(p.decay) * x), "w×"),
        (lambda p, x, h: p.decay * x + p.b, "Σ"),
        (lambda p, x, h: x + h + p.b, "Σ"),
        (lambda p, x, h: p.W @ x + p.b, "W"),
        (lambda p, x, h: p.W @ x + p.R @ h, "Σ"),
    ],
)
def test_what_weights_make_is_named_by_what_it_is_and_not_by_a_parameter_alone(written, text: str) -> None:
    def equations(p: Parameters, x: Value, h: Value) -> Equations:
        v = yield "v", written(p, x, h)
        yield "h", tanh(v) * h

    decay = Parameter("decay", ("decay",), ("hidden",))
    cell = Cell("named", equations, rows=("",), states=("h",), own_parameters=(decay,))
    assert next(node.text for node in nodes_of(cell, projected=False) if node.name == "v") == text


def test_what_needs_weights_that_are_not_there_has_no_number() -> None:
    trace = record(random_recurrent("gru"), noise(4, 1, 3, seed=2))
    kept = {key: array for key, array in trace.arrays.items() if not key.startswith("parameters/")}
    bare = Trace(trace.header, kept)
    view = View.of(bare)
    nodes, values = nodes_of(view.cell, projected=False), node_values_at(view)
    unknown = {node.text for node, value in zip(nodes, values, strict=True) if value.value is None}
    assert unknown == {"R_n", "×", "x"}  # with x, which has three features
    assert sum(value.value is None for value in values) == 3

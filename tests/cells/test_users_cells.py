"""Cells of the user's own: registered or handed on, refused in a sentence, and kept in the trace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.invented_cells import ODD, recorded
from oracles.recurrents import noise, random_recurrent

import lstmtui
from lstmtui import words as language
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.analysis.reach import half_lives
from lstmtui.capture.engine import RerunEngine
from lstmtui.cells import CELLS, Cell
from lstmtui.cells.cell import Equations
from lstmtui.cells.functions import clamp, sigmoid, tanh
from lstmtui.cells.registry import RESERVED
from lstmtui.cells.rendering import text
from lstmtui.cells.written import cell_of, definition_of
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace


def equations(p: Any, x: Any, h: Any) -> Equations:
    """A cell of nobody's."""
    keep_pre = yield "keep_pre", p.W_k @ x + p.R_k @ h + p.b_k
    keep = yield "keep", sigmoid(keep_pre)
    new = yield "new", tanh(p.W_n @ x / (1 + p.scale**2))
    yield "h", keep * h + (1 - keep) * new


SCALE = lstmtui.Parameter("scale", ("scale",), ("hidden",))
OWN = lstmtui.Cell("own", equations, rows=("k", "n"), states=("h",), own_parameters=(SCALE,))


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    before = dict(CELLS)
    yield
    CELLS.clear()
    CELLS.update(before)


def test_a_registered_cell_is_known_by_its_name() -> None:
    assert lstmtui.register(OWN) is OWN
    module = lstmtui.Recurrent("own", 3, 4, num_layers=2, bidirectional=True)
    assert lstmtui.record(module, torch.randn(5, 2, 3))["keep"].shape == (5, 2, 4)
    lstmtui.register(OWN)  # as a notebook does


def test_a_trace_of_it_opens_with_its_equations_where_its_python_is_not(tmp_path: Path) -> None:
    trace = lstmtui.record(lstmtui.Recurrent(OWN, 3, 4), torch.randn(6, 2, 3), loss=lambda r: r[0].sum())
    trace.save(tmp_path / "own.trace")
    code = (
        "import sys, lstmtui, json\n"
        "from lstmtui.analysis.equations import equations_at\n"
        "from lstmtui.cells.rendering import text\n"
        "from lstmtui.session import Session\n"
        "s = Session(lstmtui.load(sys.argv[1])); s.goto(4)\n"
        "print(json.dumps([text(e.left) + ' = ' + text(e.symbols) for e in equations_at(s.view)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "own.trace")], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [
        "keep₄ = σ(W_k·x + R_k·h₃ + b_k)",
        "new₄ = tanh(W_n·x/(1 + scale·scale))",
        "h₄ = keep·h₃ + (1 − keep)·new",
    ]


@pytest.mark.parametrize("cell", [*CELLS.values(), ODD, OWN], ids=lambda cell: cell.name)
def test_what_is_written_of_a_cell_reads_back_as_the_same_cell(cell: Cell) -> None:
    again = cell_of(cell.name, definition_of(cell))
    assert definition_of(again) == definition_of(cell)
    assert (again.parameters, again.quantity_sizes) == (cell.parameters, cell.quantity_sizes)
    options: dict[str, Any] = {"hidden_size": 4, "proj_size": 2} if cell.projects else {"hidden_size": 4}
    if cell in (ODD, OWN):
        CELLS[cell.name] = cell
    module = random_recurrent(cell.name, **options)
    x = noise(4, 2, 3, seed=2)
    wanted = module(x)[0]
    module.layout = module.layout.__class__(again, 3, **options)
    assert torch.equal(module(x)[0], wanted)


def test_routes_what_ifs_and_words_of_a_loaded_trace(tmp_path: Path) -> None:
    module = lstmtui.Recurrent(OWN, 3, 4, dtype=torch.float64)
    x = noise(8, 2, 3, seed=5)
    trace = lstmtui.record(module, x, loss=lambda r: r[0].square().sum())
    trace.save(tmp_path / "own.trace")
    again = lstmtui.load(tmp_path / "own.trace")
    assert isinstance(again, Trace)
    session = Session(again, RerunEngine())
    session.goto(4)
    assert [r.name for r in routes_at(session.view)[0].routes] == ["carry keep", "R_k", "from above"]
    assert text(equations_at(session.view)[0].symbols) == "σ(W_k·x + R_k·h₃ + b_k)"
    execute(session, parse_line("set keep = 1 from 2 to 3", vocabulary=session.vocabulary))
    assert np.array_equal(session.trace.values("h")[3, 0], again.values("h")[1, 0])


def _with(**changes: Any) -> Cell:
    every: dict[str, Any] = {"name": "mine", "equations": equations, "rows": ("k", "n"), "states": ("h",)}
    return lstmtui.Cell(**{**every, "own_parameters": (SCALE,), **changes})


def _branching(p: Any, x: Any, h: Any) -> Equations:
    yield "h", x if h else h


def _yielding(*names: str) -> Any:
    def equations(p: Any, x: Any, h: Any) -> Equations:
        for name in names:
            yield name, h

    return equations


def _long(p: Any, x: Any, h: Any) -> Equations:
    for _ in range(12):
        h = h * h
    yield "h", h


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (_with(name="lstm"), "cell lstm: this is the name of a built-in cell; choose another"),
        (_with(name="my cell"), "its name must be one of letters"),
        (_with(own_parameters=()), "the equations read scale, which is no parameter of the cell"),
        (_with(equations=_branching), "no if can depend on it"),
        (_with(equations=lambda p, x, h: [h]), "cannot be run on symbols: TypeError"),
        (_with(states=("s",)), "its first state must be h"),
        (_with(equations=_yielding("a")), "its equations do not yield h"),
        (_with(equations=_yielding("norm", "h")), "'norm' cannot be the name of a quantity"),
        (_with(equations=_yielding("dh", "h")), "dh is the name of the derivative by h"),
        (_with(equations=_long), "more than 2,000 operations"),
        (_with(own_parameters=(lstmtui.Parameter("scale", ("scale",), ("hiden",)),)), "'hiden' is no size"),
        (_with(equations=_yielding("a", "a", "h")), "its equations yield a twice"),
        (_with(rows="kn"), "rows must be a tuple of names"),
        (_with(own_parameters=SCALE), "own_parameters must be a tuple of lstmtui.Parameter"),
    ],
)
def test_a_cell_that_cannot_be_run_is_refused_in_a_sentence(cell: Cell, said: str) -> None:
    for use in (lstmtui.register, lambda cell: lstmtui.Recurrent(cell, 3, 4)):
        with pytest.raises(lstmtui.UserError) as error:
            use(cell)
        assert said in str(error.value)


def _with_matrix(p: Any, x: Any, h: Any) -> Equations:
    v = yield "v", p.square @ x
    yield "h", v + h


def _with_memory(p: Any, x: Any, h: Any, m: Any) -> Equations:
    m = yield "m", 0.9 * m + p.W_k @ x
    yield "h", m


SQUARE = lstmtui.Parameter("square", ("square",), ("hidden", "hidden"))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            lstmtui.Cell("bad", _with_matrix, ("k",), ("h",), (SQUARE,)),
            "cell bad: v cannot be computed with the sizes of its parameters and states: ",
        ),
        (
            lstmtui.Cell("bad", _with_memory, ("k",), ("h", "m"), state_sizes={"m": 1}),
            "cell bad: m comes out with 4 units, and state_sizes says 1",
        ),
    ],
)
def test_a_cell_whose_sizes_do_not_fit_is_refused_when_a_layer_is_made_of_it(cell: Cell, said: str) -> None:
    with pytest.raises(lstmtui.UserError) as error:
        lstmtui.Recurrent(cell, 3, 4)
    assert said in str(error.value)
    assert lstmtui.Recurrent(lstmtui.Cell("good", _with_memory, ("k",), ("h", "m")), 3, 4)


def test_sizes_are_given_by_their_names() -> None:
    with pytest.raises(ValueError, match="sizes is no size of slstm, which has heads"):
        lstmtui.Recurrent("slstm", 3, 4, sizes={"heads": 2})  # type: ignore[arg-type]


def test_the_words_of_expressions_are_no_names_of_quantities() -> None:
    words = {*language.SCALARS, *language.FUNCTIONS, *language.CONNECTIVES, "x", "y"}
    assert words == RESERVED


@pytest.mark.parametrize(
    "equation", ["(+ q.a", "(system p.W_k)", "(+ x)", "p.__class__.x", "x" * 300_000, "(" * 500]
)
def test_a_damaged_definition_is_said(tmp_path: Path, equation: str) -> None:
    lstmtui.record(lstmtui.Recurrent(OWN, 3, 4), torch.randn(2, 1, 3)).save(tmp_path / "own.trace")
    file = tmp_path / "own.trace" / "trace.json"
    manifest = json.loads(file.read_text())
    manifest["models"][0]["header"]["layers"][0]["definition"]["equations"][0][1] = equation
    file.write_text(json.dumps(manifest))
    with pytest.raises(lstmtui.UserError, match="damaged"):
        lstmtui.load(tmp_path / "own.trace")


def test_recording_a_built_in_cell_writes_no_definition() -> None:
    _, trace, _, _ = recorded(CELLS["slstm"])
    assert trace.layers[0].definition is None


def bounded_equations(p: Any, x: Any, h: Any, c: Any) -> Equations:
    f = yield "f", sigmoid(p.W_f @ x + p.R_f @ h)
    g = yield "g", p.W_g @ x
    c = yield "c", clamp(f * c + g, -1, 1)
    yield "h", tanh(c)


def test_a_clamped_state_is_kept_while_it_has_not_come_to_a_bound() -> None:
    module = lstmtui.Recurrent(
        lstmtui.Cell("bounded", bounded_equations, rows=("f", "g"), states=("h", "c")), 3, 4
    )
    with torch.no_grad():
        module.weight_ih_l0.mul_(2)
    trace = lstmtui.record(module.double(), noise(30, 2, 3, seed=1), loss=lambda r: r[0].square().sum())
    session = Session(trace)
    f, c, dc = (trace[name][:, 0] for name in ("f", "c", "dc"))
    kept = f * (np.abs(c) < 1)
    assert 0.1 < (kept > 0).mean() < 0.95
    assert half_lives(session.view) == pytest.approx(np.log(0.5) / np.log(kept.mean(0)), rel=1e-12)
    session.goto(15)
    carried = routes_at(session.view)[1].routes[0]
    assert carried.name == "carry f·[−1 < c]·[c < 1]"
    assert carried.values == pytest.approx(dc[15] * kept[15], rel=1e-12)
    for unit in range(4):
        assert trace.why("c", 29, unit).residual == pytest.approx(0, abs=1e-15)

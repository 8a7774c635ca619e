"""Cells broken on purpose, one mistake each, made from the real definitions by program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace
from typing import Any

from oracles.recurrents import CELL_NAMES
from torch import Tensor

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.cell import Equations
from lstmtui.cells.terms import Term

Environment = SimpleNamespace
"""What a broken equation can use: p, x, h and c before the timestep as h_, c_, and every new quantity."""


def wrong_orders() -> Iterator[tuple[str, Cell]]:
    """Every order of the rows of W, R and b that is not the right one: 23 for four gates, 5 for three."""
    for cell in map(CELLS.__getitem__, CELL_NAMES):
        for rows in permutations(cell.rows):
            if rows != cell.rows:
                yield f"{cell.name}: rows {' '.join(rows)}", replace(cell, rows=rows)


def dropped_parameters() -> Iterator[tuple[str, Cell]]:
    """Each bias of each row dropped, bias_ih and bias_hh by themselves, and each peephole."""
    for cell in map(CELLS.__getitem__, CELL_NAMES):
        for row in cell.rows:
            end = "_" + row if row else ""
            yield f"{cell.name}: bias_ih{end} dropped", without(cell, f"b{end}", _ih_dropped(cell, row, end))
            if f"bh{end}" in cell.blocks:  # the two biases act in different places
                yield f"{cell.name}: bias_hh{end} dropped", without(cell, f"bh{end}", lambda p: 0.0)
            else:
                yield f"{cell.name}: bias_hh{end} dropped", without(cell, f"b{end}", _part(f"b{end}", 0))
        for gate in cell.peepholes:
            yield f"{cell.name}: peephole {gate} dropped", without(cell, f"w_c{gate}", lambda p: 0.0)


def wrong_equations() -> Iterator[tuple[str, Cell]]:
    """The mistakes people make when they write these cells."""
    gru, before = CELLS["gru"], CELLS["gru_reset_before"]
    yield "gru: reset before the product", computing(gru, before.equations)
    yield "gru_reset_before: reset after the product", computing(before, gru.equations)
    for cell in (gru, before):
        yield f"{cell.name}: z and 1 − z", with_wrong(cell, "h", lambda v, e: e.z * e.n + (1 - e.z) * e.h_)
        yield f"{cell.name}: n not squashed", with_wrong(cell, "n", lambda v, e: e.n_pre)
    peephole = CELLS["lstm_peephole"]
    yield (
        "lstm_peephole: output peephole on the old c",
        with_wrong(peephole, "o_pre", lambda v, e: v - e.p.w_co * e.c + e.p.w_co * e.c_),
    )
    yield "lstm_peephole: gates i and f see the new c", computing(peephole, _late_peepholes)
    for name in ("lstm", "lstm_peephole", "lstm_coupled"):
        cell = CELLS[name]
        yield f"{name}: f and 1 − f", with_wrong(cell, "c", lambda v, e: (1 - e.f) * e.c_ + e.i * e.g)
        yield f"{name}: tanh dropped from h", with_wrong(cell, "h", lambda v, e: e.p.project(e.o * e.c))
        yield f"{name}: h from the old c", with_wrong(cell, "h", lambda v, e: e.o * e.c_.tanh())
        yield f"{name}: h and c swapped", computing(cell, _swapped(cell))
    yield "lstm_coupled: i = 1 − f", with_wrong(CELLS["lstm_coupled"], "f", lambda v, e: e.i)
    yield "rnn_tanh: relu", computing(CELLS["rnn_tanh"], CELLS["rnn_relu"].equations)
    yield "rnn_relu: tanh", computing(CELLS["rnn_relu"], CELLS["rnn_tanh"].equations)


def wrong_gradients() -> Iterator[tuple[str, Cell]]:
    """Right values, wrong derivatives."""
    peephole = CELLS["lstm_peephole"]
    for gate, c in (("i", "c_"), ("f", "c_"), ("o", "c")):
        yield (
            f"lstm_peephole: truncated at peephole {gate}",
            with_wrong(peephole, f"{gate}_pre", _truncated(gate, c)),
        )
    for cell in map(CELLS.__getitem__, CELL_NAMES):
        for state in cell.states:
            yield f"{cell.name}: old {state} detached", computing(cell, detached(cell, state))


def computing(cell: Cell, broken: Callable[..., Equations]) -> Cell:
    """`cell` with other equations on tensors; its names are still read off the true ones."""

    def equations(p: Any, x: Any, *states: Any) -> Equations:
        return (cell.equations if isinstance(x, Term) else broken)(p, x, *states)

    return replace(cell, equations=equations)


def with_wrong(cell: Cell, quantity: str, wrong: Callable[[Any, Environment], Any]) -> Cell:
    """`cell` with one quantity computed by `wrong(right value, environment)`."""

    def equations(p: Any, x: Any, *states: Any) -> Equations:
        known = Environment(p=p, x=x, **{name + "_": s for name, s in zip(cell.states, states, strict=True)})
        running = cell.equations(p, x, *states)
        name, value = next(running)
        while True:
            made = yield name, wrong(value, known) if name == quantity else value
            setattr(known, name, made)
            try:
                name, value = running.send(made)
            except StopIteration:
                return

    return computing(cell, equations)


def without(cell: Cell, parameter: str, instead: Callable[[Any], Any]) -> Cell:
    """`cell` with one parameter replaced by `instead(parameters)`."""

    class Broken:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return instead(self._real) if name == parameter else getattr(self._real, name)

    def equations(p: Any, *values: Any) -> Equations:
        return cell.equations(Broken(p), *values)

    return computing(cell, equations)


def _ih_dropped(cell: Cell, row: str, end: str) -> Callable[[Any], Any]:
    if f"bh{end}" in cell.blocks:  # the two biases act in different places
        return lambda p: 0.0
    return _part(f"b{end}", 1)


def _part(bias: str, number: int) -> Callable[[Any], Any]:
    """bias_ih (0) or bias_hh (1) alone."""
    return lambda p: p.parts(bias)[number]


def _truncated(gate: str, c: str) -> Callable[[Any, Environment], Any]:
    def wrong(value: Any, known: Environment) -> Any:
        weight, state = getattr(known.p, f"w_c{gate}"), getattr(known, c)
        return value - weight * state + weight * state.detach()

    return wrong


def detached(cell: Cell, state: str) -> Callable[..., Equations]:
    def equations(p: Any, x: Any, *states: Any) -> Equations:
        cut: list[Tensor] = [
            s.detach() if name == state else s for name, s in zip(cell.states, states, strict=True)
        ]
        if state == "h":
            p.begin(cut[0])
        return cell.equations(p, x, *cut)

    return equations


def _swapped(cell: Cell) -> Callable[..., Equations]:
    def equations(p: Any, x: Any, h: Any, c: Any) -> Equations:
        return cell.equations(p, x, c, h)

    return equations


def _late_peepholes(p: Any, x: Any, h: Any, c: Any) -> Equations:
    """The input and forget peepholes on a c that is not there yet when they are needed."""
    first = {}
    running = CELLS["lstm_peephole"].equations(p, x, h, c)
    name, value = next(running)
    while name != "h":
        first[name] = value
        name, value = running.send(value)

    def late(gate: str) -> Any:
        return first[f"{gate}_pre"] + getattr(p, f"w_c{gate}") * (first["c"] - c)

    f_pre = yield "f_pre", late("f")
    f = yield "f", f_pre.sigmoid()
    i_pre = yield "i_pre", late("i")
    i = yield "i", i_pre.sigmoid()
    yield "g_pre", first["g_pre"]
    g = yield "g", first["g"]
    new = yield "c", f * c + i * g
    o_pre = yield "o_pre", first["o_pre"] + p.w_co * (new - first["c"])
    o = yield "o", o_pre.sigmoid()
    yield "h", o * new.tanh()

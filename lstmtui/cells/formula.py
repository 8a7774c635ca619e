"""The equations of a cell as text with live values, made by running the cell itself on terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells.cell import Cell
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.rendering import Spans, render
from lstmtui.cells.terms import Term

Addends: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Operands:
    """The numbers of one timestep of one sequence, and the parameters of its layer and direction.

    `parameters` has PyTorch's names without layer and direction: weight_ih (rows·hidden, input),
    weight_hh, bias_ih, bias_hh (rows·hidden,), weight_hr (projected, hidden), weight_ci … (hidden,).
    """

    t: int = 0
    previous: int = -1
    """The timestep the states come from: t − 1, or t + 1 in the backward direction."""

    unit: int = 0
    x: Array | None = None
    states: Mapping[str, Array] = field(default_factory=dict)
    """The states before this timestep."""
    recorded: Mapping[str, Array] = field(default_factory=dict)
    """What the run recorded for this timestep, by quantity."""
    parameters: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Equation:
    """One quantity at one unit and timestep: how it is written, with symbols and with numbers."""

    quantity: str
    left: Spans
    """The name with its timestep: f₁₂."""
    symbols: Spans
    """σ(W_f·x + R_f·h₁₁ + b_f)"""
    numbers: tuple[Spans, ...]
    """The same with numbers, then with the value before squashing as one number."""
    value: float
    """What the run recorded, or where nothing is recorded `computed`."""
    computed: float
    """What the equation gives in float64 from the recorded operands."""
    parts: Addends = ()
    """For a state made of several terms: ("kept", 0.359), ("written", −0.092)."""


def names(cell: Cell) -> tuple[str, ...]:
    """The quantities a cell defines, in order of evaluation."""
    return tuple(name for name, _ in definitions(cell, Operands(), UNICODE))


def equations(cell: Cell, operands: Operands, notation: Notation = UNICODE) -> tuple[Equation, ...]:
    """Every stage of one timestep as an :class:`Equation`, in order of evaluation."""
    written = []
    for name, term in definitions(cell, operands, notation):
        if name.endswith("_pre"):
            continue
        recorded = operands.recorded.get(name)
        value = _at(recorded, operands.unit) if recorded is not None else term.value
        numbers = [render(term, notation, numeric=True, expand=True)]
        shorter = render(term, notation, numeric=True, expand=False)
        if shorter != numbers[0]:
            numbers.append(shorter)
        written.append(
            Equation(
                quantity=name,
                left=((notation.at(name, operands.t), name),),
                symbols=render(term, notation, numeric=False, expand=True),
                numbers=tuple(numbers),
                value=value,
                computed=term.value,
                parts=_parts(term, name) if name in cell.states else (),
            )
        )
    return tuple(written)


def definitions(cell: Cell, operands: Operands, notation: Notation = UNICODE) -> Iterator[tuple[str, Term]]:
    """(quantity, the term it is defined by), in order of evaluation: the equations, run on terms.

    Every quantity goes back in as a symbol that remembers its definition.
    """

    def symbol(name: str, text: str, vector: Array | None, definition: Term | None = None) -> Term:
        value = definition.value if vector is None and definition is not None else _at(vector, operands.unit)
        return Term("symbol", text=text, role=name, value=value, vector=vector, definition=definition)

    before = [symbol(s, notation.at(s, operands.previous), operands.states.get(s)) for s in cell.states]
    running = cell.equations(TermParameters(cell, operands, notation), symbol("x", "x", operands.x), *before)
    name, term = next(running)
    while True:
        yield name, term
        text = notation.at(name, operands.t) if name in cell.states else name
        try:
            name, term = running.send(symbol(name, text, operands.recorded.get(name), term))
        except StopIteration:
            return


def _at(vector: Array | None, unit: int) -> float:
    return float(vector[unit]) if vector is not None and unit < len(vector) else float("nan")


def _parts(term: Term, state: str) -> Addends:
    """The two addends of a new state: what is kept of the old one, and what is written."""
    if term.kind != "+" or any(part.kind != "*" for part in term.parts):
        return ()
    keeps = [any(p.role == state for p in part.parts) for part in term.parts]
    return tuple(
        ("kept" if kept else "written", part.value) for kept, part in zip(keeps, term.parts, strict=True)
    )


class TermParameters:
    """The parameters of one layer and direction as terms, by the names the equations use.

    Raises:
        AttributeError: the name is not of the form `W_f`, `R_f`, `b_f`, `bh_f`, `w_cf`.
    """

    def __init__(self, cell: Cell, operands: Operands, notation: Notation) -> None:
        self._cell, self._operands, self._notation = cell, operands, notation

    def project(self, value: Term) -> Term:
        """W_hr · value, or value itself in a cell without projection."""
        weight = self._operands.parameters.get("weight_hr")
        if weight is None:
            return value
        unit = min(self._operands.unit, len(weight) - 1)
        return Term("matrix", text="W_hr", role="parameter", row=lambda: weight[unit]) @ value

    def __getattr__(self, name: str) -> Term:
        kind, _, row = name.partition("_")
        parameters = self._operands.parameters
        if kind in ("W", "R"):
            weight = parameters.get("weight_ih" if kind == "W" else "weight_hh")
            at = None if weight is None else lambda: weight[self._position(row, len(weight))]
            return Term("matrix", text=name, role="parameter", row=at)
        if kind == "w":
            return self._bias(name, [parameters.get(f"weight_{row}")], position=lambda _: self._operands.unit)
        if kind in ("b", "bh"):
            biases = [parameters.get("bias_ih"), parameters.get("bias_hh")]
            if row in self._cell.separate_biases:
                biases = biases[1:] if kind == "bh" else biases[:1]
            text = name.replace("bh", "b" + self._notation.prime)
            return self._bias(text, biases, position=lambda size: self._position(row, size))
        raise AttributeError(name)

    def _position(self, row: str, size: int) -> int:
        """The index of this unit's row within a stack of `size` rows."""
        hidden = size // len(self._cell.rows)
        return self._cell.row(row) * hidden + min(self._operands.unit, hidden - 1)

    def _bias(self, text: str, vectors: list[Array | None], position) -> Term:  # type: ignore[no-untyped-def]
        values = [np.float64(v[position(len(v))]) for v in vectors if v is not None]
        value = float(sum(values)) if values else (0.0 if self._operands.parameters else float("nan"))
        return Term("symbol", text=text, role="parameter", value=value)

"""The equations of a cell as text with live values, made by running the cell itself on terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import dense
from lstmtui.cells.cell import Cell
from lstmtui.cells.keeping import keeping_of
from lstmtui.cells.legibility import opened
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.parameters import Block
from lstmtui.cells.rendering import Spans, render
from lstmtui.cells.symbolic import definitions_in
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
    is_constant: bool = False
    """Whether it is written as the number that it is."""


def equations(cell: Cell, operands: Operands, notation: Notation = UNICODE) -> tuple[Equation, ...]:
    """Every stage of one timestep as an :class:`Equation`, in order of evaluation."""
    written = []
    for name, term in definitions(cell, operands, notation):
        if name.endswith("_pre"):
            continue
        recorded = operands.recorded.get(name)
        value = _at(recorded, operands.unit) if recorded is not None else term.value
        # Where the parameters are not known, what is computed of them is not written as numbers.
        ways = [e for e in (True, False) if operands.parameters or not _reads_parameters(term, expand=e)]
        numbers = dict.fromkeys(render(term, notation, numeric=True, expand=expand) for expand in ways)
        written.append(
            Equation(
                quantity=name,
                left=((notation.at(name, operands.t), name),),
                symbols=render(term, notation, numeric=False, expand=True),
                numbers=tuple(numbers),
                value=value,
                computed=term.value,
                parts=_parts(term, name, operands) if ways and name in cell.states else (),
                is_constant=term.kind == "number",
            )
        )
    return tuple(written)


def definitions(cell: Cell, operands: Operands, notation: Notation = UNICODE) -> Iterator[tuple[str, Term]]:
    """(quantity, the term it is defined by), in order of evaluation: the equations, run on terms.

    Every quantity goes back in as a symbol that remembers its definition.
    """

    def symbol(name: str, text: str, vector: Array | None, definition: Term | None = None) -> Term:
        value = definition.value if vector is None and definition is not None else _at(vector, operands.unit)
        return Term(
            "symbol",
            text=text,
            role=name,
            value=value,
            vector=vector,
            unit=operands.unit,
            definition=definition,
        )

    before = [symbol(s, notation.at(s, operands.previous), operands.states.get(s)) for s in cell.states]

    def defined(name: str, term: Term) -> Term:
        text = notation.at(name, operands.t) if name in cell.states else name
        return symbol(name, text, operands.recorded.get(name), term)

    parameters = TermParameters(cell, operands, notation)
    x = symbol("x", "x", operands.x)
    yield from definitions_in(cell.equations, parameters, x, before, defined)


def _reads_parameters(term: Term, *, expand: bool) -> bool:
    term = opened(term, expand=expand)
    return term.role == "parameter" or any(_reads_parameters(part, expand=expand) for part in term.parts)


def _at(vector: Array | None, unit: int) -> float:
    if vector is not None and len(vector) == 1:
        return float(vector[0])  # one number for every unit
    return float(vector[unit]) if vector is not None and unit < len(vector) else float("nan")


def _parts(term: Term, state: str, operands: Operands) -> Addends:
    """The two addends of a new state: what is kept of the old one, and what is written."""
    keeping = keeping_of(term, state)
    if keeping is None or keeping.written is None:
        return ()
    old = _at(operands.states.get(state), operands.unit)
    with np.errstate(all="ignore"):
        parts = (("kept", keeping.factor.value * old), ("written", keeping.written.value))
    return parts if keeping.kept_first else parts[::-1]


class TermParameters:
    """The parameters of one layer and direction as terms, by the names the equations use.

    Raises:
        AttributeError: the cell has no parameter of this name.
    """

    def __init__(self, cell: Cell, operands: Operands, notation: Notation) -> None:
        self._cell, self._operands, self._notation = cell, operands, notation

    def project(self, value: Term) -> Term:
        """W_hr · value, or value itself in a cell without projection."""
        return value if "weight_hr" not in self._operands.parameters else self.W_hr @ value

    def __getattr__(self, name: str) -> Term:
        if name not in self._cell.blocks:
            raise AttributeError(name)
        blocks, values = self._cell.blocks[name], self._operands.parameters
        parts = [(block, values[block.parameter.name]) for block in blocks if block.parameter.name in values]
        if blocks[0].parameter.is_matrix:
            row = (lambda: self._at_unit(*parts[0])) if parts else None
            whole = (lambda: dense(parts[0][0].of(parts[0][1]))) if parts else None
            return Term("matrix", text=name, role="parameter", row=row, whole=whole, unit=self._operands.unit)
        value = float(sum(np.float64(self._at_unit(*part)) for part in parts))
        text = name.replace("bh", "b" + self._notation.prime) if name.startswith("bh") else name
        return Term("symbol", text=text, role="parameter", value=value if values else float("nan"))

    def _at_unit(self, block: Block, whole: Array) -> Any:
        """This unit's row of a block; the last one's for a unit that is not there."""
        rows = block.of(whole)
        if rows.ndim == 0:
            return rows
        if rows.ndim < 3:
            return rows[min(self._operands.unit, len(rows) - 1)]
        blocks, height, width = rows.shape
        at, inside = divmod(min(self._operands.unit, blocks * height - 1), height)
        row = np.zeros(blocks * width, rows.dtype)
        row[at * width : (at + 1) * width] = rows[at, inside]
        return row

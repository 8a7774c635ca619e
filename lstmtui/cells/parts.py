"""The parts that quantities play, whatever they are called: what keeps, writes, or could be written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

from lstmtui.cells.cell import Cell
from lstmtui.cells.keeping import names_in

Part: TypeAlias = Literal["output", "memory", "write", "candidate", "show", "keep", "gate", "value", ""]
"""output: what the layer gives on; memory: any other state; write, candidate: the gate and the other factor
of what is written to the memory; show: the output gate; keep: the gate that keeps the memory; gate: what else
lies between 0 and 1; value: what does not; empty for what no cell computes."""


def part_of(quantity: str, cell: Cell) -> Part:
    """The part of a quantity in a cell; of its value before squashing that of the quantity."""
    name = quantity.removesuffix("_pre")
    if name not in cell.quantities:
        return ""
    if name in cell.states:
        return "output" if name == cell.states[0] else "memory"
    keeping = cell.memory_keeping
    if keeping is not None and name in names_in(keeping.written):
        return "write" if cell.in_unit_interval(name) else "candidate"
    if name == cell.output_gate:
        return "show"
    if keeping is not None and name in names_in(keeping.factor):
        return "keep"
    return "gate" if cell.in_unit_interval(name) else "value"


@lru_cache(maxsize=1024)
def part_in(quantity: str, cells: tuple[Cell, ...]) -> Part:
    """The part of a quantity in the first of some cells that has it."""
    return next((part for cell in cells if (part := part_of(quantity, cell))), "")


def counterparts(quantity: str, cells: Iterable[Cell]) -> tuple[str, ...]:
    """What other cells call the same: the memory, what keeps it, what could be written to it."""
    every = tuple(cells)
    alike = (
        [cell.memory for cell in every],
        [name for cell in every for keeping in cell.keeping.values() for name in names_in(keeping.factor)],
        [cell.candidate for cell in every if cell.candidate],
    )
    return tuple(
        dict.fromkeys(name for names in alike if quantity in names for name in names if name != quantity)
    )

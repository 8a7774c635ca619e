"""Which maps panel v draws for a layer, and how wide each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstmtui.expressions.parameters import shapes_by_symbol
from lstmtui.session import Session

GUTTER = 6
"""Columns of unit numbers, and the mark of the selected one."""
_WIDEST_CELL = 3


@dataclass(frozen=True)
class Slot:
    """The place of one map in a band."""

    symbol: str
    is_gradient: bool
    columns: int
    """Of the map."""
    cell_width: int
    width: int
    """Characters, with the blank behind."""

    @property
    def title(self) -> str:
        """What the map is of."""
        return f"∂L/∂{self.symbol}" if self.is_gradient else self.symbol


@dataclass(frozen=True)
class Band:
    """The maps of one equation, side by side."""

    stage: str
    slots: tuple[Slot, ...]


def stages_with_symbols(session: Session) -> dict[str, dict[str, int]]:
    """The parameters in each equation of the selected layer's cell, and how many inputs each has."""
    layer = session.layer
    if layer.source is not None:
        return {}
    shapes = shapes_by_symbol(layer.layout.cell, layer.layout.shapes_of(0))
    named: set[str] = set()
    stages: dict[str, dict[str, int]] = {}
    for stage in session.cell.stages:
        own = [s for s in session.cell.reads(stage) if s in shapes and s not in named]
        own += ["W_hr"] if stage == session.cell.states[0] and "W_hr" in shapes else []
        named.update(own)
        if own:
            stages[stage] = {s: shapes[s][1] if len(shapes[s]) > 1 else 1 for s in own}
    return stages


def band(stage: str, symbols: dict[str, int], kinds: Sequence[bool], width: int) -> Band:
    """The places of the maps of one equation: columns as wide as there is room, or several inputs a column.

    Args:
        stage: whose equation.
        symbols: its parameters, and how many inputs each has.
        kinds: whether gradients are shown, one after the other.
        width: characters for all of them.
    """
    shown = [(symbol, is_gradient) for is_gradient in kinds for symbol in symbols]
    titles = {pair: len(Slot(*pair, 1, 1, 1).title) for pair in shown}
    room = max(len(shown), width - GUTTER - len(shown))
    inputs = sum(symbols[symbol] for symbol, _ in shown)
    wide = max(1, min(_WIDEST_CELL, room // inputs))
    slots = []
    for pair in shown:
        columns = symbols[pair[0]]
        if inputs > room:
            narrow = sum(symbols[s] for s, _ in shown if symbols[s] <= 1)
            columns = max(1, min(columns, columns * (room - narrow) // inputs))
        slots.append(Slot(*pair, columns, wide, max(columns * wide, titles[pair]) + 1))
    return Band(stage, tuple(slots))

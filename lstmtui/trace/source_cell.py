"""Code whose variables were recorded, as a cell: quantities and stages in its order, without equations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from lstmtui.cells import Cell
from lstmtui.cells.cell import Definitions
from lstmtui.cells.symbolic import Equations, ParameterSymbols, Value
from lstmtui.cells.terms import Term
from lstmtui.trace.source import Source


def _nothing(p: object, x: Value, *states: Value) -> Equations:
    """Code of the user's own, recorded as it ran."""
    yield from ()


@dataclass(frozen=True)
class SourceCell(Cell):
    """Recorded code as a cell, of which only the values are known.

    Its states may be none. Every quantity is a symbol that no equation opens, so that nothing is said of
    what keeps a state.
    """

    source: Source = field(kw_only=True)

    @classmethod
    def of(cls, name: str, source: Source) -> SourceCell:
        """The cell of the code of a run; `name` says what ran: MyCell."""
        return cls(name, _nothing, (), source.states, source=source)

    @cached_property
    def _symbolic(self) -> tuple[Definitions, ParameterSymbols]:
        names = (variable.name for variable in self.source.variables)
        return {name: Term("symbol", text=name) for name in names}, ParameterSymbols()

    @property
    def _with_projection(self) -> tuple[Definitions, ParameterSymbols]:
        return self._symbolic

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The variables that never leave [0, 1] and are no states."""
        names = (variable.name for variable in self.source.variables if variable.in_unit_interval)
        return tuple(name for name in names if name not in self.states)

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """The variable of each binding of a round: one that is bound several times is there as often."""
        return tuple(stage.variable for stage in self.source.stages)

    @property
    def memory(self) -> str:
        """The last of its states; empty where none is carried on."""
        return self.states[-1] if self.states else ""

    @property
    def output_gate(self) -> str:
        """None: what a product of its code means is not known."""
        return ""

    def range(self, quantity: str) -> tuple[float, float]:
        """(0, 1) for a variable that never left it, ±inf for every other one."""
        variable = self.source.variable(quantity)
        return (0, 1) if variable is not None and variable.in_unit_interval else super().range(quantity)

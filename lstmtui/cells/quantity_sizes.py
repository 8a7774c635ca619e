"""How many units each quantity of a cell has, read from its equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lstmtui.cells.parameters import Block, Size
from lstmtui.cells.terms import Term


class Measure(NamedTuple):
    """The facts that determine the sizes of a cell's quantities."""

    states: Mapping[str, Size]
    """The size of each state."""
    blocks: Mapping[str, tuple[Block, ...]]
    """What each parameter of the equations stands for."""

    def sizes(self, definitions: Mapping[str, Term]) -> dict[str, Size]:
        """The size of every quantity by name.

        Unit by unit operations keep the size of their operands, one that is 1 giving way; a product has the
        rows of its matrix.

        Args:
            definitions: of each quantity, in order of evaluation.
        """
        by_name: dict[str, Size] = {"x": "input", **self.states}
        for name, term in definitions.items():
            if name not in self.states:
                by_name[name] = self._of(term, by_name)
        return {name: by_name[name] for name in definitions}

    def _of(self, term: Term, by_name: Mapping[str, Size]) -> Size:
        if term.kind == "number":
            return 1
        if term.kind == "@":
            shape = self.blocks[term.parts[0].text][0].parameter.shape
            # The blocks of a block-diagonal matrix are a size by its part: (heads, hidden/heads, …).
            return str(shape[1]).partition("/")[0] if len(shape) > 2 else shape[0]
        if term.kind == "symbol" and term.role == "parameter":
            shape = self.blocks[term.text][0].parameter.shape
            return shape[0] if shape else 1
        if term.kind == "symbol":
            return by_name[term.role]
        sizes = [self._of(part, by_name) for part in term.parts]
        return next((size for size in sizes if size != 1), 1)

"""The parameters of a cell: their names and shapes, and the blocks of them that its equations read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Size: TypeAlias = str | int
"""input: the features of x; hidden: the units; output: those of h (`proj_size` where h is projected); a size
of the cell's own, such as heads; a quotient of two of them, hidden/heads; or a fixed number."""


def size_of(size: Size, numbers: Mapping[str, int]) -> int:
    """A size as a number.

    Args:
        size: which.
        numbers: the sizes by name.
    """
    if isinstance(size, int):
        return size
    whole, _, parts = size.partition("/")
    return numbers[whole] // numbers[parts] if parts else numbers[whole]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a layer and direction."""

    name: str
    """As in a state dict, without layer and direction: weight_ih."""

    symbols: tuple[str, ...]
    """What the equations call its blocks, from the first row to the last: W_i, W_f, W_g, W_o."""

    shape: tuple[Size, ...]
    """Of one block; () is one number, and three axes are those of the blocks of a block-diagonal matrix."""

    needs: Literal["", "bias", "proj_size"] = ""
    """The option without which a layer does not have it."""

    drawn_from: tuple[float, float] | None = None
    """The interval it is drawn from before training; None: ±1/√hidden, as PyTorch's are."""

    @property
    def is_matrix(self) -> bool:
        """Whether it is multiplied with `@`."""
        return len(self.shape) > 1

    def sizes(self, numbers: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of all blocks together, from the sizes by name."""
        shape = [size_of(size, numbers) for size in self.shape]
        if not shape:
            return () if len(self.symbols) == 1 else (len(self.symbols),)
        return (len(self.symbols) * shape[0], *shape[1:])


@dataclass(frozen=True)
class Block:
    """Where a symbol's numbers are: block `position` of `count` equal ones, along the first axis."""

    parameter: Parameter
    position: int
    count: int

    def of(self, whole: Any) -> Any:
        """The block of an array or tensor with this parameter's values; a view."""
        if whole.ndim == 0:
            return whole
        size = len(whole) // self.count
        return whole[self.position * size : (self.position + 1) * size]


def stacked(rows: Collection[str], read: Collection[str], *, projects: bool) -> tuple[Parameter, ...]:
    """PyTorch's parameters, as far as the equations read them, in PyTorch's order.

    A row that has no R has one bias. Peepholes are `weight_c<row>`.

    Args:
        rows: the names of the blocks in PyTorch's order; one empty name for a single block.
        read: the parameters that the equations read, by their own names.
        projects: whether h may be a projection.
    """
    ends = {row: "_" + row if row else "" for row in rows}
    recurrent = [row for row, end in ends.items() if "R" + end in read]
    biased = [row for row, end in ends.items() if "b" + end in read]
    hidden_bias = {row: ("bh" if "bh" + ends[row] in read else "b") + ends[row] for row in recurrent}
    every = [
        Parameter(
            "weight_ih", tuple("W" + end for end in ends.values() if "W" + end in read), ("hidden", "input")
        ),
        Parameter("weight_hh", tuple("R" + ends[row] for row in recurrent), ("hidden", "output")),
        Parameter("bias_ih", tuple("b" + ends[row] for row in biased), ("hidden",), "bias"),
        Parameter(
            "bias_hh", tuple(hidden_bias[row] for row in recurrent if row in biased), ("hidden",), "bias"
        ),
    ]
    if projects:
        every.append(Parameter("weight_hr", ("W_hr",), ("output", "hidden"), "proj_size"))
    every += [Parameter(f"weight_c{row}", ("w_c" + row,), ("hidden",)) for row in rows if "w_c" + row in read]
    return tuple(parameter for parameter in every if parameter.symbols)


def blocks_by_symbol(parameters: Collection[Parameter]) -> dict[str, tuple[Block, ...]]:
    """The blocks that a symbol stands for; it is the sum of several."""
    blocks: dict[str, tuple[Block, ...]] = {}
    for parameter in parameters:
        for position, symbol in enumerate(parameter.symbols):
            block = Block(parameter, position, len(parameter.symbols))
            blocks[symbol] = (*blocks.get(symbol, ()), block)
    return blocks

"""A cell's equations on tensors, one timestep after another. The definition of every run.

Whatever does not depend on the step before (W·x of every timestep) is computed once, outside the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.cells import Cell
from lstmtui.cells.parameters import Block

States = tuple[Tensor, ...]
"""h, or h and c, each of shape (batch, units)."""


def hx_of(states: States) -> Tensor | States:
    """States as PyTorch's modules take and return them: the only one by itself, several as a tuple."""
    return states if len(states) > 1 else states[0]


Observer = Callable[[int, str, Tensor], Tensor]
"""Called with (t, quantity, value); what it returns takes the value's place in the run."""


class Product(NamedTuple):
    """A product of rows of R that the equations asked for."""

    rows: slice
    operand: Tensor
    """(batch, units)."""
    result: Tensor
    """(batch, rows)."""


class TensorParameters:
    """The parameters of one layer and direction, by the names the equations use.

    Args:
        cell: whose equations will be run.
        parameters: by base name: weight_ih (rows·hidden, input), weight_hh, bias_ih, bias_hh, weight_hr,
            weight_ci …, and the cell's own; biases may be left out.
        products: gets every product with R, in order; None: they are not kept.
    """

    def __init__(
        self, cell: Cell, parameters: Mapping[str, Tensor], products: list[Product] | None = None
    ) -> None:
        self._cell, self._values, self._kept = cell, parameters, products
        self._at_hand: dict[str, tuple[Tensor, tuple[Tensor, ...]]] = {}
        """The operand that a parameter's blocks have been multiplied with already, and the products."""
        for symbol, blocks in cell.blocks.items():
            parts = self.parts(symbol)
            if blocks[0].parameter.is_matrix:
                setattr(self, symbol, _Matrix(self, blocks[0], parts[0]) if parts else None)
            else:
                setattr(self, symbol, sum(parts[1:], parts[0]) if parts else 0.0)

    def parts(self, symbol: str) -> list[Tensor]:
        """The blocks that a symbol is the sum of, as far as they are given."""
        blocks = self._cell.blocks[symbol]
        return [b.of(self._values[b.parameter.name]) for b in blocks if b.parameter.name in self._values]

    def begin(self, h: Tensor, x: Tensor | None = None, from_x: Tensor | None = None) -> None:
        """Start a timestep: the products of every row with h are computed as one.

        Args:
            h: of the timestep before.
            x: the input; left out: it stays as it is.
            from_x: weight_ih · x.
        """
        if "weight_hh" in self._values:
            whole = self._product(slice(None), self._values["weight_hh"], h)
            self._at_hand["weight_hh"] = h, self._chunks("weight_hh", whole)
        if x is not None and from_x is not None:
            self._at_hand["weight_ih"] = x, self._chunks("weight_ih", from_x)

    def project(self, value: Tensor) -> Tensor:
        """W_hr · value, or value itself in a cell without projection."""
        weight = self._values.get("weight_hr")
        return value if weight is None else functional.linear(value, weight)

    def _chunks(self, name: str, products: Tensor) -> tuple[Tensor, ...]:
        count = next(len(p.symbols) for p in self._cell.parameters if p.name == name)
        return products.chunk(count, -1)

    def _multiplied(self, block: Block, matrix: Tensor, operand: Tensor) -> Tensor:
        name, size = block.parameter.name, len(matrix)
        multiplied, products = self._at_hand.get(name, (None, ()))
        if operand is multiplied:
            return products[block.position]
        if name == "weight_hh":
            return self._product(slice(block.position * size, (block.position + 1) * size), matrix, operand)
        if matrix.dim() == 3:
            return _block_diagonal(operand, matrix)
        return functional.linear(operand, matrix)

    def _product(self, rows: slice, block: Tensor, operand: Tensor) -> Tensor:
        result = functional.linear(operand, block)
        if self._kept is not None:
            if not result.requires_grad:
                result.requires_grad_()  # Of a state that was put in place: R still has its gradient.
            self._kept.append(Product(rows, operand, result))
        return result


def _block_diagonal(operand: Tensor, blocks: Tensor) -> Tensor:
    """The product of a block-diagonal matrix with (batch, units): (blocks, rows, columns)."""
    parts = operand.reshape(len(operand), len(blocks), blocks.shape[-1])
    return torch.einsum("nrc,bnc->bnr", blocks, parts).flatten(-2)


class _Matrix:
    """A block of a parameter, such as one gate's rows of R."""

    def __init__(self, owner: TensorParameters, block: Block, matrix: Tensor) -> None:
        self._owner, self._block, self._matrix = owner, block, matrix

    def __matmul__(self, operand: Tensor) -> Tensor:
        return self._owner._multiplied(self._block, self._matrix, operand)


def _constant(value: float, name: str, cell: Cell, x: Tensor) -> Tensor:
    """A quantity that an equation gives as a number: (batch, 1), with a derivative like any other."""
    size = cell.quantity_sizes[name]
    if size != 1:
        raise ValueError(f"{cell.name}: {name} is a number, and its size {size}: it must be 1")
    return x.new_full((len(x), 1), value, requires_grad=torch.is_grad_enabled())


def _step(
    cell: Cell,
    parameters: TensorParameters,
    x: Tensor,
    before: States,
    observe: Callable[[str, Tensor], Tensor] | None,
) -> dict[str, Tensor]:
    """Every quantity of one timestep, in order of evaluation."""
    values: dict[str, Tensor] = {}
    running = cell.equations(parameters, x, *before)
    name, value = next(running)
    while True:
        if not isinstance(value, Tensor):
            value = _constant(value, name, cell, x)
        values[name] = value if observe is None else observe(name, value)
        try:
            name, value = running.send(values[name])
        except StopIteration:
            return values


def unroll(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: States,
    valid: Tensor | None = None,
    observe: Observer | None = None,
    first: int = 0,
    products: list[Product] | None = None,
) -> tuple[dict[str, list[Tensor]], list[Tensor], States]:
    """Run a cell over time.

    Args:
        cell: whose equations to run.
        parameters: of one layer and direction, by base name.
        x: (T, B, input), in the order in which the cell is to see it.
        states: h, or h and c, before the first timestep.
        valid: bool (T, B, 1); where False the state is carried over unchanged. None: all timesteps count.
        observe: sees every value as it is made, and may replace it.
        first: the timestep to begin at, whose states before it are given. What x holds before that takes
            part in W·x alone, so that the product has the same bits as in a run from the beginning.
        products: gets every product with R, in order; None: they are not kept.

    Returns:
        Every quantity as a list over time from `first`, the output of each timestep (h, or 0 where not
        valid), and the states after the last timestep.
    """
    p = TensorParameters(cell, parameters, products)
    seen: dict[str, list[Tensor]] = {name: [] for name in cell.quantities}
    outputs = []
    first_values = [cell.initial.get(state, 0.0) for state in cell.states]
    weight = parameters.get("weight_ih")
    from_x = [None] * len(x) if weight is None else functional.linear(x, weight).unbind(0)
    inputs = x.unbind(0)
    for t in range(first, len(x)):
        before = states
        if valid is not None:
            # A sequence that is over begins anew: an overflow in its last state must not become 0·inf.
            before = tuple(torch.where(valid[t], s, n) for s, n in zip(states, first_values, strict=True))
        p.begin(before[0], inputs[t], from_x[t])
        values = _step(cell, p, inputs[t], before, None if observe is None else partial(observe, t))
        for name, value in values.items():
            seen[name].append(value)
        new = tuple(values[s] for s in cell.states)
        if valid is None:
            states = new
            outputs.append(new[0])
        else:
            now = valid[t]
            states = tuple(torch.where(now, n, old) for n, old in zip(new, states, strict=True))
            outputs.append(torch.where(now, new[0], 0.0))
    return seen, outputs, states

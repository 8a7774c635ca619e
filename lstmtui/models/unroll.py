"""A cell's equations on tensors, one timestep after another. The definition of every run.

Whatever does not depend on the step before (W·x of every timestep) is computed once, outside the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.cells import Cell

States = tuple[Tensor, ...]
"""h, or h and c, each of shape (batch, units)."""

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
        given: by PyTorch's base names: weight_ih (rows·hidden, input), weight_hh, bias_ih, bias_hh,
            weight_hr, weight_ci …; biases may be left out.
        products: gets every product with R, in order; None: they are not kept.
    """

    def __init__(
        self, cell: Cell, parameters: Mapping[str, Tensor], products: list[Product] | None = None
    ) -> None:
        self._kept = products
        self._count = count = len(cell.rows)
        self._weight_hh = parameters["weight_hh"]
        self._weight_hr = parameters.get("weight_hr")
        self._state: Tensor | None = None
        self._products: tuple[Tensor, ...] = ()
        blocks = self._weight_hh.chunk(count)
        biases = [
            parameters[name].chunk(count) if name in parameters else None for name in ("bias_ih", "bias_hh")
        ]
        for position, row in enumerate(cell.rows):
            end = "_" + row if row else ""
            setattr(self, "W" + end, _InputRows(position))
            setattr(self, "R" + end, _RecurrentRows(self, position, blocks[position]))
            ih, hh = (b[position] if b is not None else 0.0 for b in biases)
            separate = row in cell.separate_biases
            setattr(self, "b" + end, ih if separate else ih + hh)
            setattr(self, "bh" + end, hh)
        for gate in cell.peepholes:
            setattr(self, f"w_c{gate}", parameters[f"weight_c{gate}"])

    def begin(self, h: Tensor) -> None:
        """Start a timestep: the products of every row with h are computed as one."""
        self._state = h
        self._products = self._product(slice(None), self._weight_hh, h).chunk(self._count, -1)

    def project(self, value: Tensor) -> Tensor:
        """W_hr · value, or value itself in a cell without projection."""
        return value if self._weight_hr is None else functional.linear(value, self._weight_hr)

    def _recurrent(self, position: int, block: Tensor, operand: Tensor) -> Tensor:
        if operand is self._state:
            return self._products[position]
        size = len(block)
        return self._product(slice(position * size, (position + 1) * size), block, operand)

    def _product(self, rows: slice, block: Tensor, operand: Tensor) -> Tensor:
        result = functional.linear(operand, block)
        if self._kept is not None:
            if not result.requires_grad:
                result.requires_grad_()  # Of a state that was put in place: R still has its gradient.
            self._kept.append(Product(rows, operand, result))
        return result


class _InputRows:
    """One gate's rows of W. The x it meets is already a tuple of products, one for each gate."""

    def __init__(self, position: int) -> None:
        self._position = position

    def __matmul__(self, products: tuple[Tensor, ...]) -> Tensor:
        return products[self._position]


class _RecurrentRows:
    """One gate's rows of R."""

    def __init__(self, owner: TensorParameters, position: int, block: Tensor) -> None:
        self._owner, self._position, self._block = owner, position, block

    def __matmul__(self, operand: Tensor) -> Tensor:
        return self._owner._recurrent(self._position, self._block, operand)


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
    from_x = functional.linear(x, parameters["weight_ih"]).unbind(0)
    for t, product in enumerate(from_x[first:], first):
        # A sequence that is over computes on zeros: an overflow in its last state must not become 0·inf.
        before = states if valid is None else tuple(torch.where(valid[t], s, 0.0) for s in states)
        p.begin(before[0])
        running = cell.equations(p, product.chunk(len(cell.rows), -1), *before)
        values = {}
        name, value = next(running)
        while True:
            if observe is not None:
                value = observe(t, name, value)
            values[name] = value
            seen[name].append(value)
            try:
                name, value = running.send(value)
            except StopIteration:
                break
        new = tuple(values[s] for s in cell.states)
        if valid is None:
            states = new
            outputs.append(new[0])
        else:
            now = valid[t]
            states = tuple(torch.where(now, n, old) for n, old in zip(new, states, strict=True))
            outputs.append(torch.where(now, new[0], 0.0))
    return seen, outputs, states

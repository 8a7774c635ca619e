"""A cell's equations for all timesteps at once, from the h that a kernel gave.

The equations themselves are those of :mod:`lstmtui.cells`: they are run on tensors over all of time, on
sums of products that are not worked out until they are yielded, and, in place of c of the timestep before,
on a sign for it that turns `f * c + i * g` into a linear recurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lstmtui.capture.fused.recurrence import MOST, excess, forward_in_time, suspicion, with_sizes
from lstmtui.cells import Cell
from lstmtui.models.unroll import States

Operand = Callable[[Tensor], Tensor]


class Sum:
    """Products of matrices with operands over all time, and biases, to be added up in one tensor."""

    def __init__(self, products: tuple[tuple[Tensor, Tensor], ...] = (), rest: Tensor | None = None) -> None:
        self._products, self._rest = products, rest

    def __add__(self, other: Any) -> Sum:
        if isinstance(other, Sum):
            rest = other._rest if self._rest is None else self._rest
            if self._rest is not None and other._rest is not None:
                rest = self._rest + other._rest
            return Sum(self._products + other._products, rest)
        if isinstance(other, Tensor):
            return Sum(self._products, other if self._rest is None else self._rest + other)
        return self

    def __rmul__(self, factor: Tensor) -> Sum:
        return Sum((), self.total().mul_(factor))

    def total(self) -> Tensor:
        """The sum, (T, B, units)."""
        result = self._rest
        for operand, matrix in self._products:
            flat = operand.flatten(0, 1)
            if result is None:
                added = torch.mm(flat, matrix.T)
            elif result.dim() == 1:
                added = torch.addmm(result, flat, matrix.T)
            else:
                added = result.flatten(0, 1).addmm_(flat, matrix.T)
            result = added.view(*operand.shape[:2], -1)
        assert result is not None
        return result


class _Rows:
    """One gate's rows of W or R."""

    def __init__(self, matrix: Tensor, operand: Operand) -> None:
        self._matrix, self._operand = matrix, operand

    def __matmul__(self, value: Tensor) -> Sum:
        return Sum(((self._operand(value), self._matrix),))


class _Before:
    """c of the timestep before."""

    def __rmul__(self, factor: Tensor) -> _Recurrence:
        return _Recurrence(factor)


class _Recurrence:
    """factor ⊙ c of the timestep before + term."""

    def __init__(self, factor: Tensor, term: Tensor | None = None) -> None:
        self.factor, self.term = factor, term

    def __add__(self, term: Tensor) -> _Recurrence:
        return _Recurrence(self.factor, term)


class _Squashable:
    """c of all time, of which the equations take the tanh alone; it is kept for the derivatives."""

    def __init__(self, value: Tensor) -> None:
        self._value = value
        self.squashed: Tensor | None = None

    def tanh(self) -> Tensor:
        self.squashed = self._value.tanh()
        return self.squashed


class Parameters:
    """The parameters of one layer and direction, by the names the equations use.

    Args:
        cell: whose equations will be run.
        parameters: tensors by PyTorch's base names; biases may be left out.
        operand: rounds what is multiplied as the kernel does.
    """

    def __init__(self, cell: Cell, parameters: Mapping[str, Tensor], operand: Operand) -> None:
        self._weight_hr, self._operand = parameters.get("weight_hr"), operand
        for symbol, blocks in cell.blocks.items():
            parts = [b.of(parameters[b.parameter.name]) for b in blocks if b.parameter.name in parameters]
            if parts and blocks[0].parameter.is_matrix:
                setattr(self, symbol, _Rows(operand(parts[0]), operand))
            else:
                setattr(self, symbol, sum(parts[1:], parts[0]) if parts else 0.0)

    def project(self, value: Tensor) -> Tensor:
        """W_hr · value, or value itself in a cell without projection."""
        if self._weight_hr is None:
            return value
        return self._operand(value) @ self._operand(self._weight_hr).T


class Evaluation(NamedTuple):
    """The results of the equations."""

    values: dict[str, Tensor]
    """By quantity, 0 where not valid."""
    gap: Tensor
    """max |Δ| between h by the equations and the kernel's."""
    squashed: Tensor | None
    """tanh(c), where there is a c."""
    sizes: Tensor | None
    """What c would be if the sizes of all its terms were added up."""
    suspicion: Tensor
    """Above 0 where these may not be right; see `recurrence.suspicion` and `underflow`."""


def values_of(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    h: Tensor,
    states: States,
    valid: Tensor | None,
    operand: Operand = lambda tensor: tensor,
) -> Evaluation:
    """Every quantity of every timestep.

    Args:
        cell: whose equations to run; c may appear in them as a factor only.
        parameters: by base name.
        x: (T, B, input), in the order the cell sees it.
        h: of every timestep, as the kernel gave it; 0 where not valid.
        states: h, or h and c, before the first timestep.
        valid: bool (T, B, 1), or None.
        operand: rounds what is multiplied as the kernel does.
    """
    before = (before_each(states[0], h, valid), *(_Before() for _ in states[1:]))
    running = cell.equations(Parameters(cell, parameters, operand), x, *before)
    values: dict[str, Tensor] = {}
    c: _Squashable | None = None
    sizes: Tensor | None = None
    name, value = next(running)
    while name != "h":
        recurs = isinstance(value, _Recurrence)
        if recurs:
            value, sizes = _recurred(value, states[1], valid)
        elif isinstance(value, Sum):
            value = value.total()
        # What lies past the end is masked at once: it must not make anything out of an overflow.
        values[name] = value = value if valid is None else torch.where(valid, value, 0.0)
        if recurs:
            value = c = _Squashable(value)
        name, value = running.send(value)
    values["h"] = h
    ours = value.total() if isinstance(value, Sum) else value
    gaps = ours.sub_(h) if valid is None else torch.where(valid, ours - h, 0.0)
    gap = gaps.abs_().amax()
    if c is None or sizes is None:
        return Evaluation(values, gap, None, None, underflow(values))
    return Evaluation(
        values, gap, c.squashed, sizes, torch.maximum(suspicion(sizes, values["c"]), underflow(values))
    )


def underflow(values: Mapping[str, Tensor]) -> Tensor:
    """Above 0 where a gate is so small that a kernel, as oneDNN's, makes it 0 and PyTorch's σ does not."""
    sums = [values[name].amin() for name in ("i_pre", "f_pre", "o_pre", "r_pre", "z_pre") if name in values]
    if not sums:
        return values["h"].new_zeros(())
    return log(torch.finfo(values["h"].dtype).tiny) + 1 - torch.stack(sums).amin()


def with_c_from_h(run: Evaluation) -> Evaluation | None:
    """Where the terms that c is the sum of have cancelled, c from the kernel's h, which has not.

    Returns:
        None where that is not enough. Then h has lost c (near ±o, or among the smallest numbers), or the
        kernel has lost a gate.
    """
    h, c, sizes = run.values["h"], run.values["c"], run.sizes
    assert run.squashed is not None
    assert sizes is not None
    squashed = h / run.values["o"]
    lost = (sizes > MOST * c.abs()) & (squashed.abs() < 0.5) & (h.abs() > torch.finfo(h.dtype).tiny)
    c = torch.where(lost, squashed.atanh(), c)
    left = excess({"c": torch.where(lost, 0.0, sizes)}, {"c": c})
    if left.item() > 0 or underflow(run.values).item() > 0:
        return None
    return run._replace(values={**run.values, "c": c}, squashed=torch.where(lost, squashed, run.squashed))


def before_each(initial: Tensor, values: Tensor, valid: Tensor | None) -> Tensor:
    """A state before each timestep, (T, B, units); the initial one where the timestep before is not valid."""
    shifted = torch.cat([initial.unsqueeze(0), values[:-1]])
    if valid is not None:
        shifted[1:] = torch.where(valid[:-1], shifted[1:], initial)
    return shifted


def _recurred(value: _Recurrence, start: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """The recurrence, and what it would be if the sizes of all terms were added up."""
    factor, term = value.factor, value.term
    assert term is not None
    if valid is not None:
        factor, term = torch.where(valid, factor, 1.0), torch.where(valid, term, 0.0)
    total, sizes = forward_in_time(factor, with_sizes(term), with_sizes(start))
    return total, sizes if valid is None else torch.where(valid, sizes, 0.0)

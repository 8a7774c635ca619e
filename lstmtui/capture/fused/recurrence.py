"""Linear recurrences over time, y_t = a_t ⊙ y_{t−1} + b_t, in blocks of timesteps that run side by side.

Each block is run from 0 together with the product of its coefficients; what reaches the beginning of each
block is then a recurrence over blocks, solved in the same way; and each block is run once more from there
(Blelloch 1990, "Prefix Sums and Their Applications"). Within a block the result is that of the plain loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

BLOCK = 8
"""Timesteps in a block: the number of operations is about three for each, at each of log(T) levels."""

MOST = 32.0
"""How many times larger than their sum the terms of a recurrence may be: the sum is then known to within
about as many times the rounding of a term. In layers as they are used it is 1 to 25, at any length."""


def forward_in_time(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """y_t = a_t ⊙ y_{t−1} + b_t.

    Args:
        a: (T, B, H); at most 1 in size, or the products of a block may overflow.
        b: (T, B, H), or several such with another axis before.
        start: y before the first timestep, (B, H), or several.
    """
    result, steps = torch.empty_like(b), b.shape[-3]
    whole = _whole_blocks(steps)
    last = start
    if whole:
        _blocks(a[:whole], b[..., :whole, :, :], start, result[..., :whole, :, :], 1)
        last = result[..., whole - 1, :, :]
    if whole < steps:
        factors, terms, results = (t[..., whole:, :, :].unbind(-3) for t in (a, b, result))
        _plain(factors, terms, last, results)
    return result


def backward_in_time(a: Tensor, b: Tensor, end: Tensor | None) -> Tensor:
    """y_t = a_{t+1} ⊙ y_{t+1} + b_t, with y at the last timestep b + `end`.

    Args:
        a: (T, B, H); its first timestep is not read.
        b: (T, B, H), or several such with another axis before.
        end: (B, H), or several, or None for 0.
    """
    result = torch.empty_like(b)
    last = result[..., -1, :, :]
    if end is None:
        last.copy_(b[..., -1, :, :])
    else:
        torch.add(b[..., -1, :, :], end, out=last)
    _backward(a[1:], b[..., :-1, :, :], last, result[..., :-1, :, :])
    return result


def with_sizes(terms: Tensor) -> Tensor:
    """Terms of a recurrence and their sizes, to be solved for both at once."""
    both = terms.new_empty((2, *terms.shape))
    both[0] = terms
    torch.abs(terms, out=both[1])
    return both


def suspicion(sizes: Tensor, total: Tensor) -> Tensor:
    """Above 0, or NaN, where terms outweigh their sum by more than `MOST` somewhere, by a quick look.

    Either in all units of a sequence at one timestep, or in one unit throughout a block of timesteps; at a
    single one it may be passing through 0.

    Args:
        sizes: the recurrence of the sizes of all terms, (T, B, H).
        total: that of the terms.
    """
    over_units = sizes.amax(-1).sub_(_largest(total, -1), alpha=MOST).amax()
    whole = len(total) - len(total) % BLOCK
    if not whole:
        return over_units - _least(total)
    blocks, of_sizes = (t[:whole].view(-1, BLOCK, *t.shape[1:]) for t in (total, sizes))
    over_time = of_sizes.amin(1).sub_(_largest(blocks, 1), alpha=MOST).amax()
    return torch.maximum(over_units, over_time) - _least(total)


def excess(sizes: Mapping[str, Tensor], sums: Mapping[str, Tensor]) -> Tensor:
    """The same at every timestep and sequence, for all that follows from a recurrence, by name.

    Args:
        sizes: what comes of the sizes of the terms, each (T, B, units); of any sign.
        sums: what comes of the terms.
    """
    differences = [
        _largest(sizes[name], -1).sub_(_largest(total, -1), alpha=MOST) for name, total in sums.items()
    ]
    return torch.stack(differences).amax() - _least(differences[0])


def _largest(values: Tensor, axis: int) -> Tensor:
    """max |values| over an axis, without a tensor of its size."""
    return torch.maximum(values.amax(axis), -values.amin(axis))


def _least(like: Tensor) -> float:
    """Sums of a few of the smallest numbers there are have no digits to lose."""
    limits = torch.finfo(like.dtype)
    return MOST * 16 * limits.smallest_normal * limits.eps


def _backward(a: Tensor, b: Tensor, last: Tensor, out: Tensor) -> None:
    """y_t = a_t ⊙ y_{t+1} + b_t into `out`, from y after the last timestep."""
    steps = b.shape[-3]
    whole = _whole_blocks(steps)
    if whole < steps:
        factors, terms, results = (t[..., whole:, :, :].unbind(-3)[::-1] for t in (a, b, out))
        _plain(factors, terms, last, results)
    if whole:
        after = out[..., whole, :, :] if whole < steps else last
        _blocks(a[:whole], b[..., :whole, :, :], after, out[..., :whole, :, :], -1)


def _whole_blocks(steps: int) -> int:
    """The timesteps that make whole blocks; 0 where a plain loop is as good."""
    return steps - steps % BLOCK if steps >= 4 * BLOCK else 0


def _plain(a: Sequence[Tensor], b: Sequence[Tensor], y: Tensor, out: Sequence[Tensor]) -> None:
    for factor, term, result in zip(a, b, out, strict=True):
        y = torch.addcmul(term, factor, y, out=result)


def _in_blocks(values: Tensor) -> tuple[Tensor, ...]:
    """The first timestep of every block, the second of every block …"""
    return values.view(*values.shape[:-3], -1, BLOCK, *values.shape[-2:]).unbind(-3)


def _blocks(a: Tensor, b: Tensor, start: Tensor, out: Tensor, turn: int) -> None:
    """Fill `out`, from the first block to the last or, where `turn` is −1, from the last to the first."""
    factors, terms, results = (_in_blocks(t)[::turn] for t in (a, b, out))
    product, local = factors[0] * factors[1], torch.addcmul(terms[1], factors[1], terms[0])
    for factor, term in zip(factors[2:], terms[2:], strict=True):
        torch.addcmul(term, factor, local, out=local)
        product.mul_(factor)
    before = torch.empty_like(local)
    if turn == 1:
        before[..., 0, :, :] = start
        before[..., 1:, :, :] = forward_in_time(product[:-1], local[..., :-1, :, :], start)
    else:
        before[..., -1, :, :] = start
        _backward(product[1:], local[..., 1:, :, :], start, before[..., :-1, :, :])
    _plain(factors, terms, before, results)

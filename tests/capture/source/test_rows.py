"""Copies of what names are bound to, side by side in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.tracing.rows import Rows, block_of


def rows_of(expected: int) -> Rows:
    rows = Rows()
    rows.expected = expected
    return rows


def test_copies_of_one_place_are_one_tensor_without_another_copy() -> None:
    rows = rows_of(4)
    tensors = torch.randn(4, 3, 2).unbind()
    copies = [rows.copy([("a", tensor), ("b", tensor.t() + 1)]) for tensor in tensors]
    a, b = ([*own] for own in zip(*copies, strict=True))
    block, other = block_of(a), block_of(b)
    assert block is not None
    assert other is not None
    assert torch.equal(block, torch.stack(tensors))
    assert torch.equal(other, torch.stack(tensors).transpose(1, 2) + 1)
    assert block.data_ptr() == a[0].data_ptr()
    tensors[0].zero_()
    assert block[0].any()


def test_what_is_not_side_by_side_is_no_block() -> None:
    rows = rows_of(4)
    a = [rows.copy([("a", torch.full((2,), float(n)))])[0] for n in range(6)]  # in two pieces of memory
    assert block_of(a) is None
    assert block_of(a[1:4]) is None  # not from the beginning
    assert block_of([a[1], a[0], *a[2:4]]) is None  # in another order
    assert block_of(a[:1]) is None  # most of it would be empty
    assert block_of([rows.copy([("b", torch.zeros(0))])[0] for _ in range(3)]) is None
    assert block_of([a[0], *(tensor.clone() for tensor in a[1:4])]) is None


def test_another_shape_or_dtype_begins_anew() -> None:
    rows = rows_of(3)
    values = [torch.ones(2), torch.ones(3), torch.ones(3, dtype=torch.int64), torch.ones(2)]
    values.append(torch.ones(3, dtype=torch.complex64).conj())
    for value in values:
        (copy,) = rows.copy([("a", value)])
        assert copy.shape == value.shape
        assert copy.dtype == value.dtype
        assert torch.equal(copy, value)


KEPT: list[Tensor] = []


class Two(nn.Module):
    """Two cells of one class, one after the other in each of so many rounds."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.cells = nn.ModuleList([Cell(), Cell()])

    def forward(self, x: Tensor) -> Tensor:
        h = x[0]
        for t in range(self.rounds):
            for cell in self.cells:
                h = cell(x[t % len(x)], h)
                KEPT.append(h.detach().clone())
        return h


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        new = torch.tanh(self.linear(x + h))
        return new * 1


@pytest.mark.parametrize("rounds", [3, 5, 7, 12])
def test_values_are_those_of_their_own_module_however_many_rounds_there_are(rounds: int) -> None:
    KEPT.clear()
    torch.manual_seed(0)
    model, x = Two(rounds), torch.randn(7, 3, 4)
    trace = lstmtui.record(model, x, loss=torch.sum, source=Cell)
    expected = torch.stack(KEPT).numpy()
    for number, layer in enumerate(trace.layers):
        at = int(layer.path[-1])
        values = trace.arrays[f"{number}/forward/new"]
        assert np.array_equal(values, expected[at::2]), layer.path
    assert len(trace.layers) == 2

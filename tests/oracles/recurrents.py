"""Random recurrent modules, and the stock modules that must agree with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.cells import Cell
from lstmtui.models.recurrent import Recurrent

CELL_NAMES = ("rnn_tanh", "rnn_relu", "lstm", "lstm_peephole", "lstm_coupled", "gru", "gru_reset_before")
"""The cells that every oracle knows; of the others there is the step by hand (`steps_by_hand`)."""
STOCK_NAMES = ("rnn_tanh", "rnn_relu", "lstm", "gru")
"""The cells PyTorch has."""
LSTM_NAMES = ("lstm", "lstm_peephole", "lstm_coupled")


def noise(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers that depend on nothing but `seed`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def random_recurrent(
    cell: str,
    input_size: int = 3,
    hidden_size: int = 4,
    *,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    **options: Any,
) -> Recurrent:
    """A `Recurrent` with every parameter far from 0, so that nothing can hide behind a small weight."""
    module = Recurrent(cell, input_size, hidden_size, dtype=dtype, **options)
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(noise(*parameter.shape, seed=1000 * seed + number) * 0.7)
    return module


def random_states(module: Recurrent, batch: int, seed: int = 1) -> Any:
    """A random hx: a tensor, or (h, c)."""
    layout = module.layout
    count = layout.num_layers * len(layout.directions)
    dtype = next(module.parameters()).dtype
    states = tuple(
        noise(count, batch, layout.state_size(s), seed=seed + 7 * n, dtype=dtype)
        for n, s in enumerate(layout.cell.states)
    )
    narrow = {"slstm": ("n",), "rglru": ("s",)}.get(module.cell, ())  # what is divided by, and a share
    states = tuple(
        0.25 + 0.5 * state.sigmoid() if name in narrow else state
        for name, state in zip(layout.cell.states, states, strict=True)
    )
    return states if len(states) > 1 else states[0]


def with_cell(module: Recurrent, cell: Cell) -> Recurrent:
    """The same module, computing `cell`."""
    module.layout = replace(module.layout, cell=cell)
    return module


def stock_module(name: str, input_size: int, hidden_size: int, **options: Any) -> nn.RNNBase:
    """PyTorch's own module for a cell it has."""
    if name == "lstm":
        return nn.LSTM(input_size, hidden_size, **options)
    if name == "gru":
        return nn.GRU(input_size, hidden_size, **options)
    return nn.RNN(input_size, hidden_size, nonlinearity=name.removeprefix("rnn_"), **options)


def stock_of(module: Recurrent) -> nn.RNNBase:
    """PyTorch's own module with the same sizes and the same parameters."""
    layout = module.layout
    options: dict[str, Any] = {"proj_size": layout.proj_size} if layout.proj_size else {}
    stock = stock_module(
        module.cell,
        layout.input_size,
        layout.hidden_size,
        num_layers=layout.num_layers,
        bidirectional=layout.bidirectional,
        bias=layout.bias,
        batch_first=module.batch_first,
        dropout=module.dropout,
        dtype=next(module.parameters()).dtype,
        **options,
    )
    stock.load_state_dict(module.state_dict(), strict=True)
    return stock.train(module.training)


def as_states(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """(h,) or (h, c)."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


def gap(ours: Any, theirs: Any) -> float:
    """max |Δ| / max(1, |theirs|) over two tensors or arrays of one shape; two NaN are no difference."""
    a, b = torch.as_tensor(ours).detach().double(), torch.as_tensor(theirs).detach().double()
    assert a.shape == b.shape, f"shapes differ: {tuple(a.shape)}, {tuple(b.shape)}"
    same = (a == b) | (a.isnan() & b.isnan())
    found = torch.where(same, 0.0, (a - b).abs() / b.abs().clamp(min=1.0))
    return float(found.nan_to_num(nan=float("inf")).max()) if found.numel() else 0.0

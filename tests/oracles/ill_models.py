"""Recurrent models with one illness each, made on purpose, and the verdicts that name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace import Trace


@dataclass(frozen=True)
class Illness:
    """One way to be ill."""

    name: str
    verdicts: frozenset[str]
    """Any of these names it."""
    make: Callable[[int], Trace | None]
    """From a seed; None where it turned out not to be ill."""


def _layer(seed: int, cell: Any = None, inputs: int = 3, **options: Any) -> tuple[Any, int, int]:
    """A layer, T and B, all drawn from the seed."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    cells = (nn.LSTM, nn.GRU, nn.RNN) if cell is None else cell
    cell = cells[int(random.integers(len(cells)))]
    options.setdefault("bidirectional", bool(random.integers(2)))
    layer = cell(inputs, int(random.choice([8, 12, 20])), **options)
    return layer, int(random.choice([30, 40, 60])), int(random.choice([1, 3, 6]))


def _change(layer: nn.Module, name: str, change: Callable[[Tensor], Tensor]) -> None:
    """Of every parameter whose name begins so."""
    with torch.no_grad():
        for own, parameter in layer.named_parameters():
            if own.startswith(name):
                parameter.copy_(change(parameter))


def _rows(layer: Any, gate: int, value: float, units: Sequence[int] | None = None) -> None:
    """Set the bias of one gate, of all units or some."""
    size = layer.hidden_size
    rows = [gate * size + unit for unit in (range(size) if units is None else units)]

    def change(bias: Tensor) -> Tensor:
        bias = bias.clone()
        bias[rows] = value
        return bias

    _change(layer, "bias_ih", change)


def _at_the_end(layer: Any) -> Callable[[Any], Tensor]:
    """Of each direction the state that has read everything."""

    def loss(result: Any) -> Tensor:
        state = result[1][0] if isinstance(result[1], tuple) else result[1]
        return (state * torch.linspace(-1, 1, layer.hidden_size)).sum()

    return loss


def _every(result: Any) -> Tensor:
    out: Tensor = result[0]
    return out.pow(2).mean()


def _exploding(seed: int) -> Trace | None:
    layer, steps, batch = _layer(seed, (nn.RNN, nn.GRU, nn.LSTM))
    square = torch.linalg.qr(torch.randn(layer.hidden_size, layer.hidden_size))[0]
    x = 0.01 * torch.randn(steps, batch, 3)
    if isinstance(layer, nn.RNN):
        _change(layer, "weight_hh", lambda w: 1.6 * square)
        x *= 1e-9
        _change(layer, "bias", torch.zeros_like)
    else:
        _change(layer, "weight_hh", lambda w: 8.0 * square.repeat(len(w) // len(square), 1))
        _change(layer, "bias", torch.zeros_like)
        x *= 1e-6
    read = _at_the_end(layer) if seed % 2 else _every
    trace = lstmtui.record(layer, x, loss=read)
    truth = _growth(layer, x)
    return trace if truth > 1e5 else None


def _growth(layer: Any, x: Tensor) -> float:
    """‖∂L/∂h₀‖ over ‖∂L/∂h_T‖ of the forward direction, by autograd alone."""
    directions = 2 if layer.bidirectional else 1
    h0 = torch.zeros(directions, x.shape[1], layer.hidden_size, requires_grad=True)
    state = (h0, torch.zeros_like(h0)) if isinstance(layer, nn.LSTM) else h0
    out = layer(x, state)[0][-1, :, : layer.hidden_size]
    probe = torch.randn(out.shape)
    (gradient,) = torch.autograd.grad((out * probe).sum(), h0)
    return float(gradient[0].norm() / probe.norm())


def _vanishing(seed: int) -> Trace:
    layer, steps, batch = _layer(seed)
    if isinstance(layer, nn.LSTM):
        _rows(layer, 1, -4.0)
    elif isinstance(layer, nn.GRU):
        _rows(layer, 1, -4.0)
        _change(layer, "weight_hh", lambda w: 0.2 * w)
    else:
        _change(layer, "weight_hh", lambda w: 0.2 * w)
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_at_the_end(layer))


def _forgetting(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, (nn.LSTM,))
    _rows(layer, 1, -30.0)
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _saturated(seed: int) -> Trace:
    layer, steps, batch = _layer(seed)
    _change(layer, "weight_ih", lambda w: 1e4 * w)
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _dead(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, (nn.RNN,), nonlinearity="relu")
    _change(layer, "bias_ih", lambda b: torch.where(torch.arange(len(b)) % 3 > 0, -50.0, 0.1))
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _nan_input(seed: int) -> Trace:
    layer, steps, batch = _layer(seed)
    x = torch.randn(steps, batch, 3)
    x[steps // 2, seed % batch, 1] = (torch.nan, torch.inf)[seed % 2]
    return lstmtui.record(layer, x, loss=_every)


def _nan_target(seed: int) -> Trace:
    layer, steps, batch = _layer(seed)
    target = torch.randn(steps, batch, 1)
    target[steps - 2] = torch.nan
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=lambda r: (r[0] - target).pow(2).mean())


def _nan_weight(seed: int) -> Trace:
    layer, steps, batch = _layer(seed)
    _change(
        layer,
        "weight_hh_l0",
        lambda w: torch.where(torch.arange(w.numel()).view_as(w) == seed % 50, torch.nan, w),
    )
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _padding(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, bidirectional=True)
    batch = max(batch, 3)
    tokens = torch.randint(1, 20, (steps, batch))
    for sequence in range(1, batch):
        tokens[steps - 3 - 4 * sequence :, sequence] = 0
    table = torch.randn(20, 3)
    table[0] *= seed % 2
    return lstmtui.record(layer, table[tokens], loss=_every)


def _deep(seed: int) -> Trace:
    layer, steps, _ = _layer(seed, (nn.LSTM, nn.GRU), bidirectional=False, num_layers=10)
    _change(layer, "weight_ih", lambda w: 0.2 * w)
    return lstmtui.record(layer, torch.randn(steps, 1 + seed % 3, 3), loss=_every)


def _no_signal(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, num_layers=2, bidirectional=False)

    def below(result: Any) -> Tensor:
        return 0.0 * result[0].sum()

    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=below)


def _unwritten(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, (nn.LSTM, nn.GRU))
    half = range(layer.hidden_size // 2 + 1)
    _rows(layer, 0 if isinstance(layer, nn.LSTM) else 1, -25.0 if isinstance(layer, nn.LSTM) else 25.0, half)
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _unread(seed: int) -> Trace:
    layer, steps, batch = _layer(seed, (nn.LSTM,))
    _rows(layer, 3, -25.0, range(layer.hidden_size // 2 + 1))
    return lstmtui.record(layer, torch.randn(steps, batch, 3), loss=_every)


def _drift(seed: int) -> Trace:
    layer, _, batch = _layer(seed, (nn.LSTM,))
    for gate in range(3):
        _rows(layer, gate, 25.0)
    return lstmtui.record(layer, torch.randn(170, batch, 3), loss=_every)


ILLNESSES = (
    Illness("exploding recurrence", frozenset({"exploding"}), _exploding),
    Illness("vanishing gradient", frozenset({"vanishing"}), _vanishing),
    Illness("forget gate stuck at 0", frozenset({"stuck", "saturated"}), _forgetting),
    Illness("saturated gates", frozenset({"saturated"}), _saturated),
    Illness("dead units", frozenset({"dead"}), _dead),
    Illness("NaN or inf in the input", frozenset({"nonfinite"}), _nan_input),
    Illness("NaN in the target", frozenset({"nonfinite"}), _nan_target),
    Illness("NaN in a weight", frozenset({"nonfinite"}), _nan_weight),
    Illness("padding read", frozenset({"padding"}), _padding),
    Illness("depth", frozenset({"depth"}), _deep),
    Illness("no gradient at all", frozenset({"vanishing"}), _no_signal),
    Illness("units not written", frozenset({"unwritten"}), _unwritten),
    Illness("units not read", frozenset({"unread"}), _unread),
    Illness("drifting cells", frozenset({"drift"}), _drift),
)

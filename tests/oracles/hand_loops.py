"""The cells once more, written as plain loops under autograd with `retain_grad` on every value.

One product per matrix and timestep, rows taken by `chunk`, no segments and no hoisting: what makes the
package's own run hard to read is missing here, so that this can be believed at sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from oracles.recurrents import as_states, gap
from torch import Tensor
from torch.nn.functional import linear

from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent

Values = dict[str, Tensor]
Parameters = Mapping[str, Any]
"""Tensors by base name; None where there is no such parameter."""


def _plain(cell: str, p: Parameters, x: Tensor, h: Tensor) -> Values:
    a = linear(x, p["weight_ih"], p["bias_ih"]) + linear(h, p["weight_hh"], p["bias_hh"])
    return {"h_pre": a, "h": torch.tanh(a) if cell == "rnn_tanh" else torch.relu(a)}


def _gru(cell: str, p: Parameters, x: Tensor, h: Tensor) -> Values:
    from_x = linear(x, p["weight_ih"], p["bias_ih"])
    x_r, x_z, x_n = from_x.chunk(3, -1)
    h_r, h_z, h_n = linear(h, p["weight_hh"], p["bias_hh"]).chunk(3, -1)
    v: Values = {"r_pre": x_r + h_r, "z_pre": x_z + h_z}
    v["r"], v["z"] = torch.sigmoid(v["r_pre"]), torch.sigmoid(v["z_pre"])
    if cell == "gru":
        v["n_pre"] = x_n + v["r"] * h_n
    else:
        r_n = p["weight_hh"].chunk(3)[2]
        b_n = None if p["bias_hh"] is None else p["bias_hh"].chunk(3)[2]
        v["n_pre"] = x_n + linear(v["r"] * h, r_n, b_n)
    v["n"] = torch.tanh(v["n_pre"])
    v["h"] = v["n"] + v["z"] * (h - v["n"])
    return v


def _lstm(cell: str, p: Parameters, x: Tensor, h: Tensor, c: Tensor) -> Values:
    both = linear(x, p["weight_ih"], p["bias_ih"]) + linear(h, p["weight_hh"], p["bias_hh"])
    v: Values = {}
    if cell == "lstm_coupled":
        v["i_pre"], v["g_pre"], v["o_pre"] = both.chunk(3, -1)
    else:
        v["i_pre"], v["f_pre"], v["g_pre"], v["o_pre"] = both.chunk(4, -1)
    if cell == "lstm_peephole":
        v["i_pre"] = torch.addcmul(v["i_pre"], p["weight_ci"], c)
        v["f_pre"] = torch.addcmul(v["f_pre"], p["weight_cf"], c)
    v["i"] = torch.sigmoid(v["i_pre"])
    v["f"] = 1.0 - v["i"] if cell == "lstm_coupled" else torch.sigmoid(v["f_pre"])
    v["g"] = torch.tanh(v["g_pre"])
    v["c"] = v["i"] * v["g"] + v["f"] * c
    if cell == "lstm_peephole":
        v["o_pre"] = torch.addcmul(v["o_pre"], p["weight_co"], v["c"])
    v["o"] = torch.sigmoid(v["o_pre"])
    v["h"] = v["o"] * torch.tanh(v["c"])
    if p["weight_hr"] is not None:
        v["h"] = linear(v["h"], p["weight_hr"])
    return v


_STEPS = {"rnn": _plain, "gru": _gru, "lstm": _lstm}
_BASES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_ci", "weight_cf", "weight_co")


class HandLoop:
    """A whole stack run by hand; `values[layer, direction][name]` are tensors that keep their gradient."""

    def __init__(self, module: Recurrent, x: Tensor, hx: Any) -> None:
        self.cell = module.cell
        self.x = x.detach().clone().requires_grad_()
        self.states = tuple(s.detach().clone().requires_grad_() for s in as_states(hx))
        self.parameters = {n: p.detach().clone().requires_grad_() for n, p in module.named_parameters()}
        self.values: dict[tuple[int, str], dict[str, list[Tensor]]] = {}
        self.inputs: list[Tensor] = []
        self.output = self._run(module.layout.num_layers, module.layout.directions)

    def _run(self, layers: int, directions: tuple[str, ...]) -> Tensor:
        x = self.x
        for layer in range(layers):
            x.retain_grad()
            self.inputs.append(x)
            outputs = []
            for number, direction in enumerate(directions):
                states = tuple(s[layer * len(directions) + number] for s in self.states)
                outputs.append(self._scan(layer, direction, x, states))
            x = torch.cat(outputs, -1)
        return x

    def _scan(self, layer: int, direction: str, x: Tensor, states: tuple[Tensor, ...]) -> Tensor:
        end = f"_l{layer}" + ("_reverse" if direction == "backward" else "")
        p = {base: self.parameters.get(base + end) for base in _BASES}
        step: Any = _STEPS[self.cell.split("_")[0]]
        order = range(len(x) - 1, -1, -1) if direction == "backward" else range(len(x))
        kept: dict[str, list[Any]] = {}
        for t in order:
            now = step(self.cell, p, x[t], *states)
            for name, value in now.items():
                value.retain_grad()
                kept.setdefault(name, [None] * len(x))[t] = value
            states = (now["h"], now["c"]) if len(states) == 2 else (now["h"],)
        self.values[layer, direction] = kept
        return torch.stack(kept["h"])


def gradient_gap(module: Recurrent, x: Tensor, hx: Any, weights: Tensor) -> float:
    """How far every value and total derivative of a recording is from the hand loop's.

    The loss is Σ weights ⊙ output², so that every output counts and no derivative is constant.
    """
    trace = record(module, x, hx=hx, loss=lambda result: (weights * result[0] ** 2).sum())
    loop = HandLoop(module, x, hx)
    (weights * loop.output**2).sum().backward()  # type: ignore[no-untyped-call]
    found = []
    for (layer, direction), kept in loop.values.items():
        for name, values in kept.items():
            derivatives = torch.stack([v.grad if v.grad is not None else torch.zeros_like(v) for v in values])
            found.append(gap(trace.values(name, layer, direction), torch.stack(values)))
            found.append(gap(trace.values("d" + name, layer, direction), derivatives))
        assert loop.inputs[layer].grad is not None
        found.append(gap(trace.values("x", layer, direction), loop.inputs[layer]))
        found.append(gap(trace.values("dx", layer, direction), loop.inputs[layer].grad))
    for number, (layer, direction) in enumerate(loop.values):
        for name, state in zip(module.layout.cell.states, loop.states, strict=True):
            assert state.grad is not None
            found.append(gap(trace.initial("d" + name, layer, direction), state.grad[number]))
    for name, parameter in loop.parameters.items():
        found.append(gap(trace.parameter_gradients[name], parameter.grad))
    return max(found)

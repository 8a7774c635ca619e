"""What-ifs written by hand: one sequence at a time, vectors only, every value clamped and kept by autograd.

A sequence of a batch is cut to its own length and run alone, so nothing here knows of padding, batches,
segments or starting in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit

Put = Callable[[str, Tensor], Tensor]
Parameters = Mapping[str, Tensor]


def _rnn(cell: str, p: Parameters, put: Put, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    a = put("h_pre", p["weight_ih"] @ x + p["weight_hh"] @ h + p["bias_ih"] + p["bias_hh"])
    return (put("h", torch.tanh(a) if cell == "rnn_tanh" else torch.relu(a)),)


def _gru(cell: str, p: Parameters, put: Put, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    (wr, wz, wn), (rr, rz, rn) = p["weight_ih"].chunk(3), p["weight_hh"].chunk(3)
    (br, bz, bn), (cr, cz, cn) = p["bias_ih"].chunk(3), p["bias_hh"].chunk(3)
    r = put("r", torch.sigmoid(put("r_pre", wr @ x + br + rr @ h + cr)))
    z = put("z", torch.sigmoid(put("z_pre", wz @ x + bz + rz @ h + cz)))
    inner = r * (rn @ h + cn) if cell == "gru" else rn @ (r * h) + cn
    n = put("n", torch.tanh(put("n_pre", wn @ x + bn + inner)))
    return (put("h", n - z * n + z * h),)


def _lstm(cell: str, p: Parameters, put: Put, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    rows = ("i", "g", "o") if cell == "lstm_coupled" else ("i", "f", "g", "o")
    sums = p["weight_ih"] @ x + p["bias_ih"] + p["weight_hh"] @ h + p["bias_hh"]
    a = dict(zip(rows, sums.chunk(len(rows)), strict=True))
    peep = {gate: p.get(f"weight_c{gate}", torch.zeros_like(c)) for gate in "ifo"}
    i = put("i", torch.sigmoid(put("i_pre", a["i"] + peep["i"] * c)))
    f = 1 - i if cell == "lstm_coupled" else torch.sigmoid(put("f_pre", a["f"] + peep["f"] * c))
    f = put("f", f)
    g = put("g", torch.tanh(put("g_pre", a["g"])))
    c = put("c", i * g + f * c)
    o = put("o", torch.sigmoid(put("o_pre", a["o"] + peep["o"] * c)))
    shown = o * torch.tanh(c)
    return put("h", p["weight_hr"] @ shown if "weight_hr" in p else shown), c


_STEPS: dict[str, Any] = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}


class ClampedLoop:
    """Every sequence of a trace, run by hand with its what-ifs.

    `kept[batch][layer, direction][quantity]` is a list over time of tensors that keep their gradient;
    `y[batch]` is the output, (timesteps, units).
    """

    def __init__(self, trace: Trace, edits: Sequence[Edit]) -> None:
        self.trace, self.edits = trace, edits
        self.parameters = {n: torch.tensor(a).requires_grad_() for n, a in trace.parameters.items()}
        self.kept: list[dict[tuple[int, str], dict[str, list[Tensor]]]] = []
        self.h: list[Tensor] = []
        self.y: list[Tensor] = []
        for batch in range(trace.batch):
            self.kept.append({})
            self._run(batch)

    def _clamped(self, value: Tensor, batch: int, t: int, quantity: str, *place: Any) -> Tensor:
        for e in self.edits:
            here = (e.layer, e.direction) == place or quantity in ("x", "y")
            if e.quantity == quantity and e.batch == batch and e.start <= t <= e.stop and here:
                units = range(len(value)) if e.unit is None else [e.unit]
                fixed = torch.tensor(e.value, dtype=value.dtype)
                value = torch.stack([fixed if k in units else v for k, v in enumerate(value.unbind())])
        return value if value.requires_grad else value.clone().requires_grad_()

    def _run(self, batch: int) -> None:
        trace, steps = self.trace, int(self.trace.lengths[batch])
        given = torch.tensor(trace.values("x")[:steps, batch])
        xs = [self._clamped(x, batch, t, "x") for t, x in enumerate(given)]
        for layer in range(len(trace.layers)):
            outputs = [self._scan(batch, layer, d, xs) for d in trace.layers[layer].directions]
            for x in xs:
                x.retain_grad()
            for direction in trace.layers[layer].directions:
                self.kept[batch][layer, direction]["x"] = xs
            xs = [torch.cat(parts) for parts in zip(*outputs, strict=True)]
        self.h.append(torch.stack(xs))
        head = self.parameters.get("head.weight")
        y = xs if head is None else [functional.linear(x, head, self.parameters["head.bias"]) for x in xs]
        self.y.append(torch.stack([self._clamped(v, batch, t, "y") for t, v in enumerate(y)]))

    def _scan(self, batch: int, layer: int, direction: str, xs: list[Tensor]) -> list[Tensor]:
        trace = self.trace
        names = trace.layers[layer].parameters[direction]
        p = {base: self.parameters[name] for base, name in names.items()}
        cell = trace.layers[layer].cell
        states = tuple(
            torch.tensor(trace.initial(s, layer, direction)[batch]) for s in trace.cell(layer).states
        )
        kept: dict[str, list[Any]] = {name: [None] * len(xs) for name in trace.cell(layer).quantities}
        self.kept[batch][layer, direction] = kept
        order = range(len(xs))
        for t in reversed(order) if direction == "backward" else order:

            def put(name: str, value: Tensor, t: int = t) -> Tensor:
                value = self._clamped(value, batch, t, name, layer, direction)
                value.retain_grad()
                kept[name][t] = value
                return value

            states = _STEPS[cell.split("_")[0]](cell, p, put, xs[t], *states)
        return kept["h"]

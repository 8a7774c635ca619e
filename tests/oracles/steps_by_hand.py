"""One timestep of a cell by hand, from tensors by base name: what the equations must agree with.

A cell that is in `STEPS` is held against it in `tests/cells/test_invented_cells.py`: values, total
derivatives, gradients of parameters and initial states, layers, directions, padding, checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear

from lstmtui.cells import Cell

Tensors = dict[str, Tensor]


def mingru_tanh_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    z_pre, n_pre = linear(x, p["weight_ih"], p["bias_ih"]).chunk(2, -1)
    z, n = torch.sigmoid(z_pre), torch.tanh(n_pre)
    return {"z_pre": z_pre, "z": z, "n_pre": n_pre, "n": n, "h": before["h"] - z * before["h"] + z * n}


def odd_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    w_a, w_v = p["weight_ih"].chunk(2)
    b_a, b_q = p["bias_ih"].chunk(2)
    a_pre = linear(x, w_a, b_a) + p["weight_u"] * before["m"]
    a, v = torch.sigmoid(a_pre), linear(x, w_v) + linear(before["h"], p["weight_hh"])
    c, m = (1 - a) * before["c"] + a * v, p["decay"] * before["m"] + v
    q_pre = linear(c, p["weight_mix"], b_q)
    q = torch.sigmoid(q_pre)
    return {"a_pre": a_pre, "a": a, "v": v, "c": c, "m": m, "q_pre": q_pre, "q": q, "h": q * torch.tanh(c)}


def mingru_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """The candidate as `minGRU_pytorch` writes it."""
    z_pre, n_pre = linear(x, p["weight_ih"], p["bias_ih"]).chunk(2, -1)
    z, n = torch.sigmoid(z_pre), torch.where(n_pre >= 0, n_pre + 0.5, n_pre.sigmoid())
    return {"z_pre": z_pre, "z": z, "n_pre": n_pre, "n": n, "h": torch.lerp(before["h"], n, z)}


def janet_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    whole = linear(x, p["weight_ih"], p["bias_ih"]) + linear(before["h"], p["weight_hh"], p["bias_hh"])
    f_pre, g_pre = whole.chunk(2, -1)
    f, i, g = f_pre.sigmoid(), (p["beta"] - f_pre).sigmoid(), g_pre.tanh()
    return {"f_pre": f_pre, "f": f, "i": i, "g_pre": g_pre, "g": g, "h": f * before["h"] + i * g}


def indrnn_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    h_pre = linear(x, p["weight_ih"], p["bias_ih"]) + p["weight_h"] * before["h"]
    return {"h_pre": h_pre, "h": h_pre.clamp(min=0)}


STEPS: dict[str, Callable[[Tensors, Tensor, Tensors], Tensors]] = {
    "mingru_tanh": mingru_tanh_step,
    "odd": odd_step,
    "mingru": mingru_step,
    "janet": janet_step,
    "indrnn": indrnn_step,
}
"""Each is called with the parameters, x and the states before, and gives every quantity."""


def by_hand(cell: Cell, parameters: Tensors, x: Tensor, initial: Tensors) -> list[Tensors]:
    """Every quantity of every timestep, each of which keeps its gradient."""
    steps, before = [], initial
    for t in range(len(x)):
        values = STEPS[cell.name](parameters, x[t], before)
        for value in values.values():
            value.retain_grad()
        steps.append(values)
        before = {state: values[state] for state in cell.states}
    return steps

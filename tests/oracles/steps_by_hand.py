"""One timestep of a cell by hand, from tensors by base name: what the equations must agree with.

A cell that is in `STEPS` is held against it in `tests/cells/test_invented_cells.py`: values, total
derivatives, gradients of parameters and initial states, layers, directions, padding, checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, logsigmoid, softplus

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


def minlstm_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    f_pre, i_pre, g_pre = linear(x, p["weight_ih"], p["bias_ih"]).chunk(3, -1)
    g = torch.where(g_pre >= 0, g_pre + 0.5, g_pre.sigmoid())
    f, i = f_pre.sigmoid(), i_pre.sigmoid()
    shares = [torch.div(gate, torch.stack([f, i]).sum(0)) for gate in (f, i)]
    h = shares[0] * before["h"] + shares[1] * g
    gates = {"f_pre": f_pre, "f": f, "i_pre": i_pre, "i": i, "f_share": shares[0], "i_share": shares[1]}
    return {**gates, "g_pre": g_pre, "g": g, "h": h}


def cfc_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    weight = torch.cat([p["weight_ih"], p["weight_hh"]], 1)
    u_pre = linear(torch.cat([x, before["h"]], 1), weight, p["bias_ih"])
    u = 1.7159 * torch.tanh(0.666 * u_pre)
    g1_pre, g2_pre, a, b = linear(u, p["weight_u"], p["bias_u"]).chunk(4, -1)
    g1, g2, t_pre = g1_pre.tanh(), g2_pre.tanh(), a + b
    t = t_pre.sigmoid()
    every = {"u_pre": u_pre, "u": u, "g1_pre": g1_pre, "g1": g1, "g2_pre": g2_pre, "g2": g2}
    return {**every, "t_interp_pre": t_pre, "t_interp": t, "h": torch.lerp(g1, g2, t)}


def lstm_layernorm_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    made: Tensors = {}
    blocks = [
        [block.chunk(4) for block in (p[f"weight_{a}h"], p[f"weight_ln_{b}"])]
        for a, b in (("i", "x"), ("h", "h"))
    ]
    biases = (p["bias_ih"] + p["bias_hh"]).chunk(4)
    for row, (name, squash) in enumerate(
        zip("ifgo", (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid), strict=True)
    ):
        parts = [
            layer_norm(linear(value, weight[row]), [len(gain[row])], gain[row])
            for value, (weight, gain) in zip((x, before["h"]), blocks, strict=True)
        ]
        made[name + "_pre"] = parts[0] + parts[1] + biases[row]
        made[name] = squash(made[name + "_pre"])
    made["c"] = made["f"] * before["c"] + made["i"] * made["g"]
    shown = layer_norm(made["c"], [made["c"].shape[-1]], p["weight_ln_c"], p["bias_ln_c"])
    return {**made, "h": made["o"] * shown.tanh()}


def slstm_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """`slstm_forward_pointwise` of the authors' package, in its own words, with R as a dense matrix."""
    heads = p["weight_hh_blocks"].chunk(4)
    recurrent = torch.cat([linear(before["h"], torch.block_diag(*blocks)) for blocks in heads], 1)
    raw = linear(x, p["weight_ih"], p["bias_ih"]) + recurrent
    iraw, fraw, zraw, oraw = raw.chunk(4, -1)
    log_f = logsigmoid(fraw)
    logfplusm = before["m"] + log_f
    mnew = torch.max(iraw, logfplusm)
    igate, fgate = torch.exp(iraw - mnew), torch.exp(logfplusm - mnew)
    z, o = torch.tanh(zraw), torch.sigmoid(oraw)
    c, n = fgate * before["c"] + igate * z, fgate * before["n"] + igate
    every = {"f_pre": fraw, "log_f": log_f, "i_pre": iraw, "m": mnew, "f": fgate, "i": igate, "z_pre": zraw}
    return {**every, "z": z, "c": c, "n": n, "o_pre": oraw, "o": o, "h": o * c / n}


def rglru_step(p: Tensors, x: Tensor, before: Tensors) -> Tensors:
    """One timestep by hand: every quantity."""
    v = linear(x, p["weight_ih"], p["bias_ih"])
    gates = [torch.block_diag(*blocks) for blocks in p["weight_gates"].chunk(2)]
    r_pre, i_pre = (linear(v, w, b) for w, b in zip(gates, p["bias_gates"].chunk(2), strict=True))
    r, i = r_pre.sigmoid(), i_pre.sigmoid()
    log_a = -8 * r * softplus(p["decay"])
    a = before["s"] * log_a.exp()
    h = a * before["h"] + torch.sqrt(1 - a**2) * i * v
    every = {"v": v, "r_pre": r_pre, "r": r, "i_pre": i_pre, "i": i, "log_a": log_a, "a": a}
    return {**every, "h": h, "s": torch.ones_like(before["s"]).requires_grad_()}


STEPS: dict[str, Callable[[Tensors, Tensor, Tensors], Tensors]] = {
    "mingru_tanh": mingru_tanh_step,
    "odd": odd_step,
    "mingru": mingru_step,
    "janet": janet_step,
    "indrnn": indrnn_step,
    "minlstm": minlstm_step,
    "cfc": cfc_step,
    "lstm_layernorm": lstm_layernorm_step,
    "slstm": slstm_step,
    "rglru": rglru_step,
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

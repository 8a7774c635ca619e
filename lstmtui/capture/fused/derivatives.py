"""Total derivatives of all timesteps at once, from those of the states.

Once ∂L/∂h of every timestep and, in an LSTM, ∂L/∂c are known, every other derivative is one of the two times
something that the forward run has made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lstmtui.capture.fused.equations import before_each
from lstmtui.cells import Cell
from lstmtui.models.torch_compat import sigmoid_backward, tanh_backward
from lstmtui.models.unroll import States

sigmoid_back = sigmoid_backward()
"""(∂L/∂σ(a), σ(a)) -> ∂L/∂a."""
tanh_back = tanh_backward()

Derivatives = dict[str, Tensor]


@dataclass
class SegmentRun:
    """One layer and direction over some timesteps, run forward, and what arrives at it from the loss."""

    cell: Cell
    parameters: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    """By quantity; also x."""
    squashed: Tensor | None
    """tanh(c), where it has been worked out already."""
    states: States
    """h, or h and c, before."""
    valid: Tensor | None
    d_output: Tensor | None
    d_finals: tuple[Tensor | None, ...]

    def before(self, state: str) -> Tensor:
        """h or c before each timestep, (T, B, units)."""
        return before_each(self.states[self.cell.states.index(state)], self.values[state], self.valid)

    def times_c_before(self, derivative: Tensor) -> Tensor:
        """The derivative by what multiplies c of the timestep before."""
        if self.valid is not None:
            return self.masked(derivative * self.before("c"))
        product = torch.empty_like(derivative)
        torch.mul(derivative[1:], self.values["c"][:-1], out=product[1:])
        torch.mul(derivative[0], self.states[1], out=product[0])
        return product

    def squashed_c(self) -> Tensor:
        """tanh(c)."""
        if self.squashed is None:
            self.squashed = self.values["c"].tanh()
        return self.squashed

    def by_product(self, d_h: Tensor) -> Tensor:
        """The derivative by o ⊙ tanh(c): by h itself, where there is no projection."""
        return d_h if "weight_hr" not in self.parameters else d_h @ self.parameters["weight_hr"]

    def recurrent_n(self, before: Tensor) -> Tensor:
        """R_n · h + b′_n of a GRU."""
        units = before.shape[-1]
        inner = before.flatten(0, 1) @ self.parameters["weight_hh"][2 * units :].T
        if "bias_hh" in self.parameters:
            inner += self.parameters["bias_hh"][2 * units :]
        return inner.view_as(before)

    def masked(self, derivative: Tensor) -> Tensor:
        """0 where not valid."""
        return derivative if self.valid is None else torch.where(self.valid, derivative, 0.0)


def derivatives_of(run: SegmentRun, d_h: Tensor, d_c: Tensor | None) -> Derivatives:
    """The total derivative of every quantity of the cell.

    Args:
        run: of the layer.
        d_h: ∂L/∂h in total, (T, B, units); 0 where not valid.
        d_c: ∂L/∂c in total, where there is a c.
    """
    return by_h(run, d_h) if d_c is None else {**by_h(run, d_h), **by_c(run, d_c)}


def by_h(run: SegmentRun, d_h: Tensor) -> Derivatives:
    """The derivatives that are ∂L/∂h times something."""
    v, name = run.values, run.cell.name
    d: Derivatives = {"h": d_h}
    if name == "gru":
        before = run.before("h")
        d["z"] = run.masked(d_h * (before - v["n"]))
        d["z_pre"] = sigmoid_back(d["z"], v["z"])
        d["n"] = d_h * (1 - v["z"])
        d["n_pre"] = tanh_back(d["n"], v["n"])
        d["r"] = d["n_pre"] * run.recurrent_n(before)
        d["r_pre"] = sigmoid_back(d["r"], v["r"])
    elif name == "rnn_tanh":
        d["h_pre"] = tanh_back(d_h, v["h"])
    elif name == "rnn_relu":
        d["h_pre"] = torch.where(v["h"] > 0, d_h, 0.0)
    else:
        d["o"] = run.by_product(d_h) * run.squashed_c()
        d["o_pre"] = sigmoid_back(d["o"], v["o"])
    return d


def by_c(run: SegmentRun, d_c: Tensor) -> Derivatives:
    """The derivatives that are ∂L/∂c times something."""
    v = run.values
    d = {"c": d_c, "g": d_c * v["i"], "f": run.times_c_before(d_c)}
    d["g_pre"] = tanh_back(d["g"], v["g"])
    if run.cell.name == "lstm_coupled":
        # Where g and c before are nearly the same their difference is exact; that of products is not.
        d["i"] = run.masked(d_c * (v["g"] - run.before("c")))
    else:
        d["i"] = d_c * v["g"]
        d["f_pre"] = sigmoid_back(d["f"], v["f"])
    d["i_pre"] = sigmoid_back(d["i"], v["i"])
    return d


def by_input(run: SegmentRun, d: Derivatives) -> Tensor:
    """∂L/∂x."""
    rows = zip(run.cell.rows, run.parameters["weight_ih"].chunk(len(run.cell.rows)), strict=True)
    total = torch.zeros_like(run.values["x"])
    for row, matrix in rows:
        total.flatten(0, 1).addmm_(d[f"{row}_pre" if row else "h_pre"].flatten(0, 1), matrix)
    return total


def by_parameters(run: SegmentRun, d: Derivatives) -> Derivatives:
    """The gradients by the parameters, by base name, as one product over all timesteps for each gate."""
    cell, shapes = run.cell, run.parameters
    x, before = run.values["x"].flatten(0, 1), run.before("h").flatten(0, 1)
    result: Derivatives = {name: torch.empty_like(tensor) for name, tensor in shapes.items()}
    blocks = {name: tensor.chunk(len(cell.rows)) for name, tensor in result.items() if name != "weight_hr"}
    for position, row in enumerate(cell.rows):
        own = recurrent = d[f"{row}_pre" if row else "h_pre"].flatten(0, 1)
        if row == "n":
            recurrent = own * run.values["r"].flatten(0, 1)
        torch.mm(own.T, x, out=blocks["weight_ih"][position])
        torch.mm(recurrent.T, before, out=blocks["weight_hh"][position])
        if "bias_ih" in blocks:
            torch.sum(own, 0, out=blocks["bias_ih"][position])
            torch.sum(recurrent, 0, out=blocks["bias_hh"][position])
    if "weight_hr" in result:
        product = (run.values["o"] * run.squashed_c()).flatten(0, 1)
        torch.mm(d["h"].flatten(0, 1).T, product, out=result["weight_hr"])
    return result

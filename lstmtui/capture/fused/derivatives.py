"""Total derivatives of all timesteps at once, from what a tapped kernel gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lstmtui.capture.fused.equations import before_each
from lstmtui.capture.fused.kernel import Gradients
from lstmtui.capture.fused.recurrence import backward_in_time
from lstmtui.cells import Cell
from lstmtui.models.unroll import States

_sigmoid = torch.ops.aten.sigmoid_backward
"""(∂L/∂σ(a), σ(a)) -> ∂L/∂a."""
_tanh = torch.ops.aten.tanh_backward


@dataclass
class Known:
    """One layer and direction over some timesteps, run forward and the kernel backward."""

    cell: Cell
    parameters: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    """By quantity; also x."""
    squashed: Tensor | None
    """tanh(c), where it is known already."""
    states: States
    """h, or h and c, before."""
    valid: Tensor | None
    d_output: Tensor | None
    d_finals: tuple[Tensor | None, ...]
    kernel: Gradients

    def before(self, state: str) -> Tensor:
        """h or c before each timestep, (T, B, units)."""
        return before_each(self.states[self.cell.states.index(state)], self.values[state], self.valid)

    def times_before(self, derivative: Tensor, state: str) -> Tensor:
        """The derivative by what multiplies a state of the timestep before."""
        if self.valid is not None:
            return self.masked(derivative * self.before(state))
        product = torch.empty_like(derivative)
        torch.mul(derivative[1:], self.values[state][:-1], out=product[1:])
        torch.mul(derivative[0], self.states[self.cell.states.index(state)], out=product[0])
        return product

    def squashed_c(self) -> Tensor:
        """tanh(c)."""
        return self.values["c"].tanh() if self.squashed is None else self.squashed

    def masked(self, derivative: Tensor) -> Tensor:
        """0 where not valid."""
        return derivative if self.valid is None else torch.where(self.valid, derivative, 0.0)

    def through_time(self, coefficient: Tensor, own: Tensor, state: str) -> Tensor:
        """The total derivative of a state that is multiplied by `coefficient` on its way to the next."""
        end = self.d_finals[self.cell.states.index(state)]
        if self.valid is None:
            return backward_in_time(coefficient, own, end)
        carried = torch.where(self.valid, coefficient, 1.0)
        return self.masked(backward_in_time(carried, self.masked(own), end))

    def from_next(self, recurrent: Tensor) -> Tensor:
        """∂L/∂h by what follows the layer and by what the next timestep's gates get from it."""
        total = recurrent.new_empty(self.values["h"].shape)
        if self.d_output is None:
            total[:-1] = recurrent[1:]
            total[-1] = 0.0
        else:
            torch.add(self.d_output[:-1], recurrent[1:], out=total[:-1])
            total[-1] = self.d_output[-1]
        return total


Derivatives = dict[str, Tensor]


def derivatives_of(known: Known) -> tuple[Derivatives, dict[str, Tensor]]:
    """The total derivative of every quantity, and the gradients by the parameters, by base name."""
    found, recurrent = _FAMILIES[known.cell.name](known)
    parameters = known.kernel.parameters or _parameters(known, found, recurrent)
    return found, parameters


def _lstm(known: Known) -> tuple[Derivatives, Derivatives]:
    v, cell = known.values, known.cell
    d: Derivatives = {"h": _plain_state(known)}
    d_product = d["h"] if "weight_hr" not in known.parameters else d["h"] @ known.parameters["weight_hr"]
    squashed = known.squashed_c()
    d["o"] = d_product * squashed
    d["o_pre"] = _sigmoid(d["o"], v["o"])
    d["c"] = known.through_time(v["f"], _tanh(d_product * v["o"], squashed), "c")
    d["g"] = d["c"] * v["i"]
    d["g_pre"] = _tanh(d["g"], v["g"])
    d["f"] = known.times_before(d["c"], "c")
    d["i"] = d["c"] * v["g"]
    if cell.name == "lstm_coupled":
        d["i"] -= d["f"]
    else:
        d["f_pre"] = _sigmoid(d["f"], v["f"])
    d["i_pre"] = _sigmoid(d["i"], v["i"])
    return d, {row: d[row + "_pre"] for row in cell.rows}


def _gru(known: Known) -> tuple[Derivatives, Derivatives]:
    v, units = known.values, known.values["h"].shape[-1]
    rows = known.parameters["weight_hh"][2 * units :]
    to_gates, n_pre = known.kernel.tap[..., :units], known.kernel.tap[..., units:].contiguous()
    product = n_pre * v["r"]
    recurrent = (product.flatten(0, 1) @ rows).view_as(product).add_(to_gates)
    d: Derivatives = {"h": known.through_time(v["z"], known.from_next(recurrent), "h"), "n_pre": n_pre}
    before = known.before("h")
    d["z"] = known.masked(d["h"] * (before - v["n"]))
    d["z_pre"] = _sigmoid(d["z"], v["z"])
    d["n"] = d["h"] * (1 - v["z"])
    inner = before.flatten(0, 1) @ rows.T
    if "bias_hh" in known.parameters:
        inner += known.parameters["bias_hh"][2 * units :]
    d["r"] = n_pre * inner.view_as(n_pre)
    d["r_pre"] = _sigmoid(d["r"], v["r"])
    return d, {"r": d["r_pre"], "z": d["z_pre"], "n": product}


def _rnn(known: Known) -> tuple[Derivatives, Derivatives]:
    h, d = known.values["h"], {"h": _plain_state(known)}
    d["h_pre"] = _tanh(d["h"], h) if known.cell.name == "rnn_tanh" else torch.where(h > 0, d["h"], 0.0)
    return d, {"": d["h_pre"]}


def _plain_state(known: Known) -> Tensor:
    """∂L/∂h where h reaches the next timestep through the gates alone."""
    total = known.masked(known.from_next(known.kernel.tap))
    end = known.d_finals[0]
    if end is None:
        return total
    if known.valid is None:
        total[-1] += end
        return total
    # The last state is that of each sequence's last timestep; one without any here hands it on unchanged.
    steps = len(total)
    ahead = known.valid.flip(0).int().argmax(0).squeeze(-1)
    sequences = torch.arange(total.shape[1], device=total.device)
    some = known.valid.any(0)
    total[steps - 1 - ahead, sequences] += torch.where(some, end, 0.0)
    return total


def _parameters(known: Known, found: Derivatives, recurrent: Derivatives) -> Derivatives:
    """The gradients by the parameters, as one product over all timesteps for each gate."""
    cell, shapes = known.cell, known.parameters
    x, before = known.values["x"].flatten(0, 1), known.before("h").flatten(0, 1)
    given: Derivatives = {name: torch.empty_like(tensor) for name, tensor in shapes.items()}
    blocks = {name: tensor.chunk(len(cell.rows)) for name, tensor in given.items() if name != "weight_hr"}
    for position, row in enumerate(cell.rows):
        own = found[f"{row}_pre" if row else "h_pre"].flatten(0, 1)
        through = recurrent[row].flatten(0, 1)
        torch.mm(own.T, x, out=blocks["weight_ih"][position])
        torch.mm(through.T, before, out=blocks["weight_hh"][position])
        if "bias_ih" in blocks:
            torch.sum(own, 0, out=blocks["bias_ih"][position])
            torch.sum(through, 0, out=blocks["bias_hh"][position])
    if "weight_hr" in given:
        product = (known.values["o"] * known.squashed_c()).flatten(0, 1)
        torch.mm(found["h"].flatten(0, 1).T, product, out=given["weight_hr"])
    return given


_FAMILIES: dict[str, Callable[[Known], tuple[Derivatives, Derivatives]]] = {
    "lstm": _lstm,
    "lstm_coupled": _lstm,
    "gru": _gru,
    "rnn_tanh": _rnn,
    "rnn_relu": _rnn,
}
"""Each gives the total derivatives by quantity, and those of the products with h by row."""

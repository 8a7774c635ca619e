"""PyTorch's own kernels with taps: inputs of no effect, whose gradient is what the kernel hides.

The kernel is given x' = [x, e] with e = 0 and input weights [W, E]. Its result is unchanged, and its own
gradient by e_t is Eᵀ · d<gates>_pre of t. With E = R that is what h of the timestep before gets through
the gates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lstmtui.capture.vector_jacobian import vector_jacobian
from lstmtui.cells import Cell
from lstmtui.cells.layout import Layout
from lstmtui.models.stock import stock_twin, uncoupled
from lstmtui.models.torch_compat import flat_weights
from lstmtui.models.unroll import States, hx_of

KERNELS: dict[str, Callable[..., Any]] = {
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
    "lstm": torch.lstm,
    "lstm_coupled": torch.lstm,
    "gru": torch.gru,
}
"""By cell; a coupled LSTM is a stock one with W_f = −W_i."""


class Gradients(NamedTuple):
    """The gradients that a kernel returns."""

    x: Tensor
    """∂L/∂x, (T, B, input)."""
    tap: Tensor
    """∂L/∂e, (T, B, width of the taps)."""
    states: States
    """By the states before the first timestep."""
    parameters: dict[str, Tensor]
    """By base name, where the kernel works them out anyway; else empty."""


@dataclass
class KernelRun:
    """A run of a kernel over some timesteps."""

    output: Tensor
    """(T, B, units); 0 where not valid."""
    finals: States
    leaves: tuple[Tensor, ...] = ()
    """x' and the states before, where the run can go backward."""
    squashed: Tensor | None = None
    """tanh(c) of every timestep, once it has been computed."""


class Kernel:
    """The stock kernel of one layer and direction.

    Args:
        cell: one of those in `KERNELS`.
        parameters: tensors by base name.
        tapped: whether it is to go backward.
    """

    def __init__(self, cell: Cell, parameters: Mapping[str, Tensor], tapped: bool) -> None:
        self._cell, self._parameters = cell, parameters
        weight_ih = parameters["weight_ih"]
        self._inputs = weight_ih.shape[1]
        self._width = 0
        weights = {name: tensor.detach() for name, tensor in parameters.items()}
        if tapped:
            taps = _taps(cell, weights["weight_hh"])
            self._width = taps.shape[1]
            weights["weight_ih"] = torch.cat([weights["weight_ih"], taps], 1)
        self._weights = self._flat(weights)
        self._names = tuple(weights)
        # oneDNN's backward always works out the gradients of the weights; elsewhere one product is faster.
        self._keeps_weights = tapped and cell.name == "lstm" and is_onednn(cell, parameters)
        if self._keeps_weights:
            self._weights = [weight.detach().requires_grad_() for weight in self._weights]

    def run(self, x: Tensor, states: States, valid: Tensor | None) -> KernelRun:
        """Run forward; a tapped kernel keeps what it needs to go backward.

        Args:
            x: (T, B, input), in the order the cell sees it.
            states: h, or h and c, before.
            valid: bool (T, B, 1), or None.
        """
        if not self._width:
            with torch.no_grad():
                return KernelRun(*self._call(x, states, valid))
        wide = x.new_empty((*x.shape[:2], self._inputs + self._width))
        wide[..., : self._inputs] = x
        wide[..., self._inputs :] = 0.0
        leaves = tuple(t.detach().requires_grad_() for t in (wide, *states))
        with torch.enable_grad():
            output, finals = self._call(leaves[0], leaves[1:], valid)
        return KernelRun(output, finals, leaves)

    def gradients(
        self, run: KernelRun, d_output: Tensor | None, d_finals: tuple[Tensor | None, ...]
    ) -> Gradients:
        """Go backward from the gradients by the output and by the last states (None: 0)."""
        ends = zip((run.output, *run.finals), (d_output, *d_finals), strict=True)
        pairs = [(of, gradient) for of, gradient in ends if gradient is not None]
        weights = self._weights if self._keeps_weights else []
        # The output of a segment in which every sequence is over depends on nothing.
        results = vector_jacobian([*run.leaves, *weights], pairs)
        count = len(run.leaves)
        parameters = dict(zip(self._names, results[count:], strict=False))
        if parameters:
            parameters["weight_ih"] = parameters["weight_ih"][:, : self._inputs]
        wide = results[0]
        return Gradients(wide[..., : self._inputs], wide[..., self._inputs :], results[1:count], parameters)

    def _call(self, x: Tensor, states: States, valid: Tensor | None) -> tuple[Tensor, States]:
        if valid is not None:
            return self._call_packed(x, states, valid)
        output, finals = self._kernel(x, tuple(s.unsqueeze(0) for s in states))
        return output, tuple(s.squeeze(0) for s in finals)

    def _call_packed(self, x: Tensor, states: States, valid: Tensor) -> tuple[Tensor, States]:
        """Run the valid timesteps alone, as PyTorch packs them: longest sequence first."""
        steps, batch = x.shape[:2]
        counts = valid.sum((0, 2))
        order = counts.argsort(descending=True, stable=True)
        order = order[: int((counts > 0).sum())]
        if not len(order):
            return x.new_zeros((steps, batch, states[0].shape[-1])), tuple(s.clone() for s in states)
        first = valid.squeeze(-1).int().argmax(0)
        times = torch.arange(int(counts.max()), device=x.device).unsqueeze(1)
        inside = times < counts[order]
        places = ((times + first[order]) * batch + order)[inside]
        data, finals = self._kernel(
            x.flatten(0, 1)[places], tuple(s[order].unsqueeze(0) for s in states), inside.sum(1).cpu()
        )
        output = data.new_zeros((steps * batch, data.shape[-1])).index_copy(0, places, data)
        last = (s.index_copy(0, order, f.squeeze(0)) for s, f in zip(states, finals, strict=True))
        return output.view(steps, batch, -1), tuple(last)

    def _kernel(self, x: Tensor, states: States, sizes: Tensor | None = None) -> tuple[Tensor, States]:
        """One layer in one direction, without dropout; in training, where alone cuDNN can go backward."""
        hx = hx_of(states)
        has_biases = "bias_ih" in self._parameters
        options = (self._weights, has_biases, 1, 0.0, True, False)
        kernel = KERNELS[self._cell.name]
        with warnings.catch_warnings():
            # That oneDNN has no projections is no concern of whoever records the module.
            warnings.simplefilter("ignore")
            output, *finals = (
                kernel(x, hx, *options, False) if sizes is None else kernel(x, sizes, hx, *options)
            )
        return output, tuple(finals)

    def _flat(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        """The weights in PyTorch's order; for cuDNN in one piece of memory."""
        weight_ih, weight_hh = weights["weight_ih"], weights["weight_hh"]
        if weight_hh.is_cuda:
            projected = weight_hh.shape[1]
            hidden = len(weight_hh) // len(self._cell.rows)
            layout = Layout(
                self._cell,
                weight_ih.shape[1],
                hidden,
                proj_size=projected if "weight_hr" in weights else 0,
                bias="bias_ih" in weights,
            )
            twin = stock_twin(layout, {name + "_l0": tensor for name, tensor in weights.items()})
            assert twin is not None
            return [weight.detach() for weight in flat_weights(twin).values()]
        if self._cell.name != "lstm_coupled":
            return list(weights.values())
        return [uncoupled(name, tensor) for name, tensor in weights.items()]


def _taps(cell: Cell, weight_hh: Tensor) -> Tensor:
    """The columns that give the gradient of h of the timestep before; a GRU also has those of n_pre itself.

    What n of a GRU gets through its reset gate is not a product with d n_pre alone, so h of the timestep
    before gets it from there.
    """
    if cell.name != "gru":
        return weight_hh
    units = weight_hh.shape[1]
    taps = weight_hh.new_zeros((len(weight_hh), 2 * units))
    taps[: 2 * units, :units] = weight_hh[: 2 * units]
    taps[2 * units :, units:].fill_diagonal_(1.0)
    return taps


def is_onednn(cell: Cell, parameters: Mapping[str, Tensor]) -> bool:
    """Whether PyTorch runs this cell with oneDNN: an LSTM in float32, without projection, on the CPU."""
    weight = parameters["weight_hh"]
    library = torch.backends.mkldnn
    has_onednn = bool(library.is_available() and library.enabled)  # type: ignore[no-untyped-call]
    fits = weight.device.type == "cpu" and weight.dtype == torch.float32 and "weight_hr" not in parameters
    return has_onednn and fits and KERNELS[cell.name] is torch.lstm

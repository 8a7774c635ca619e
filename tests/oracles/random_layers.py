"""Random layers, losses and initial states, recorded, and run by the loops in numpy."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracles.precise_loops import Scan
from oracles.recurrents import CELL_NAMES, LSTM_NAMES
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmtui.capture.layer_function import method
from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stock import layout_of
from lstmtui.trace import Trace

Array = npt.NDArray[Any]
Key = tuple[str, int, str]
"""A quantity (or initial/ + state), layer and direction."""


@dataclass(frozen=True)
class Configuration:
    """What is recorded."""

    seed: int
    cell: str
    inputs: int
    hidden: int
    layers: int
    bidirectional: bool
    steps: int
    batch: int
    lengths: tuple[int, ...] | None
    loss: str
    at: int
    size: float
    """What the loss is multiplied by, unless it is the default."""
    scale: float
    states: float
    """The size of the initial states; 0: zeros."""
    projected: int
    bias: bool
    dtype: torch.dtype
    way: str
    """The method; "tapped" is fused, and goes backward by the kernel everywhere, as on a GPU."""


def drawn(seed: int) -> Configuration:
    """The configuration of a seed."""
    draw = random.Random(seed)
    cell = draw.choice((*CELL_NAMES, "lstm", "gru", "lstm_coupled"))
    hidden = draw.choice((1, 1, 2, 3, 4, 6, 8))
    steps = draw.randint(80, 400) if draw.random() < 0.06 else draw.choice((1, 2, 5, 8, 12, 20, 30, 40, 60))
    batch = draw.choice((1, 1, 1, 2, 3))
    padded = draw.random() < 0.3
    projects = cell in LSTM_NAMES and hidden > 1 and draw.random() < 0.2
    return Configuration(
        seed,
        cell,
        inputs=draw.choice((1, 2, 3)),
        hidden=hidden,
        layers=draw.choice((1, 1, 1, 2)),
        bidirectional=draw.random() < 0.25,
        steps=steps,
        batch=batch,
        lengths=tuple(draw.randint(1, steps) for _ in range(batch)) if padded else None,
        loss=draw.choice(("last", "last", "every", "sum", "at")),
        at=draw.randrange(steps),
        size=draw.choice((1.0, 1.0, 1.0, 1e-30, 1e-37)),
        scale=draw.choice((0.3, 1.0, 1.0, 2.0, 4.0, 10.0, 30.0)),
        states=draw.choice((0.0, 1.0, 1.0, 5.0)),
        projected=draw.randint(1, hidden - 1) if projects else 0,
        bias=draw.random() < 0.8,
        dtype=draw.choice((torch.float32, torch.float32, torch.float64)),
        way=draw.choice(("fused", "fused", "fused", "tapped", "tapped", "unrolled")),
    )


class OwnRun(NamedTuple):
    """What PyTorch's own module gives."""

    output: Array
    """(T, B, directions · units); 0 where not valid."""
    derivatives: Mapping[Key, Array]
    """Those by the input, (T, B, input), and by the initial states, (1, B, units)."""


class Problem:
    """A configuration with its numbers."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = c = configuration
        noise = np.random.default_rng(c.seed)
        self.module = Recurrent(
            c.cell,
            c.inputs,
            c.hidden,
            num_layers=c.layers,
            bidirectional=c.bidirectional,
            bias=c.bias,
            proj_size=c.projected,
            dtype=c.dtype,
        )
        with torch.no_grad():
            for parameter in self.module.parameters():
                bound = c.scale / c.hidden**0.5
                parameter.copy_(torch.as_tensor(noise.uniform(-bound, bound, parameter.shape)))
        self.lengths = c.lengths or (c.steps,) * c.batch
        self.directions = ("forward", "backward")[: 1 + c.bidirectional]
        count = c.layers * len(self.directions)
        sizes = [c.projected or c.hidden, *([c.hidden] if c.cell in LSTM_NAMES else [])]
        self.x = torch.as_tensor(noise.normal(size=(c.steps, c.batch, c.inputs))).to(c.dtype)
        self.states = [
            torch.as_tensor(c.states * noise.normal(size=(count, c.batch, size))).to(c.dtype)
            for size in sizes
        ]
        self.weights = torch.as_tensor(
            noise.normal(size=(c.steps, c.batch, sizes[0] * (1 + c.bidirectional)))
        ).to(c.dtype)

    @property
    def _hx(self) -> Any:
        if not self.configuration.states:
            return None
        return tuple(self.states) if len(self.states) > 1 else self.states[0]

    def own_run(self) -> OwnRun | None:
        """What PyTorch's own module makes of it; None where it has no such cell."""
        c, layout = self.configuration, layout_of(self.module)
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}.get(c.cell, nn.RNN)
        if c.cell not in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
            return None
        options: dict[str, Any] = {"proj_size": layout.proj_size} if layout.proj_size else {}
        if kind is nn.RNN:
            options["nonlinearity"] = c.cell.removeprefix("rnn_")
        options |= {"num_layers": layout.num_layers, "bidirectional": layout.bidirectional}
        stock = kind(layout.input_size, layout.hidden_size, bias=layout.bias, dtype=c.dtype, **options)
        stock.load_state_dict(self.module.state_dict())
        x = self.x.clone().requires_grad_()
        states = [(state * bool(c.states)).requires_grad_() for state in self.states]
        lengths = list(self.lengths)
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        packed_output = stock(packed, tuple(states) if len(states) > 1 else states[0])[0]
        output = pad_packed_sequence(packed_output, total_length=c.steps)[0]
        loss = self._loss() or self._sum_of_ends
        loss((output,)).backward()
        assert x.grad is not None
        derivatives: dict[Key, Array] = {("dx", 0, d): x.grad.numpy() for d in self.directions}
        for name, state in zip(("initial/dh", "initial/dc"), states, strict=False):
            assert state.grad is not None
            for number, gradient in enumerate(state.grad.numpy()):
                layer, direction = divmod(number, len(self.directions))
                derivatives[name, layer, self.directions[direction]] = gradient[None]
        return OwnRun(output.detach().numpy(), derivatives)

    def _sum_of_ends(self, result: Any) -> Tensor:
        """The default loss of a recording: h after the last timestep that each direction has seen."""
        output, units = result[0], len(self.weights[0, 0]) // len(self.directions)
        ends = [output[n - 1, b, :units].sum() for b, n in enumerate(self.lengths)]
        return torch.stack(ends).sum() + output[0, :, units:].sum()

    def recorded(self) -> Trace:
        """What the package records."""
        c = self.configuration
        lengths = None if c.lengths is None else list(c.lengths)
        with method("unrolled" if c.way == "unrolled" else "fused"), tapped(c.way == "tapped"):
            return record(self.module, self.x, hx=self._hx, lengths=lengths, loss=self._loss())

    def _loss(self) -> Callable[[Any], Tensor] | None:
        c = self.configuration
        losses: dict[str, Callable[[Any], Tensor] | None] = {
            "last": None,
            "every": lambda result: c.size * (self.weights * result[0] ** 2).sum(),
            "sum": lambda result: c.size * result[0].sum(),
            "at": lambda result: c.size * (self.weights * result[0])[c.at].sum(),
        }
        return losses[c.loss]

    def d_output(self, y: Array, sequence: int) -> Array:
        """The loss's gradient by the output of one sequence, in the dtype of y, (runs, steps, units)."""
        c, steps = self.configuration, y.shape[1]
        weights = self.weights[:steps, sequence].numpy().astype(y.dtype)
        result = np.zeros_like(y)
        if c.loss == "every":
            result += 2 * y * (weights * y.dtype.type(c.size))
        elif c.loss == "sum":
            result += y.dtype.type(c.size)
        elif c.loss == "at" and c.at < steps:
            result[:, c.at] = weights[c.at] * y.dtype.type(c.size)
        elif c.loss == "last":
            forward = y.shape[-1] // (1 + c.bidirectional)
            result[:, -1, :forward] = 1
            result[:, 0, forward:] = 1
        return result

    def loops(self, dtype: Any, runs: int) -> list[dict[Key, Array]]:
        """Every quantity of every sequence by the loops: (runs, T, units) in the order of x."""
        c = self.configuration
        noise = np.random.default_rng(c.seed + 1)
        eps = float(np.finfo(dtype).eps)

        def rounded(array: Array) -> Array:
            if runs == 1:
                return array
            moved = 1 + eps * noise.integers(-1, 2, (runs, *array.shape[1:])).astype(dtype)
            moved[0] = 1
            return np.asarray(array * moved)

        def varied(tensor: Tensor) -> Array:
            return rounded(tensor.detach().numpy().astype(dtype)[None])

        parameters = {name: varied(p) for name, p in self.module.named_parameters()}
        x, states = varied(self.x), [varied(s * bool(c.states)) for s in self.states]
        return [
            self._loop(
                parameters,
                x[:, :n, b],
                [s[:, :, b] for s in states],
                lambda y, b=b: self.d_output(y, b),
                rounded,
            )
            for b, n in enumerate(self.lengths)
        ]

    def _loop(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        states: list[Array],
        d_output: Callable[[Array], Array],
        rounded: Callable[[Array], Array],
    ) -> dict[Key, Array]:
        c, directions = self.configuration, self.directions
        scans: list[list[Scan]] = []
        inputs = [x]
        for layer in range(c.layers):
            scans.append([])
            for number, direction in enumerate(directions):
                end = f"_l{layer}" + ("_reverse" if number else "")
                p = {n.removesuffix(end): a for n, a in parameters.items() if n.endswith(end)}
                own = [s[:, layer * len(directions) + number] for s in states]
                scans[-1].append(Scan(c.cell, p, in_order(inputs[-1], direction), own, rounded))
            outputs = [in_order(s.values["h"], d) for s, d in zip(scans[-1], directions, strict=True)]
            inputs.append(np.concatenate(outputs, -1))
        found: dict[Key, Array] = {}
        d_h = d_output(inputs[-1])
        for layer in reversed(range(c.layers)):
            d_x = np.zeros_like(inputs[layer])
            parts = np.split(d_h, len(directions), -1)
            for scan, direction, part in zip(scans[layer], directions, parts, strict=True):
                scan.backward(in_order(part, direction))
                d_x = d_x + in_order(scan.derivatives.pop("x"), direction)
                for name, array in scan.values.items():
                    found[name, layer, direction] = in_order(array, direction)
                    found["d" + name, layer, direction] = in_order(scan.derivatives[name], direction)
                for state, array in zip(("h", "c"), scan.d_states, strict=False):
                    found["initial/d" + state, layer, direction] = array[:, None]
            for direction in directions:
                found["dx", layer, direction] = d_x
            d_h = d_x
        return found


@contextmanager
def tapped(wanted: bool) -> Iterator[None]:
    """Within this context layers go backward by their kernels on the CPU too."""
    with pytest.MonkeyPatch.context() as patch:
        if wanted:
            method_now = sys.modules["lstmtui.capture.fused.method"]
            patch.setattr(method_now, "walks", lambda cell, _: cell.name == "lstm_coupled")
        yield


def in_order(array: Array, direction: str) -> Array:
    """(runs, T, units) as the direction sees time."""
    return array[:, ::-1] if direction == "backward" else array

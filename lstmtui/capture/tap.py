"""Taps: while a module runs, each recurrent module inside it is run through the recorded equations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstmtui.capture.devices import check_memory
from lstmtui.capture.parity import parity
from lstmtui.capture.progress import Progress
from lstmtui.capture.unrolled import Recording, record_scan
from lstmtui.cells.layout import Layout
from lstmtui.models.calls import Call, packed_like
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stack import run_stack
from lstmtui.models.stock import RECURRENT_MODULES, layout_of, parameters_of
from lstmtui.models.unroll import States

_KINDS = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell, Recurrent)


@dataclass
class ModuleRun:
    """One call of one recurrent module, recorded."""

    path: str
    """Where the module sits, as in `named_modules`; with @2, @3 … for its further calls."""
    module: nn.Module
    layout: Layout
    steps: int
    batch: int
    batched: bool
    batch_first: bool
    parity: float | None = None
    lengths: Tensor | None = None
    last_h: Tensor | None = None
    """The last h of the last layer, (directions, B, P), in the graph."""
    recordings: dict[tuple[int, str], Recording] = field(default_factory=dict)
    """By layer and direction."""


@dataclass
class Tap:
    """Collects the runs of every recurrent module of one call of a module."""

    progress: Progress
    lengths: Tensor | None = None
    anchor: Tensor = field(default_factory=lambda: torch.zeros((), requires_grad=True))
    runs: list[ModuleRun] = field(default_factory=list)

    @contextmanager
    def installed(self, root: nn.Module) -> Iterator[None]:
        """Within this context every recurrent module under `root` is recorded when called."""
        tapped = [(path, m) for path, m in root.named_modules() if _is_tapped(m, root)]
        for path, module in tapped:
            _check_forward(path, module)
        for path, module in tapped:
            object.__setattr__(module, "forward", partial(self._forward, path, module))
        try:
            yield
        finally:
            for _, module in tapped:
                object.__delattr__(module, "forward")

    def _forward(
        self,
        path: str,
        module: nn.Module,
        x: Tensor | PackedSequence,
        hx: Tensor | tuple[Tensor, ...] | None = None,
        lengths: Tensor | None = None,
    ) -> Any:
        batch_first = bool(getattr(module, "batch_first", False))
        if isinstance(x, PackedSequence):
            padded, counts = pad_packed_sequence(x, batch_first=batch_first)
            output, state = self._forward(path, module, padded, hx, counts)
            return packed_like(x, output, counts, batch_first), state
        if isinstance(module, nn.RNNCellBase) and hx is not None:
            hx = _with_layers(hx, x.dim())
        layout, parameters = layout_of(module), parameters_of(module)
        call = Call(layout, x, hx, self.lengths if lengths is None else lengths, batch_first)
        steps, batch = call.x.shape[:2]
        if batch == 0:
            raise ValueError("x: there is no sequence in it")
        earlier = sum(run.module is module for run in self.runs)
        called = f"{path}@{earlier + 1}" if earlier else path
        run = ModuleRun(called, module, layout, steps, batch, call.batched, call.batch_first)
        run.lengths = call.lengths if call.valid is not None else None
        self.runs.append(run)
        check_memory(_size(layout) * steps * batch, call.x.dtype)
        self.progress.expect(2 * steps * layout.num_layers * len(layout.directions))
        dropout = float(getattr(module, "dropout", 0.0)) if module.training else 0.0
        output, states = run_stack(
            layout, parameters, call.x, call.states, self._scan(run), call.valid, dropout
        )
        run.last_h = states[0][-len(layout.directions) :]
        if not dropout:
            detached = {name: p.detach() for name, p in parameters.items()}
            initial = tuple(s.detach() for s in call.states)
            run.parity = parity(layout, detached, call.x.detach(), initial, run.lengths, output)
        return call.result(output, states)

    def _scan(self, run: ModuleRun) -> Callable[..., tuple[Tensor, States]]:
        def scan(
            layer: int,
            direction: str,
            x: Tensor,
            states: States,
            parameters: Mapping[str, Tensor],
            valid: Tensor | None,
        ) -> tuple[Tensor, States]:
            recording = Recording(run.layout.cell, dict(parameters), self.progress)
            run.recordings[layer, direction] = recording
            return record_scan(recording, x, states, valid, self.anchor)

        return scan


def _with_layers(hx: Tensor | tuple[Tensor, ...], dimensions: int) -> Tensor | tuple[Tensor, ...]:
    """A Cell's states, (B, units), with the axis of layers that a stack's have."""
    if not isinstance(hx, Tensor):
        return tuple(s if s.dim() == dimensions else s.unsqueeze(0) for s in hx)
    return hx if hx.dim() == dimensions else hx.unsqueeze(0)


def _is_tapped(module: nn.Module, root: nn.Module) -> bool:
    """Cells inside a model are called by the model's own loop; only a Cell on its own is run over time."""
    if isinstance(module, nn.RNNCellBase):
        return module is root
    return isinstance(module, RECURRENT_MODULES)


def _check_forward(path: str, module: nn.Module) -> None:
    """Refuse a module whose own `forward` would be left out, rather than show what it does not compute."""
    known = [kind for kind in _KINDS if isinstance(module, kind)]
    if "forward" in vars(module) or not any(type(module).forward is kind.forward for kind in known):
        where = f"{path}: " if path else ""
        raise TypeError(f"{where}{type(module).__name__} has a forward of its own and cannot be recorded")


def _size(layout: Layout) -> int:
    """How many numbers one timestep of one sequence takes in the trace, derivatives included."""
    names = layout.cell.quantities
    units = sum(layout.output_size if n == "h" else layout.hidden_size for n in names)
    inputs = sum(layout.layer_input_size(layer) for layer in range(layout.num_layers))
    return 2 * len(layout.directions) * (layout.num_layers * units + inputs)

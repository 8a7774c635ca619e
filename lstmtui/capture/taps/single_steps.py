"""A module that reads sequences, called with one timestep at a time: each layer as a cell in a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.precision import cast, full_precision
from lstmtui.capture.progress import Progress
from lstmtui.capture.taps.cell_loops import CellLoop
from lstmtui.capture.taps.tapped_calls import drop_between, weights_of
from lstmtui.models.calls import Call
from lstmtui.models.unroll import States, hx_of

_CELLS: dict[str, Callable[..., Any]] = {
    "lstm": torch.lstm_cell,
    "gru": torch.gru_cell,
    "rnn_tanh": torch.rnn_tanh_cell,
    "rnn_relu": torch.rnn_relu_cell,
}


def is_single_step(module: nn.Module, call: Call, packed: PackedSequence | None) -> bool:
    """Whether a call is one timestep of a stack that PyTorch has the cells of."""
    layout = call.layout
    return (
        isinstance(module, nn.RNNBase)
        and len(call.x) == 1
        and packed is None
        and call.valid is None
        and not layout.bidirectional
        and not layout.proj_size
        and layout.cell.name in _CELLS
    )


def loops_of(run: ModuleRun, progress: Progress, anchor: Tensor) -> list[CellLoop]:
    """A loop for each layer of a run."""
    run.steps = 0
    return [CellLoop(run, progress, anchor, layer) for layer in range(run.layout.num_layers)]


def cut_to_whole_steps(run: ModuleRun, loops: list[CellLoop]) -> int:
    """Leave out the timestep that not all layers have come to the end of; how many are left.

    Args:
        run: that the loops make up.
        loops: of its layers.
    """
    run.steps = run.calls = min(len(loop.calls) for loop in loops)
    del run.moments[run.steps :]
    for loop in loops:
        del loop.calls[run.steps :]
    return run.steps


def record_step(
    loops: list[CellLoop], module: nn.Module, call: Call, *, is_changed: bool
) -> tuple[Tensor, Any]:
    """Record one more timestep of every layer; returns what the module returns.

    Args:
        loops: of the layers.
        module: that is called.
        call: its arguments.
        is_changed: whether its states are others than the call before left.
    """
    layout, x = call.layout, call.x[0]
    parameters = {name: cast(p, x.dtype) for name, p in weights_of(module).items()}
    drop = drop_between(module, None, 1)
    finals: list[States] = []
    with full_precision(x):
        for layer, loop in enumerate(loops):
            own = {base: parameters[name] for base, name in layout.names(layer, "forward").items()}
            before = tuple(s[layer] for s in call.states)
            after = loop.call(_cell(layout.cell.name, own), x, before, own, is_changed=is_changed)
            finals.append(after if isinstance(after, tuple) else (after,))
            x = finals[-1][0]
            if drop is not None and layer < layout.num_layers - 1:
                x = drop(x)
    states = tuple(torch.stack(group) for group in zip(*finals, strict=True))
    return call.result(x.unsqueeze(0), states)


def _cell(name: str, parameters: Mapping[str, Tensor]) -> Callable[[Tensor, States], Any]:
    """PyTorch's cell with these parameters; the weights are in its order, biases may be left out."""

    def cell(x: Tensor, states: States) -> Any:
        return _CELLS[name](x, hx_of(states), *parameters.values())

    return cell

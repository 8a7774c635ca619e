"""`record`: run a module on a sequence once, and keep everything."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.assemble import assemble
from lstmtui.capture.devices import resolve_device
from lstmtui.capture.progress import Progress, ProgressCallback
from lstmtui.capture.tap import ModuleRun, Tap
from lstmtui.models.stock import RECURRENT_MODULES
from lstmtui.trace import Trace


def record(
    module: nn.Module,
    x: Any,
    hx: Any = None,
    loss: Callable[[Any], Tensor] | None = None,
    device: str | torch.device | None = None,
    lengths: Any = None,
    *,
    name: str = "",
    progress: ProgressCallback | None = None,
) -> Trace:
    """Run `module` on `x`, differentiate the loss, and keep every quantity of every timestep.

    The module is left as it was: its mode, its parameters and their `.grad` are not touched.

    Args:
        module: nn.LSTM, nn.GRU, nn.RNN, one of their Cells (run over the whole of x), `lstmtui.Recurrent`,
            or any nn.Module that holds one or several of the first three or of `Recurrent`.
        x: (T, B, input), or (B, T, input) where the module is batch_first; whatever `module.forward`
            takes otherwise.
        hx: the initial state, as the module takes it.
        loss: callable on the module's result, returning a scalar; left out: the sum of the last hidden
            state (of the last layer, both directions).
        device: where to run; left out: where the module is. Another device runs a copy.
        lengths: int (B,), the number of timesteps of each sequence.
        name: what the model is called; left out: its type.
        progress: called with (done, total) timesteps; raising `lstmtui.Cancelled` there stops the run.

    Raises:
        TypeError: the module holds nothing recurrent, or the loss is not a scalar tensor.
        ValueError: a shape does not fit.
        lstmtui.UserError: no such device, or the trace would not fit into memory.
    """
    if device is not None:
        target = resolve_device(str(device))
        module = copy.deepcopy(module).to(target)
        x, hx, lengths = (_moved(value, target) for value in (x, hx, lengths))
    tap = Tap(Progress(progress), None if lengths is None else torch.as_tensor(lengths))
    if not any(isinstance(m, RECURRENT_MODULES) for m in module.modules()):
        raise TypeError(f"{type(module).__name__} holds no LSTM, GRU, RNN or lstmtui.Recurrent")
    with torch.enable_grad():
        with tap.installed(module):
            result = module(x) if hx is None else module(x, hx)
        if not tap.runs:
            raise TypeError(
                f"{type(module).__name__}: its recurrent layers were not called, or are Cells in a loop"
            )
        scalar = _default_loss(tap.runs[-1]) if loss is None else loss(result)
        if not isinstance(scalar, Tensor) or scalar.numel() != 1:
            raise TypeError("loss: must return a scalar tensor")
        output = _output_of(result, tap.runs[-1])
        gradients, d_output = _differentiate(scalar, module, tap, output)
    tap.progress.finish()
    trace = assemble(name or type(module).__name__, module, tap.runs, scalar, gradients, output, d_output)
    header = replace(
        trace.header,
        loss_kind="last_hidden" if loss is None else "custom",
        output_kind="hidden" if isinstance(module, RECURRENT_MODULES) else "custom",
    )
    return Trace(header, trace.arrays)


def _differentiate(
    loss: Tensor, module: nn.Module, tap: Tap, output: Tensor | None
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The gradients by every parameter that has one, and by the output."""
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    sources = [tap.anchor, *named.values()]
    if output is not None and output.requires_grad:
        sources.append(output)
    if not loss.requires_grad:
        return {}, None
    found = torch.autograd.grad(loss.reshape(()), sources, allow_unused=True, retain_graph=False)
    gradients = {n: g for n, g in zip(named, found[1:], strict=False) if g is not None}
    return gradients, found[-1] if len(sources) > 1 + len(named) else None


def _default_loss(run: ModuleRun) -> Tensor:
    assert run.last_h is not None
    return run.last_h.sum()


def _output_of(result: Any, run: ModuleRun) -> Tensor | None:
    """The tensor of the result that has a value for each timestep, if there is one."""
    first = result[0] if isinstance(result, tuple) else result
    if not isinstance(first, Tensor) or not first.is_floating_point() or first.dim() != 2 + run.batched:
        return None
    leading = (run.steps, run.batch)[: 1 + run.batched]
    expected = leading[::-1] if run.batch_first else leading
    return first if first.shape[:-1] == expected else None


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, (Tensor, PackedSequence)):
        return value.to(device)  # type: ignore[arg-type]
    if isinstance(value, (tuple, list)):
        return type(value)(_moved(v, device) for v in value)
    return value

"""`record`: run a module on a sequence once, and keep everything."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lstmtui.capture.arguments import arguments, differentiable, moved
from lstmtui.capture.assemble import assemble
from lstmtui.capture.devices import resolve_device
from lstmtui.capture.gradients import gradients_of
from lstmtui.capture.interception import is_plain, kind_of
from lstmtui.capture.model_output import output_of
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.origins import Origins
from lstmtui.capture.progress import Progress, ProgressCallback
from lstmtui.capture.tap import Tap
from lstmtui.capture.wrapped import named_parameters, place_of, unwrapped
from lstmtui.cells.glossary import LAST_HIDDEN
from lstmtui.trace import Trace
from lstmtui.trace.writing import TraceWriter


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
    path: str | Path | TraceWriter | None = None,
) -> Trace:
    """Run `module` on `x`, differentiate the loss, and keep every quantity of every timestep.

    The module runs as it is: in its mode, with its hooks, inside autocast or not, and drawing the random
    numbers its own forward draws, so that for one seed its dropout on the CPU is the same. It is left as it
    was: mode, parameters, their `.grad`, buffers and attributes. Where its class gives way to autograd only
    in training mode, as cuDNN's do, the recurrence goes backward here through nodes of its own.

    Where nothing computed the derivatives of a layer (detach, torch.no_grad, a loss without a gradient) it
    has none, and its trace says why; those of a layer that the loss does not depend on are 0. Layers inside
    activation checkpoints are recorded as without them. Recordings of one module in several threads take
    turns.

    Consecutive calls of a Cell, and calls of a module that go on from the state it returned before, changed
    or not, are timesteps of one run; every other call of a module is a run of its own, named path@2, path@3 …
    States that were changed in between (masked, detached, begun again) are kept beside what was returned.

    Args:
        module: nn.LSTM, nn.GRU, nn.RNN, one of their Cells (run over the whole of x), `lstmtui.Recurrent`,
            or any nn.Module that holds some of these, Cells in a loop of its own. Subclasses are recorded
            where they call `super().forward`; torch.compile, DataParallel and DDP are seen through.
        x: (T, B, input), or (B, T, input) where the module is batch_first. For a module that is not itself
            recurrent whatever its forward takes: a tuple is several arguments, a dict is keyword arguments.
        hx: the initial state, as the module takes it.
        loss: callable on whatever the module returned, itself returning a scalar; left out: the sum of the
            last hidden state of the recurrent layer called last (its last layer, both directions).
        device: where to run; left out: where the module is. Another device runs a copy.
        lengths: int (B,), the number of timesteps of each sequence; for every recurrent layer that is called
            with B sequences which are long enough, and not packed.
        name: what the model is called; left out: its type.
        progress: called with (done, total) timesteps; raising `lstmtui.Cancelled` there stops the run.
        path: where to write the trace while it is recorded, so that memory does not grow with T; an exception
            leaves nothing there. Every call of more than one timestep is then a run of its own. Left out: the
            trace is in memory.

    Raises:
        TypeError: the module holds nothing recurrent that can be recorded, or the loss is not a scalar
            tensor.
        ValueError: a shape does not fit.
        lstmtui.UserError: no such device, the trace would not fit into memory, or somebody else is writing to
            `path`.
    """
    if path is None or isinstance(path, TraceWriter):
        return _record(module, x, hx, loss, device, lengths, name, progress, path)
    with TraceWriter(path) as writer:
        return _record(module, x, hx, loss, device, lengths, name, progress, writer)


def _record(
    module: nn.Module,
    x: Any,
    hx: Any,
    loss: Callable[[Any], Tensor] | None,
    device: str | torch.device | None,
    lengths: Any,
    name: str,
    progress: ProgressCallback | None,
    writer: TraceWriter | None,
) -> Trace:
    """Record, into the files of `writer` where there is one."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: must be an nn.Module, is {_kind(module)}")
    target, module = place_of(module), unwrapped(module)
    if device is not None:
        target = resolve_device(str(device))
        module = copy.deepcopy(module).to(target)
    if target is not None:
        x, hx, lengths = (moved(value, target) for value in (x, hx, lengths))
    tap = Tap(Progress(progress), None if lengths is None else torch.as_tensor(lengths), writer)
    try:
        return _record_with(tap, module, x, hx, loss, name)
    finally:
        tap.release()


def _record_with(
    tap: Tap, module: nn.Module, x: Any, hx: Any, loss: Callable[[Any], Tensor] | None, name: str
) -> Trace:
    """Record the runs that the tap collects."""
    # A NaN on the way back is to be seen in the trace, so autograd is not to stop at it.
    anomalies = torch.autograd.set_detect_anomaly(False)
    with torch.inference_mode(False), torch.enable_grad(), anomalies:
        module = _ready(module)
        args, kwargs = arguments(module, differentiable(x), differentiable(hx))
        torch.clear_autocast_cache()
        # To the end: what an activation checkpoint holds is run again on the way back.
        with tap.installed(module):
            with tap.cuts:
                result = module(*args, **kwargs)
                tap.during = "loss"
                last = _last_run(tap, module)
                scalar = _default_loss(last) if loss is None else loss(result)
            absent = _check_loss(scalar)
            # Also to look at what the graph has saved may run what a checkpoint holds again.
            tap.during = "backward"
            output, turn = output_of(result, tap.origins, tap.runs)
            tap.origins = Origins()  # so that nothing of the graph outlives the backward pass
            tap.cuts.forget_graph()
            gradients, d_output = _differentiate(scalar, module, tap, output)
            tap.finish(absent)
    output, d_output = (None if tensor is None else turn(tensor) for tensor in (output, d_output))
    tap.progress.finish()
    trace = assemble(name or type(module).__name__, module, tap.runs, scalar, gradients, output, d_output)
    header = replace(
        trace.header,
        loss_text=LAST_HIDDEN if loss is None else "",
        loss_kind="last_hidden" if loss is None else "custom",
        output_kind="hidden" if is_plain(module) else "custom",
    )
    return Trace(header, trace.arrays) if tap.writer is None else tap.writer.finish(header, trace.arrays)


def _differentiate(
    loss: Tensor, module: nn.Module, tap: Tap, output: Tensor | None
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The gradients by every parameter that has one, and by the output."""
    named = {name: p for name, p in named_parameters(module) if p.requires_grad}
    sources = [tap.anchor, *named.values()]
    if output is not None and output.requires_grad:
        sources.append(output)
    if not loss.requires_grad:
        return {}, None
    tap.forget_derivatives()
    derivatives = gradients_of(loss.reshape(()), sources, through_functions=tap.recomputation.is_possible)
    gradients = {n: g for n, g in zip(named, derivatives[1:], strict=False) if g is not None}
    return gradients, derivatives[-1] if len(sources) > 1 + len(named) else None


def _kind(value: Any) -> str:
    return (
        f"the class {value.__name__}; make one of it first"
        if isinstance(value, type)
        else type(value).__name__
    )


def _check_loss(loss: Any) -> str:
    """Why there will be no derivatives; empty where the loss has a gradient."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"loss: must return a scalar tensor, has returned {what}")
    if loss.requires_grad:
        return ""
    why = "the loss has no gradient (detach, no_grad or argmax on the way to it?)"
    # By its depth: of `record` in the user's code.
    warnings.warn(f"lstmtui.record: {why}; no derivatives are recorded", RuntimeWarning, stacklevel=4)
    return f"{why}, so no derivatives were recorded"


def _default_loss(run: ModuleRun) -> Tensor:
    assert run.last_h is not None
    return run.last_h.sum()


def _last_run(tap: Tap, module: nn.Module) -> ModuleRun:
    if tap.last is None:
        raise TypeError(
            f"{type(module).__name__}: none of its recurrent layers was called, or only in ways that leave "
            "out the forward of PyTorch's class"
        )
    if tap.lengths is not None and not tap.lengths_fit:
        raise ValueError(
            f"lengths: no recurrent layer was called with {tap.lengths.numel()} sequences of at least "
            f"{int(tap.lengths.max())} timesteps that are not packed"
        )
    return tap.last


def _ready(module: nn.Module) -> nn.Module:
    """The module, or where it was made in inference mode a copy that can be differentiated.

    Raises:
        TypeError: it holds nothing recurrent, or parameters that have no shape or no numbers yet.
    """
    tensors = [*module.parameters(), *module.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise TypeError(f"{type(module).__name__}: has lazy parameters without a shape; call it once first")
    if any(tensor.is_meta for tensor in tensors):
        raise TypeError(
            f"{type(module).__name__}: has parameters on the meta device; give them numbers first"
        )
    if any(tensor.is_inference() for tensor in tensors):
        module = copy.deepcopy(module)
    if not any(isinstance(m, torch.jit.ScriptModule) or kind_of(m) for m in module.modules()):
        if any(type(m).__module__.startswith("torch.ao.nn.quantized") for m in module.modules()):
            raise TypeError(
                f"{type(module).__name__} is quantised, which hides what it computes; record the model from "
                "before that"
            )
        raise TypeError(
            f"{type(module).__name__} holds no LSTM, GRU, RNN, their Cells or lstmtui.Recurrent; recurrence "
            "that it writes out itself is recorded once an LSTMCell, GRUCell or RNNCell computes it"
        )
    return module

"""`record`: run a module on a sequence once, and keep everything."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.assemble import assemble
from lstmtui.capture.devices import resolve_device
from lstmtui.capture.look_ahead import look_ahead
from lstmtui.capture.loss.default_loss import default_loss
from lstmtui.capture.loss.own_loss import with_own_loss
from lstmtui.capture.loss_gradients import differentiate
from lstmtui.capture.model_output import output_of
from lstmtui.capture.modules.arguments import arguments, differentiable, moved
from lstmtui.capture.modules.generators import Generators
from lstmtui.capture.modules.interception import is_plain
from lstmtui.capture.modules.preserve_state import preserve_state
from lstmtui.capture.modules.wrapped import place_of, unwrapped
from lstmtui.capture.origins.drawn_tensors import Drawing
from lstmtui.capture.origins.origins import Origins
from lstmtui.capture.progress import Progress, ProgressCallback
from lstmtui.capture.readiness import holds_recurrent, nothing_recorded, ready, recorder_of
from lstmtui.capture.record_checks import check_loss, check_recorded
from lstmtui.capture.request import Beside, Prepare, Request
from lstmtui.capture.reruns.overwritten_input import OverwrittenInput
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.source.undisturbed import old_objects_aside
from lstmtui.capture.taps.tap import Tap
from lstmtui.capture.unfinished import keep_until_raised
from lstmtui.cells.glossary import LAST_HIDDEN
from lstmtui.errors import UserError
from lstmtui.models.torch_compat import without_checkpoints
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
    source: What | None = None,
    time_axis: int | None = None,
    batch_axis: int | None = None,
    name: str = "",
    progress: ProgressCallback | None = None,
    path: str | Path | TraceWriter | None = None,
) -> Trace:
    """Run `module` on `x`, differentiate the loss, and keep every quantity of every timestep.

    The module runs unchanged: in its own mode, with its hooks, under autocast if that is on, and with the
    random numbers that its own forward draws, so that dropout on the CPU is the same for the same seed. It is
    left as it was: mode, parameters, their `.grad`, buffers and attributes. A layer that autograd can only
    differentiate in training mode, as cuDNN's are, is differentiated by lstmtui itself.

    If nothing computed the derivatives of a layer (detach, torch.no_grad, a loss without a gradient), the
    trace has none for it and says why. If the loss does not depend on a layer, its derivatives are 0. Layers
    inside activation checkpoints are recorded as if there were no checkpoint. Threads that record the same
    module take turns.

    Consecutive calls of a Cell are timesteps of one run, and so are calls of a module that continue from the
    state it returned before, even if that state was changed in between. Every other call of a module is a run
    of its own, named path@2, path@3 … A state that was changed between two calls (masked, detached, reset) is
    kept in addition to the state that was returned.

    A module without any of these layers is recorded by source: every name that its code binds to a tensor, in
    calls that repeat or in the passes of a loop, is a quantity, and the lines of code are kept with it. If
    that code raises an exception, you get the exception unchanged; what was recorded until then is at `path`,
    or else in the exception's attribute `lstmtui_trace`.

    Args:
        module: nn.LSTM, nn.GRU, nn.RNN, one of their Cells (run over the whole of x), `lstmtui.Recurrent`, or
            any nn.Module that holds some of these, including Cells called in a loop of its own. A subclass is
            recorded where it calls `super().forward`; torch.compile, DataParallel and DDP are seen through.
            Any other module is recorded by source.
        x: (T, B, input), or (B, T, input) if the module is batch_first. If the module is not itself
            recurrent, whatever its forward takes: a tuple is several arguments, a dict is keyword arguments.
        hx: the initial state, as the module takes it.
        loss: called with whatever the module returned; returns a scalar. If left out, the loss is the sum of
            the last hidden state of the recurrent layer that was called last (its last layer, both
            directions); by source it is the sum of the first tensor with a gradient that the module returns.
        device: where to run. If left out, where the module is. For another device, a copy of the module runs.
        lengths: int (B,), the number of timesteps of each sequence. They apply to every recurrent layer that
            is called with B unpacked sequences of sufficient length.
        source: what to record by source in addition to these layers. True: all of the user's code. Or
            functions, classes, modules or dotted names ("pkg.cells"), one or a list. False: nothing.
        time_axis: by source, which axis of the input's tensors is time. It is needed if the module computes
            all timesteps at once, or if several axes have the same length.
        batch_axis: by source, which axis of the input's tensors is the sequences, if their sizes leave it
            open.
        name: what the model is called. If left out, its type.
        progress: called with (done, total) timesteps. It may raise `lstmtui.Cancelled` to stop the run.
        path: where to write the trace while it is recorded, so that memory does not grow with T. An exception
            leaves nothing there. With a path, every call of more than one timestep is a run of its own. If
            left out, the trace is in memory.

    Raises:
        TypeError: the module holds nothing recurrent that can be recorded, or the loss is not a function or
            does not return a scalar tensor.
        ValueError: a shape does not fit.
        lstmtui.UserError: there is no such device, the trace would not fit into memory, or another process is
            writing to `path`.
        RuntimeError: autograd cannot go back, for example through the graph of an earlier call that was
            freed.
    """
    request = Request(module, x, hx, loss, device, lengths, source, InputAxes(time_axis, batch_axis), name)
    generators = _generators(request)
    is_by_source = source is not False and (source is not None or not holds_recurrent(unwrapped(module)))
    given = OverwrittenInput((x, hx) if is_by_source else ())
    if path is None or isinstance(path, TraceWriter):
        trace = _record(request, progress, path)
    else:
        with TraceWriter(path) as writer:
            trace = _record(request, progress, writer)
    if any(layer.source is not None for layer in trace.layers):
        given.keep_written()
        trace.rerun_source = partial(_record_again, request, generators, given)
    return trace


def _record_again(
    request: Request,
    generators: Generators,
    given: OverwrittenInput,
    prepare: Prepare,
    loss: Callable[[Any], Tensor] | None = None,
) -> Trace:
    """Record the same once more, with the same random numbers.

    Args:
        request: as before.
        generators: as they were when it was recorded first.
        given: the input as it was then.
        prepare: called with what is to trace the code, before it runs.
        loss: in place of the one that was differentiated; None: that one.
    """
    x, hx = given.as_it_was(request.x), given.as_it_was(request.hx)
    with generators.again():
        return _record(replace(request, x=x, hx=hx, loss=loss or request.loss), None, None, prepare)


def _generators(request: Request) -> Generators:
    """The random generators that the model may use, in their present state."""
    if not isinstance(request.module, nn.Module):
        raise TypeError(f"module: must be an nn.Module, is {_kind(request.module)}")
    return Generators(unwrapped(request.module), (request.x, request.hx, request.loss))


def _record(
    request: Request,
    progress: ProgressCallback | None,
    writer: TraceWriter | None,
    prepare: Prepare | None = None,
) -> Trace:
    """Record; into the files of `writer` if there is one."""
    module, x, hx, lengths = request.module, request.x, request.hx, request.lengths
    target, module = place_of(module), unwrapped(module)
    if request.device is not None:
        target = resolve_device(str(request.device))
        module = copy.deepcopy(module).to(target)
    if target is not None:
        x, hx, lengths = (moved(value, target) for value in (x, hx, lengths))
    lengths = None if lengths is None else torch.as_tensor(lengths, device="cpu")
    tap = Tap(Progress(progress), lengths, writer)
    request = replace(request, module=module, x=x, hx=hx)
    generators = _generators(request)
    try:
        with old_objects_aside():
            trace = record_with(tap, request, prepare, looks_ahead=True)
        return trace if lengths is None else with_own_loss(trace, request, generators)
    finally:
        tap.release()


def record_with(
    tap: Tap,
    request: Request,
    prepare: Prepare | None = None,
    beside: Beside | None = None,
    *,
    looks_ahead: bool = False,
) -> Trace:
    """Record with a tap, which the caller releases: the runs that it collects, and those by source.

    Args:
        tap: what records the recurrent layers.
        request: what is recorded.
        prepare: as `Prepare` says; None: nothing is.
        beside: gives the runs by source of code that ran before, by how many timesteps the others have.
        looks_ahead: whether to look if what the loss reads depends on later input.
    """
    # A NaN on the way back is to be seen in the trace, so autograd is not to stop at it.
    anomalies = torch.autograd.set_detect_anomaly(False)
    with torch.inference_mode(False), torch.enable_grad(), anomalies:
        module = ready(request.module, request.source)
        args, kwargs = arguments(module, differentiable(request.x), differentiable(request.hx))
        code = recorder_of(module, request.source, request.axes, (args, kwargs))
        if code is not None:
            code.tracer.note_drawn(tap.cuts.drawn)
            tap.moment = code.tracer.moment
            if prepare is not None:
                prepare(code)
        torch.clear_autocast_cache()
        # To the end: what an activation checkpoint holds is run again on the way back.
        with tap.installed(module, [args, kwargs]):
            result, code, scalar, text = _forward(tap, request, module, args, kwargs, code)
            absent = check_loss(scalar)
            # Also to look at what the graph has saved may run what a checkpoint holds again.
            tap.during = "backward"
            with preserve_state(module) if tap.recomputation.is_possible else nullcontext():
                output, turn = output_of(result, tap.origins, tap.runs)
            if code is not None and output is None:
                output, turn = code.output_of(result)
            ahead = look_ahead(scalar, module, output, turn, tap) if looks_ahead else None
            tap.origins = Origins()  # so that nothing of the graph outlives the backward pass
            tap.cuts.forget_graph()
            gradients, d_output = differentiate(scalar, module, tap, output, code)
            tap.finish(absent)
            layers = [] if beside is None else beside([run.length for run in tap.runs])
            layers = layers if code is None else code.finish(derived=not absent)
            if code is not None and not (layers or tap.runs):
                raise TypeError(nothing_recorded(module, code.refusal(), tap.without_super))
    output, d_output = (None if tensor is None else turn(tensor) for tensor in (output, d_output))
    tap.progress.finish()
    name = request.name or type(module).__name__
    trace = assemble(name, module, tap.runs, scalar, gradients, output, d_output, layers)
    header = replace(
        trace.header,
        loss_text=text,
        loss_kind="last_hidden" if text == LAST_HIDDEN else "custom",
        output_kind="hidden" if is_plain(module) else "custom",
        look_ahead=ahead,
    )
    return Trace(header, trace.arrays) if tap.writer is None else tap.writer.finish(header, trace.arrays)


def _forward(
    tap: Tap, request: Request, module: nn.Module, args: Any, kwargs: Any, code: SourceRecorder | None
) -> tuple[Any, SourceRecorder | None, Tensor, str]:
    """Run the module, and take the loss of its result.

    Returns:
        What the module returned; what has recorded its code; the loss; and the name of the default loss, or
        an empty string where the loss is the caller's own.
    """
    # What is taken out of the graph says why layers have no derivatives.
    drawing = tap.cuts if holds_recurrent(module) else Drawing(tap.cuts.drawn)
    if code is not None and isinstance(drawing, Drawing):
        code.tracer.pause_in_loops(drawing)
    with drawing:
        result = _called(module, args, kwargs, code, tap, request.name)
        tap.during = "loss"
        code = check_recorded(tap, module, code, result, is_chosen=request.source is not None)
        if request.loss is not None:
            return result, code, request.loss(result), ""
        scalar, text = default_loss(tap.last, result)
        return result, code, scalar, text


def _called(
    module: nn.Module, args: Any, kwargs: Any, code: SourceRecorder | None, tap: Tap, name: str
) -> Any:
    """Call the module; if it raises, keep what its code did until then."""
    if code is None:
        return module(*args, **kwargs)
    code.tell(tap.progress)
    try:
        with code.tracer, without_checkpoints():
            result = module(*args, **kwargs)
        code.tracer.check()
        return result
    except (Exception, KeyboardInterrupt) as error:
        code.tracer.check()
        if not isinstance(error, UserError):
            keep_until_raised(error, code, tap, module, name)
        raise


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}; make one of it first"
    name = type(value).__name__
    return f"{name}; `with lstmtui.recording() as r:` records a call of it" if callable(value) else name

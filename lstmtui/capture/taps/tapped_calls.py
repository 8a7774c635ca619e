"""One call of a module that reads whole sequences, run through the recorded equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstmtui.capture.devices import check_disk, check_memory
from lstmtui.capture.layer_function import record_layer
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.parity import kernel_gap, parity
from lstmtui.capture.precision import cast, computed_in, full_precision
from lstmtui.capture.progress import Progress
from lstmtui.cells.layout import Layout
from lstmtui.models.calls import Call, packed_like
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stack import Scan, run_stack
from lstmtui.models.stock import layout_of
from lstmtui.models.torch_compat import flat_weights
from lstmtui.models.unroll import States


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters a recurrent module computes with, by the names of its layout.

    A weight that is computed from others (weight and spectral normalisation, any parametrization) is the one
    in use, in the graph of those it is computed from.
    """
    if isinstance(module, nn.RNNBase):
        return flat_weights(module)
    end = "_l0" if isinstance(module, nn.RNNCellBase) else ""
    return {name: getattr(module, name.removesuffix(end)) for name in layout_of(module).shapes()}


def call_of(
    module: nn.Module, x: Tensor | PackedSequence, hx: Any, lengths: Tensor | None
) -> tuple[Call, PackedSequence | None]:
    """The arguments of a call, checked and laid out in the dtype it computes in; and x if it was packed."""
    batch_first = bool(getattr(module, "batch_first", False))
    packed = x if isinstance(x, PackedSequence) else None
    if packed is not None:
        x, lengths = pad_packed_sequence(packed, batch_first=batch_first)
    if isinstance(x, Tensor):
        dtype = computed_in(x)
        x = cast(x, dtype)
        if isinstance(module, nn.RNNCellBase) and hx is not None:
            hx = _with_layers(hx, x.dim())
        if isinstance(hx, Tensor):
            hx = cast(hx, dtype)
        elif hx is not None:
            hx = tuple(cast(s, dtype) for s in hx)
    call = Call(layout_of(module), x, hx, lengths, batch_first)  # type: ignore[arg-type]
    if call.x.shape[1] == 0:
        raise ValueError("x: there is no sequence in it")
    return call, packed


def record_call(
    run: ModuleRun, call: Call, packed: PackedSequence | None, progress: Progress, anchor: Tensor
) -> Any:
    """Run a call through the recorded equations.

    Args:
        run: gets the recordings of every layer and direction.
        call: the arguments.
        packed: x as it was given, where it was packed.
        progress: counts the timesteps.
        anchor: a scalar leaf that requires a gradient, so that frozen parameters are no obstacle.

    Returns:
        What the module returns.
    """
    module, layout = run.module, run.layout
    steps, batch = call.x.shape[:2]
    if run.writer is None:
        check_memory(numbers_of(layout) * steps * batch, call.x.dtype)
    else:
        check_disk(numbers_of(layout) * steps * batch, call.x.dtype, run.writer.directory.target)
    progress.expect(2 * steps * layout.num_layers * len(layout.directions))
    parameters = {name: cast(p, call.x.dtype) for name, p in weights_of(module).items()}
    drop = drop_between(module, packed, steps)
    with full_precision(call.x):
        scan = _scan(run, progress, anchor)
        output, states = run_stack(layout, parameters, call.x, call.states, scan, call.valid, drop)
        run.parity = kernel_gap(run.recordings.values())
        if run.parity is None and drop is None:
            detached = {name: p.detach() for name, p in parameters.items()}
            initial = tuple(s.detach() for s in call.states)
            run.parity = parity(layout, detached, call.x.detach(), initial, run.lengths, output)
    run.last_h = states[0][-len(layout.directions) :]
    result, state = call.result(output, states)
    if packed is None:
        return result, state
    assert call.lengths is not None
    return packed_like(packed, result, call.lengths.cpu(), call.batch_first), state


def _scan(run: ModuleRun, progress: Progress, anchor: Tensor) -> Scan:
    def scan(
        layer: int,
        direction: str,
        x: Tensor,
        states: States,
        parameters: Mapping[str, Tensor],
        valid: Tensor | None,
    ) -> tuple[Tensor, States]:
        recording = run.recording(layer, direction, dict(parameters), progress)
        return record_layer(recording, x, states, valid, anchor)

    return scan


def drop_between(
    module: nn.Module, packed: PackedSequence | None, steps: int
) -> Callable[[Tensor], Tensor] | None:
    """What drops h between layers: from PyTorch's generator, in the order in which the module itself draws.

    On the CPU, for the same seed, the masks are those of the module's own call. cuDNN draws from a generator
    of its own.
    """
    p = float(getattr(module, "dropout", 0.0)) if module.training else 0.0
    if not p:
        return None
    if packed is None or isinstance(module, Recurrent):
        return partial(functional.dropout, p=p)

    def drop(h: Tensor) -> Tensor:
        counts = _lengths_of(packed).to("cpu")
        data = packed_like(packed, h, counts, batch_first=False)
        dropped = PackedSequence(functional.dropout(data.data, p), *data[1:])
        padded: Tensor = pad_packed_sequence(dropped, total_length=steps)[0]
        return padded

    return drop


def _lengths_of(packed: PackedSequence) -> Tensor:
    """int (B,), in the order of the user's batch."""
    ends = packed.batch_sizes
    lengths = (ends[None, :] > torch.arange(int(ends[0]), device="cpu")[:, None]).sum(1)
    return lengths if packed.unsorted_indices is None else lengths[packed.unsorted_indices.cpu()]


def _with_layers(hx: Tensor | tuple[Tensor, ...], dimensions: int) -> Tensor | tuple[Tensor, ...]:
    """A Cell's states, (B, units), with the axis of layers that a stack's have."""
    if not isinstance(hx, Tensor):
        return tuple(s if s.dim() == dimensions else s.unsqueeze(0) for s in hx)
    return hx if hx.dim() == dimensions else hx.unsqueeze(0)


def numbers_of(layout: Layout) -> int:
    """How many numbers one timestep of one sequence takes in the trace, derivatives included."""
    units = sum(layout.size(name) for name in layout.cell.quantities)
    inputs = sum(layout.layer_input_size(layer) for layer in range(layout.num_layers))
    return 2 * len(layout.directions) * (layout.num_layers * units + inputs)

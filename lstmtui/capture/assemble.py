"""From tensors on a device to a trace of numpy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.layer_arrays import layers_of
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.modules.wrapped import named_parameters
from lstmtui.capture.order_of_layers import order_of_layers
from lstmtui.capture.recording import Recording
from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.capture.stores.deferred_arrays import Entry, arrays_of, changed
from lstmtui.capture.stores.file_store import FileStore, complete, copy
from lstmtui.capture.to_numpy import numpy_of, own_array, zeros_of
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.keys import array_key


def assemble(
    name: str,
    module: nn.Module,
    runs: Sequence[ModuleRun],
    loss: Tensor,
    gradients: Mapping[str, Tensor],
    output: Tensor | None,
    d_output: Tensor | None,
    by_source: Sequence[SourceLayer] = (),
) -> Trace:
    """Put everything that was recorded into one trace.

    Args:
        name: the model's name.
        module: what was recorded.
        runs: of each recurrent module, in the order they were called.
        loss: the scalar the gradients are of.
        gradients: ∂L/∂parameter by full name, for the parameters that require one.
        output: the model's output for each timestep, (T, B, units), or None.
        d_output: its total derivative, or None.
        by_source: the runs of the user's code, which follow the others.
    """
    recordings = [recording for run in runs for recording in run.recordings.values()]
    arrays, layers = layers_of(module, runs, gradients)
    extents = [*((run.steps, run.batch) for run in runs), *((own.steps, own.batch) for own in by_source)]
    steps, batch = (max(sizes) for sizes in zip(*extents, strict=True))
    _complete_files(runs, steps, batch)
    last = runs[-1] if runs else None
    if output is not None and not _in_files(last, output, d_output, loss):
        derived = loss.requires_grad and output.requires_grad
        arrays |= _output(last, arrays, layers, output, d_output, derivatives=derived)
    for recording in recordings:
        if recording.recomputed is not None:
            recording.recomputed.settle()
    arrays = {key: _padded(array, _extent_of(key, steps, batch)) for key, array in arrays.items()}
    for own in by_source:
        arrays |= own.keyed(len(layers), steps, batch)
        layers.append(own.layer)
    _add_lengths(arrays, _lengths_of(runs, by_source, batch), steps)
    arrays |= order_of_layers(runs, by_source, steps)
    _add_parameters(arrays, module)
    if loss.requires_grad:
        _add_gradients(arrays, module, gradients, layers)
    parities = [run.parity for run in runs if run.parity is not None]
    header = Header(
        name=name,
        layers=tuple(layers),
        steps=steps,
        batch=batch,
        dtype=str(_coarsest(recordings, output, loss)).removeprefix("torch."),
        precision=next((r.precision for r in recordings if r.precision), ""),
        device=str(loss.device),
        module=type(module).__module__.split(".")[0] + "." + type(module).__name__,
        loss=float(loss.detach()),
        parity=max(parities, key=lambda p: (p != p, p)) if parities and len(parities) == len(runs) else None,
    )
    return Trace(header, arrays_of(arrays))


def _coarsest(recordings: Iterable[Recording], output: Tensor | None, loss: Tensor) -> torch.dtype:
    """The dtype with the fewest digits that the layers and the output have, which autocast mixes."""
    computed = {state.dtype for recording in recordings for state in recording.initial.values()}
    if output is not None:
        computed.add(output.dtype)
    return max(computed or {loss.dtype}, key=lambda dtype: torch.finfo(dtype).eps)


def _lengths_of(runs: Sequence[ModuleRun], by_source: Sequence[SourceLayer], batch: int) -> list[Array]:
    """How long each sequence is in each layer."""
    each = []
    for run in runs:
        own = np.zeros(batch, dtype=np.int64)
        own[: run.batch] = run.steps if run.lengths is None else numpy_of(run.lengths)
        each.extend([own] * run.layout.num_layers)
    return each + [np.pad(layer.lengths, (0, batch - layer.batch)) for layer in by_source]


def _add_lengths(arrays: dict[str, Entry], each: Sequence[Array], steps: int) -> None:
    """How long each sequence is: in the whole trace, and in each layer where it is another number there."""
    longest = np.max(each, axis=0)
    if (longest < steps).any():
        arrays["lengths"] = longest
    for layer, own in enumerate(each):
        if (own != longest).any():
            arrays[f"{layer}/lengths"] = own


def _extent_of(key: str, steps: int, batch: int) -> tuple[int, ...]:
    """The leading axes an array has in the trace: every run of a module has the same time and batch there."""
    if key.startswith(("parameters/", "parameter_gradients/")):
        return ()
    return (batch,) if "/initial/" in key else (steps, batch)


def _padded(entry: Entry, leading: tuple[int, ...]) -> Entry:
    """The array with zeros past the end of a shorter run, as past the end of a shorter sequence."""

    def padded(array: Array) -> Array:
        if array.shape[: len(leading)] == leading:
            return array
        missing = [(0, size - have) for size, have in zip(leading, array.shape, strict=False)]
        return np.pad(array, missing + [(0, 0)] * (array.ndim - len(missing)))

    return changed(padded, entry)


def _complete_files(runs: Sequence[ModuleRun], steps: int, batch: int) -> None:
    """Bring what was written to files during the run to the extent of the trace."""
    for run in runs:
        for index in range(run.layout.num_layers):
            stores = []
            for direction in run.layout.directions:
                recording = run.recordings[index, direction]
                values, derivatives = recording.values, recording.derivatives
                if isinstance(values, FileStore) and isinstance(derivatives, FileStore):
                    stores.append((values, derivatives))
            if stores:
                complete(stores, steps, batch, derivatives=not run.absent)


def _output(
    run: ModuleRun | None,
    arrays: Mapping[str, Entry],
    layers: Sequence[Layer],
    output: Tensor,
    d_output: Tensor | None,
    *,
    derivatives: bool,
) -> dict[str, Entry]:
    """y and dy; one array is both if y is the h of the last layer itself."""
    recording = None if run is None else run.recordings[run.layout.num_layers - 1, "forward"]
    recomputed = None if recording is None else recording.recomputed
    is_h = recording is not None and recording.values.gave(output)
    entries: dict[str, Entry] = {
        "y": arrays[array_key("h", len(layers) - 1, "forward")] if is_h else numpy_of(output)
    }
    if not derivatives:
        return entries
    if recomputed is not None and recomputed.d_output is not None and recomputed.received(d_output):
        entries["dy"] = recomputed.d_output.array()
    else:
        entries["dy"] = zeros_of(output) if d_output is None else numpy_of(d_output)
    return entries


def _in_files(run: ModuleRun | None, output: Tensor, d_output: Tensor | None, loss: Tensor) -> bool:
    """Copy the output from file to file where it is the last layer's h as that was written."""
    if run is None:
        return False
    store = run.recordings[run.layout.num_layers - 1, "forward"].values
    if not isinstance(store, FileStore) or not store.gave(output):
        return False
    file = store.files["h"]
    copy(file, store.writer.array("y", file.shape, file.dtype))
    if loss.requires_grad and output.requires_grad:
        d_file = store.writer.array("dy", file.shape, file.dtype)
        if d_output is not None:
            d_file.write_all(numpy_of(d_output))
    return True


def _add_parameters(arrays: dict[str, Entry], module: nn.Module) -> None:
    for name, parameter in named_parameters(module):
        if "parameters/" + name not in arrays:
            arrays["parameters/" + name] = own_array(parameter)


def _add_gradients(
    arrays: dict[str, Entry], module: nn.Module, gradients: Mapping[str, Tensor], layers: Sequence[Layer]
) -> None:
    """Add the gradients that autograd gave; 0 for a parameter that the loss does not depend on."""
    absent = [names for layer in layers if layer.absent for names in layer.parameters.values()]
    not_computed = {name for names in absent for name in names.values()}
    for name, parameter in named_parameters(module):
        key = "parameter_gradients/" + name
        if name in gradients:
            arrays[key] = numpy_of(gradients[name])
        elif key not in arrays and parameter.requires_grad and name not in not_computed:
            arrays[key] = zeros_of(parameter)

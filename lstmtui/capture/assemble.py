"""From tensors on a device to a trace of numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.arrays import fetch, numpy_of, zeros_of
from lstmtui.capture.file_store import FileStore, complete, copy
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.recording import Recording
from lstmtui.capture.wrapped import joined, named_modules, named_parameters
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
    """
    recordings = [recording for run in runs for recording in run.recordings.values()]
    fetch([store for r in recordings for store in (r.values, r.derivatives)])
    arrays, layers = _recorded(module, runs)
    steps, batch = max(run.steps for run in runs), max(run.batch for run in runs)
    _complete_files(runs, steps, batch)
    if output is not None and not _in_files(runs[-1], output, d_output, loss):
        arrays["y"] = numpy_of(output)
        if loss.requires_grad and output.requires_grad:
            arrays["dy"] = zeros_of(output) if d_output is None else numpy_of(d_output)
    arrays = {key: _padded(array, _extent_of(key, steps, batch)) for key, array in arrays.items()}
    _add_lengths(arrays, runs, steps, batch)
    _add_parameters(arrays, module)
    if loss.requires_grad:
        _add_gradients(arrays, module, gradients, layers)
    parities = [run.parity for run in runs if run.parity is not None]
    header = Header(
        name=name,
        layers=tuple(layers),
        steps=steps,
        batch=batch,
        dtype=str(loss.dtype if output is None else output.dtype).removeprefix("torch."),
        precision=next((r.precision for r in recordings if r.precision), ""),
        device=str(loss.device),
        module=type(module).__module__.split(".")[0] + "." + type(module).__name__,
        loss=float(loss.detach()),
        parity=max(parities, key=lambda p: (p != p, p)) if len(parities) == len(runs) else None,
    )
    return Trace(header, arrays)


def _recorded(module: nn.Module, runs: Sequence[ModuleRun]) -> tuple[dict[str, Array], list[Layer]]:
    """What each layer and direction of each run did, and the gradients of their parameters."""
    arrays: dict[str, Array] = {}
    layers: list[Layer] = []
    known = {id(p): name for name, p in named_parameters(module)}
    paths = {id(m): path for path, m in named_modules(module)}
    for run in runs:
        full = _full_names(run, paths[id(run.module)], known)
        for index in range(run.layout.num_layers):
            for direction in run.layout.directions:
                recording = run.recordings[index, direction]
                _add_recording(arrays, recording, len(layers), direction, derivatives=not run.absent)
                for base, short in run.layout.names(index, direction).items():
                    parameter = recording.parameters[base]
                    # One that is computed from others is none of the module's own parameters.
                    arrays["parameters/" + full[short]] = numpy_of(parameter).copy()
                    if not run.absent:
                        gradient = recording.parameter_derivatives.get(base)
                        found = zeros_of(parameter) if gradient is None else numpy_of(gradient)
                        _add_gradient(arrays, full[short], found)
            _total_input_derivative(arrays, len(layers), run.layout.directions)
            layers.append(Layer.of(run.layout, index, full, run.path, run.calls, run.absent))
    return arrays, layers


def _full_names(run: ModuleRun, path: str, known: Mapping[int, str]) -> dict[str, str]:
    """The names of a run's parameters in the whole module, by the names of its layout.

    A parameter that two modules share has the name that `named_parameters` gives it.
    """
    end = "_l0" if isinstance(run.module, nn.RNNCellBase) else ""
    names = {short: joined(path, short.removesuffix(end)) for short in run.layout.shapes()}
    own = {name: id(p) for name, p in run.module.named_parameters(remove_duplicate=False)}
    return {short: known.get(own.get(short.removesuffix(end), 0), name) for short, name in names.items()}


def _add_lengths(arrays: dict[str, Array], runs: Sequence[ModuleRun], steps: int, batch: int) -> None:
    """How long each sequence is: in the whole trace, and in each layer where it is another number there."""
    each = []
    for run in runs:
        own = np.zeros(batch, dtype=np.int64)
        own[: run.batch] = run.steps if run.lengths is None else numpy_of(run.lengths)
        each.extend([own] * run.layout.num_layers)
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


def _padded(array: Array, leading: tuple[int, ...]) -> Array:
    """The array with zeros past the end of a shorter run, as past the end of a shorter sequence."""
    if array.shape[: len(leading)] == leading:
        return array
    missing = [(0, size - have) for size, have in zip(leading, array.shape, strict=False)]
    return np.pad(array, missing + [(0, 0)] * (array.ndim - len(missing)))


def _add_recording(
    arrays: dict[str, Array], recording: Recording, layer: int, direction: str, *, derivatives: bool
) -> None:
    """The arrays of one layer and direction, turned back into the order of time."""

    def put(quantity: str, array: Array) -> None:
        # A copy: tensors made of arrays cannot be views backwards.
        ordered = array[::-1].copy() if direction == "backward" else array
        arrays[array_key(quantity, layer, direction)] = ordered

    for quantity in list(recording.values):
        # Taken out of the recording, so that no two copies of everything are there at the same time.
        values, derivative = recording.values.pop(quantity), recording.derivatives.pop(quantity, None)
        put(quantity, numpy_of(values))
        if derivatives:
            # Those of a layer that is in the graph, and that the loss does not depend on, are 0.
            put("d" + quantity, zeros_of(values) if derivative is None else numpy_of(derivative))
    for state, values in recording.before.items():
        put("before/" + state, numpy_of(values))
    for state in recording.cell.states:
        value, d_value = recording.initial[state], recording.initial.get("d" + state)
        arrays[array_key("initial/" + state, layer, direction)] = numpy_of(value)
        if derivatives:
            zeros_or = zeros_of(value) if d_value is None else numpy_of(d_value)
            arrays[array_key("initial/d" + state, layer, direction)] = zeros_or


def _complete_files(runs: Sequence[ModuleRun], steps: int, batch: int) -> None:
    """What has been written to files while it was made gets the extent of the trace."""
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


def _in_files(run: ModuleRun, output: Tensor, d_output: Tensor | None, loss: Tensor) -> bool:
    """Copy the output from file to file where it is the last layer's h as that was written."""
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


def _total_input_derivative(arrays: dict[str, Array], layer: int, directions: Sequence[str]) -> None:
    """x is read by both directions: its total derivative is the sum of what each of them gives."""
    keys = [array_key("dx", layer, direction) for direction in directions]
    if keys[0] not in arrays:
        return
    total = sum((arrays[key] for key in keys[1:]), arrays[keys[0]])
    arrays.update(dict.fromkeys(keys, total))


def _add_gradient(arrays: dict[str, Array], name: str, gradient: Array) -> None:
    """A recurrent parameter's own gradient; a module called twice adds up."""
    key = "parameter_gradients/" + name
    arrays[key] = arrays[key] + gradient if key in arrays else gradient


def _add_parameters(arrays: dict[str, Array], module: nn.Module) -> None:
    for name, parameter in named_parameters(module):
        if "parameters/" + name not in arrays:
            arrays["parameters/" + name] = numpy_of(parameter).copy()


def _add_gradients(
    arrays: dict[str, Array], module: nn.Module, gradients: Mapping[str, Tensor], layers: Sequence[Layer]
) -> None:
    """Those that autograd gave; 0 for a parameter that the loss does not depend on."""
    absent = [names for layer in layers if layer.absent for names in layer.parameters.values()]
    not_computed = {name for names in absent for name in names.values()}
    for name, parameter in named_parameters(module):
        key = "parameter_gradients/" + name
        if name in gradients:
            arrays[key] = numpy_of(gradients[name])
        elif key not in arrays and parameter.requires_grad and name not in not_computed:
            arrays[key] = zeros_of(parameter)

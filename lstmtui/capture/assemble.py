"""From tensors on a device to a trace of numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.capture.tap import ModuleRun
from lstmtui.capture.unrolled import Recording
from lstmtui.models.stock import parameters_of
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.trace import Array, array_key


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
        output: the model's output for each timestep, or None.
        d_output: its total derivative, or None.
    """
    arrays, layers = _recorded(module, runs)
    last = runs[-1]
    steps, batch = max(run.steps for run in runs), max(run.batch for run in runs)
    if output is not None:
        arrays["y"] = _time_first(output, last)
        arrays["dy"] = _time_first(torch.zeros_like(output) if d_output is None else d_output, last)
    arrays = {key: _padded(array, _extent_of(key, steps, batch)) for key, array in arrays.items()}
    if last.lengths is not None and (steps, batch) == (last.steps, last.batch):
        arrays["lengths"] = numpy_of(last.lengths)
    _add_parameters(arrays, module, gradients)
    parities = [run.parity for run in runs if run.parity is not None]
    header = Header(
        name=name,
        layers=tuple(layers),
        steps=steps,
        batch=batch,
        dtype=str(loss.dtype if output is None else output.dtype).removeprefix("torch."),
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
    paths = {id(m): path for path, m in reversed(list(module.named_modules()))}
    for run in runs:
        own = {id(p): n for n, p in parameters_of(run.module).items()}
        full = {n: _join(paths[id(run.module)], p) for p, n in _named(run.module, own)}
        for index in range(run.layout.num_layers):
            for direction in run.layout.directions:
                recording = run.recordings[index, direction]
                _add_recording(arrays, recording, len(layers), direction)
                for base, short in run.layout.names(index, direction).items():
                    parameter = recording.parameters[base]
                    gradient = recording.parameter_derivatives.get(base, torch.zeros_like(parameter))
                    _add_gradient(arrays, full[short], gradient)
            _total_input_derivative(arrays, len(layers), run.layout.directions)
            layers.append(_layer(run, index, full))
    return arrays, layers


def _extent_of(key: str, steps: int, batch: int) -> tuple[int, ...]:
    """The leading axes an array has in the trace: every run of a module has the same time and batch there."""
    if key.startswith("parameter_gradients/"):
        return ()
    return (batch,) if "/initial/" in key else (steps, batch)


def _padded(array: Array, leading: tuple[int, ...]) -> Array:
    """The array with zeros past the end of a shorter run, as past the end of a shorter sequence."""
    missing = [(0, size - have) for size, have in zip(leading, array.shape, strict=False)]
    if not any(after for _, after in missing):
        return array
    return np.pad(array, missing + [(0, 0)] * (array.ndim - len(missing)))


def _layer(run: ModuleRun, index: int, full: Mapping[str, str]) -> Layer:
    layout = run.layout
    names = {d: {b: full[n] for b, n in layout.names(index, d).items()} for d in layout.directions}
    return Layer(
        cell=layout.cell.name,
        input_size=layout.layer_input_size(index),
        hidden_size=layout.hidden_size,
        proj_size=layout.proj_size,
        bidirectional=layout.bidirectional,
        bias=layout.bias,
        path=run.path,
        index=index,
        parameters=names,
    )


def _add_recording(arrays: dict[str, Array], recording: Recording, layer: int, direction: str) -> None:
    """The arrays of one layer and direction, turned back into the order of time."""

    def put(quantity: str, tensor: Tensor) -> None:
        ordered = tensor.flip(0) if direction == "backward" else tensor
        arrays[array_key(quantity, layer, direction)] = numpy_of(ordered)

    for quantity, values in recording.values.items():
        put(quantity, values)
        # A layer that the loss does not depend on has no derivatives: they are 0.
        put("d" + quantity, recording.derivatives.get(quantity, torch.zeros_like(values)))
    for state in recording.cell.states:
        value = recording.initial[state]
        arrays[array_key("initial/" + state, layer, direction)] = numpy_of(value)
        derivative = recording.initial.get("d" + state, torch.zeros_like(value))
        arrays[array_key("initial/d" + state, layer, direction)] = numpy_of(derivative)


def _total_input_derivative(arrays: dict[str, Array], layer: int, directions: Sequence[str]) -> None:
    """x is read by both directions: its total derivative is the sum of what each of them gives."""
    keys = [array_key("dx", layer, direction) for direction in directions]
    total = sum((arrays[key] for key in keys[1:]), arrays[keys[0]])
    arrays.update(dict.fromkeys(keys, total))


def _add_gradient(arrays: dict[str, Array], name: str, gradient: Tensor) -> None:
    """A recurrent parameter's own gradient; a module called twice adds up."""
    key = "parameter_gradients/" + name
    arrays[key] = arrays[key] + numpy_of(gradient) if key in arrays else numpy_of(gradient)


def _add_parameters(arrays: dict[str, Array], module: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    for name, parameter in module.named_parameters():
        value = numpy_of(parameter)
        arrays["parameters/" + name] = value.copy()
        key = "parameter_gradients/" + name
        if name in gradients:
            arrays[key] = numpy_of(gradients[name])
        elif key not in arrays and parameter.requires_grad:
            arrays[key] = np.zeros_like(value)


def _named(module: nn.Module, names: Mapping[int, str]) -> list[tuple[str, str]]:
    """(the module's own parameter name, the layout's name) pairs."""
    return [(own, names[id(p)]) for own, p in module.named_parameters()]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _time_first(tensor: Tensor, run: ModuleRun) -> Array:
    if not run.batched:
        tensor = tensor.unsqueeze(1)
    return numpy_of(tensor.transpose(0, 1) if run.batch_first else tensor)


def numpy_of(tensor: Tensor) -> Array:
    """A CPU copy or view; half precision becomes float32, which holds it exactly."""
    tensor = tensor.detach()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    array: Array = tensor.cpu().contiguous().numpy()
    return array

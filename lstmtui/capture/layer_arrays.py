"""The arrays of each layer and direction: what it did, its parameters and the gradients by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.modules.wrapped import joined, named_modules, named_parameters
from lstmtui.capture.recording import Recording
from lstmtui.capture.stores.deferred_arrays import Entry, changed
from lstmtui.capture.to_numpy import numpy_of, own_array, zeros_of
from lstmtui.trace import Layer
from lstmtui.trace.keys import array_key


def layers_of(
    module: nn.Module, runs: Sequence[ModuleRun], gradients: Mapping[str, Tensor]
) -> tuple[dict[str, Entry], list[Layer]]:
    """What each layer and direction of each run did, and the gradients of their parameters."""
    arrays: dict[str, Entry] = {}
    layers: list[Layer] = []
    names_by_id = {id(p): name for name, p in named_parameters(module)}
    paths = {id(m): path for path, m in named_modules(module)}
    for run in runs:
        full = _full_names(run, paths[id(run.module)], names_by_id)
        for index in range(run.layout.num_layers):
            for direction in run.layout.directions:
                recording = run.recordings[index, direction]
                _add_recording(arrays, recording, len(layers), direction, derivatives=not run.absent)
                for base, short in run.layout.names(index, direction).items():
                    # One that is computed from others is none of the module's own parameters.
                    arrays["parameters/" + full[short]] = _parameter(recording, base)
                    if not run.absent and full[short] not in gradients:
                        _add_gradient(arrays, full[short], _gradient(recording, base))
            _total_input_derivative(arrays, len(layers), run.layout.directions)
            layer = Layer.of(run.layout, index, full, run.path, run.calls, run.absent)
            origins = {d: origin for d in layer.directions if (origin := run.origin(index, d)) is not None}
            until = max(run.recordings[index, d].parameters_until for d in layer.directions)
            layers.append(replace(layer, states_from=origins, parameters_until=until))
    return arrays, layers


def _full_names(run: ModuleRun, path: str, names_by_id: Mapping[int, str]) -> dict[str, str]:
    """The names of a run's parameters in the whole module, by the names of its layout.

    A parameter that two modules share has the name that `named_parameters` gives it.
    """
    end = "_l0" if isinstance(run.module, nn.RNNCellBase) else ""
    full_names = {short: joined(path, short.removesuffix(end)) for short in run.layout.shapes()}
    own = {name: id(p) for name, p in run.module.named_parameters(remove_duplicate=False)}
    return {
        short: names_by_id.get(own.get(short.removesuffix(end), 0), name)
        for short, name in full_names.items()
    }


def _parameter(recording: Recording, base: str) -> Array:
    """A copy, out of reach of the next step of an optimizer."""
    if recording.recomputed is not None:
        return recording.recomputed.parameters[base].array()
    return own_array(recording.parameters[base])


def _gradient(recording: Recording, base: str) -> Array:
    gradient = recording.parameter_derivatives.get(base)
    return zeros_of(recording.parameters[base]) if gradient is None else numpy_of(gradient)


def _add_recording(
    arrays: dict[str, Entry], recording: Recording, layer: int, direction: str, *, derivatives: bool
) -> None:
    """The arrays of one layer and direction, turned back into the order of time."""

    def put(quantity: str, entry: Entry) -> None:
        # A copy: tensors made of arrays cannot be views backwards.
        ordered = changed(lambda a: a[::-1].copy(), entry) if direction == "backward" else entry
        arrays[array_key(quantity, layer, direction)] = ordered

    for state, values in recording.before().items():
        put("before/" + state, numpy_of(values))
    recomputed = recording.recomputed
    for quantity in ("x", *recording.cell.quantities) if recomputed is not None else ():
        assert recomputed is not None
        to_come, d_to_come = (
            cache(partial(_array_of, look, quantity)) for look in (recomputed.values, recomputed.derivatives)
        )
        put(quantity, to_come)
        if derivatives:
            # Those of a layer that is in the graph, and that the loss does not depend on, are 0.
            put("d" + quantity, d_to_come if recomputed.is_reached else changed(np.zeros_like, to_come))
    for quantity in list(recording.values):
        # Taken out of the recording, so that no two copies of everything are there at the same time.
        values, derivative = recording.values.pop(quantity), recording.derivatives.pop(quantity, None)
        put(quantity, numpy_of(values))
        if derivatives:
            put("d" + quantity, zeros_of(values) if derivative is None else numpy_of(derivative))
    if derivatives and recording.reads is not None:
        put("reads", recording.reads.array())
    for state in recording.cell.states:
        value, d_value = recording.initial[state], recording.initial.get("d" + state)
        arrays[array_key("initial/" + state, layer, direction)] = own_array(value)
        if derivatives:
            zeros_or = zeros_of(value) if d_value is None else numpy_of(d_value)
            arrays[array_key("initial/d" + state, layer, direction)] = zeros_or


def _total_input_derivative(arrays: dict[str, Entry], layer: int, directions: Sequence[str]) -> None:
    """x is read by both directions: its total derivative is the sum of what each of them gives."""
    keys = [array_key("dx", layer, direction) for direction in directions]
    if keys[0] in arrays and len(keys) > 1:
        total = changed(_sum, *(arrays[key] for key in keys))
        arrays.update(dict.fromkeys(keys, total))


def _add_gradient(arrays: dict[str, Entry], name: str, gradient: Array) -> None:
    """Add the gradient of a recurrent parameter; those of a module that was called twice add up."""
    key = "parameter_gradients/" + name
    arrays[key] = changed(_sum, arrays[key], gradient) if key in arrays else gradient


def _sum(left: Array, right: Array) -> Array:
    """The sum of two gradients; where a run diverged it may be of inf and −inf, of which numpy would warn."""
    with np.errstate(all="ignore"):
        return np.asarray(left + right)


def _array_of(look: Callable[[str], Tensor], quantity: str) -> Array:
    return numpy_of(look(quantity))

"""initial = …: the states before the first timestep, for every layer and direction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.closest import closest
from lstmtui.scenario.lines import Location
from lstmtui.scenario.numbers.data import file_kind
from lstmtui.scenario.numbers.nested_lists import to_array
from lstmtui.scenario.numbers.tensors import FLOATS, TensorFile
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import DataError, Report

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.cells.layout import Layout


def read_initial(
    raw: Any, layout: Layout | None, batch: int | None, folder: Path, place: Location, report: Report
) -> dict[str, Array]:
    """Read the initial states, each as (num_layers · directions, batch, size).

    A state may be given without the batch, (num_layers · directions, size), or for all layers at once,
    (size,).

    Args:
        raw: a .safetensors file's name, or a table of nested lists; the states are h0, c0 …
        layout: the model's sizes; None where they are not known.
        batch: the number of sequences; None where it is not known.
        folder: what a file's name is relative to.
        place: of the key in the scenario.
        report: gets every problem.
    """
    if raw is None:
        return {}
    states = {} if layout is None else {state + "0": state for state in layout.cell.states}
    if isinstance(raw, str):
        arrays = _from_file(raw, states or ("h0", "c0"), folder, place, report)
    else:
        arrays = _inline(raw, place, report)
    if layout is None or batch is None:
        return {}
    initial = {}
    for name, array in arrays.items():
        inside = (*place, name) if isinstance(raw, Mapping) else place
        if name not in states:
            wrong = f"{layout.cell.name} has no state {shown(name)}"
            report.add(inside, wrong, one_of(states), closest(name, states))
            continue
        try:
            initial[name] = spread(array, layout, states[name], batch)
        except DataError as error:
            report.add(inside, f"{name} {error.wrong}", error.allowed)
    return initial


def _from_file(
    file: str, states: Collection[str], folder: Path, place: Location, report: Report
) -> dict[str, Array]:
    try:
        file_kind(file, (".safetensors",))
        stored = TensorFile(folder / file)
        for name, tensor in stored.tensors.items():
            if tensor.dtype not in FLOATS:
                raise DataError(f"{shown(name)} is of dtype {tensor.dtype}", f"allowed: {', '.join(FLOATS)}")
        return {name: stored.read(name) for name in stored.tensors if name in states} | {
            name: np.zeros(0) for name in list(stored.tensors)[:10] if name not in states
        }
    except DataError as error:
        report.add_error(place, error)
        return {}


def _inline(raw: Any, place: Location, report: Report) -> dict[str, Array]:
    if not isinstance(raw, Mapping):
        report.add(place, f"is {shown(raw)}", "allowed: a .safetensors file, or { h0 = …, c0 = … }")
        return {}
    arrays = {}
    for name, value in raw.items():
        try:
            arrays[name] = to_array(value)
        except DataError as error:
            report.add_error((*place, name), error)
    return arrays


def spread(array: Array, layout: Layout, state: str, batch: int) -> Array:
    """One state for every layer, direction and sequence: (num_layers · directions, batch, size).

    Raises:
        DataError: it has none of the shapes that can be spread so.
    """
    count, size = layout.num_layers * len(layout.directions), layout.state_size(state)
    full = (count, batch, size)
    if array.shape == (count, size):
        array = array[:, None, :]
    elif array.shape not in ((size,), (count, 1, size), full):
        allowed = f"allowed: {full}, {(count, size)} or {(size,)}"
        raise DataError(f"has shape {array.shape}", allowed)
    return np.broadcast_to(array, full).copy()

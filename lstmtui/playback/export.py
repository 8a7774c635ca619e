"""The numbers of a run as files for other programs: tables and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace.exported_names import exported_names
from lstmtui.trace.keys import array_key
from lstmtui.view import View

_BLOCK = 4096
"""Timesteps that are written at once."""
_ARGUMENTS = {"file", "allow_pickle"}
"""What an array cannot be called: numpy's own arguments are."""


def export(view: View, name: str, file: BinaryIO) -> None:
    """Write what is selected in the format that the file name ends in.

    .csv: a row for each t of the selected sequence; of every quantity of the selected layer and direction
    the norm over units, and the selected unit where there is one of that number: `t`, `norm(f)`, `f[3]`, ….
    It is UTF-8.

    .npz: every quantity of the selected layer and direction, (T, B, units) by its name; `initial_h` and the
    like, (B, units); `lengths`, (B,); `loss`. Of recorded code a quantity has the axes that it has there, and
    `bound_NAME`, (T,), is False where a timestep does not bind it. A name that means something else here, as
    `lengths`, has an underscore behind it.

    Args:
        view: whose cursor says what is selected.
        name: ends in .csv or .npz.
        file: open for writing.
    """
    if view.backend is not None:
        view.backend.export(view, name, file)
        return
    if name.lower().endswith(".npz"):
        # savez puts one fixed date on everything, so the same run gives the same bytes.
        np.savez(file, **_arrays(view))  # type: ignore[arg-type]
        return
    for line in _rows(view):
        file.write(line.encode() + b"\n")


def _arrays(view: View) -> dict[str, Array]:
    trace, cursor = view.trace, view.cursor
    place = (cursor.layer, cursor.direction)
    beside = {"lengths": np.asarray(trace.lengths), "loss": np.array(trace.loss)}
    for name in view.layer.quantities:
        bound = trace.arrays.get(array_key("bound/" + name, *place))
        if bound is not None:
            beside[f"bound_{name}"] = np.asarray(bound)
    for state in trace.initial_states(*place):
        beside[f"initial_{state}"] = np.asarray(trace.initial(state, *place))
    names = exported_names(trace.quantities(cursor.layer), {*beside, *_ARGUMENTS})
    return {name: _shaped(view, quantity) for quantity, name in names.items()} | beside


def _shaped(view: View, name: str) -> Array:
    """A quantity over time, with the axes of its own behind the batch."""
    values = np.asarray(view.trace.values(name, view.cursor.layer, view.cursor.direction))
    return values.reshape(*values.shape[:2], *(view.layer.shape(name) or values.shape[2:]))


def _rows(view: View) -> Iterator[str]:
    columns = _columns(view)
    yield ",".join(["t", *columns])
    steps = view.last_t + 1
    for start in range(0, steps, _BLOCK):
        stop = min(start + _BLOCK, steps)
        texts = [[str(v) for v in column[start:stop]] for column in columns.values()]
        for row in zip(map(str, range(start, stop)), *texts, strict=True):
            yield ",".join(row)


def _unit(view: View, units: int) -> int | None:
    """The selected unit; of recorded code also the only one, as its norm has no sign; None: there is none."""
    if view.layer.source is not None and units == 1:
        return 0
    return view.cursor.unit if view.cursor.unit < units else None


def _columns(view: View) -> dict[str, Array]:
    """By heading: (T,) arrays; numpy writes each number with as many digits as its type has."""
    trace, cursor = view.trace, view.cursor
    columns: dict[str, Array] = {}
    for name in trace.quantities(cursor.layer):
        values = trace.values(name, cursor.layer, cursor.direction)
        columns[f"norm({name})"] = trace.norms(name, cursor.layer, cursor.direction)[:, cursor.batch]
        unit = _unit(view, values.shape[2])
        if unit is not None:
            columns[f"{name}[{unit}]"] = values[:, cursor.batch, unit]
    return columns

"""Traces on disk: a directory of `.npy` files and one `trace.json` that names them.

`trace.json` is replaced in one step after everything it names is on disk, so a crash leaves either the
old trace or the new one. Reading maps the arrays into memory when they are looked at.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.trace.directory import TraceDirectory
from lstmtui.trace.header import Header
from lstmtui.trace.keys import EXTENT
from lstmtui.trace.lazy_arrays import LazyArrays
from lstmtui.trace.lease import Lease
from lstmtui.trace.manifest import LIVE, MANIFEST, marks_of, read_header, read_manifest
from lstmtui.trace.trace import Trace
from lstmtui.trace.traces import Traces
from lstmtui.trace.validation import shape_problems
from lstmtui.trace.writing import TraceWriter


def save(trace: Trace | Traces, path: str | Path) -> None:
    """Write one trace or several to the directory `path`, replacing a trace that is there.

    Raises:
        UserError: `path` exists and is not a trace, somebody else is writing there, or it cannot be written.
    """
    models = trace if isinstance(trace, Traces) else {trace.name: trace}
    with TraceDirectory(path, several=isinstance(trace, Traces)) as directory:
        for name, model in models.items():
            write_trace(directory, name, model)
        directory.finish()


def write_trace(directory: TraceDirectory, name: str, trace: Trace) -> Trace:
    """Write the trace of one model to a directory, and return it as it is stored there."""
    writer = TraceWriter(directory, name)
    for key in trace.arrays:
        array = np.asanyarray(trace.arrays[key])
        writer.array(key, array.shape, array.dtype).write_all(array)
    return writer.finish(trace.header)


def load(path: str | Path) -> Trace | Traces:
    """Open what `save` wrote: one Trace, or the Traces of several models. Arrays are read when they are used.

    If the trace is still being recorded, it has the timesteps that are complete; its header says how many
    there will be, and its derivatives come at the end.

    Raises:
        UserError: there is no trace at `path`, it is damaged, or a newer lstmtui wrote it.
    """
    target = Path(path)
    while True:
        marks = marks_of(target)
        try:
            manifest, alive = read_manifest(target)
            return traces_of(target, manifest, alive=alive)
        except UserError:
            if marks_of(target) == marks:
                raise  # It is damaged; where the marks differ, it was replaced while it was read.


def traces_of(target: Path, manifest: dict[str, Any], *, alive: bool) -> Trace | Traces:
    """The traces that a manifest names.

    Args:
        target: the directory of the trace.
        manifest: as `read_manifest` gives it.
        alive: whether it is still being written.

    Raises:
        UserError: it is damaged.
    """
    try:
        lease = Lease(target, manifest["data"])
    except OSError as error:
        raise UserError(f"{target / manifest['data']}: damaged: {error.strerror}") from None
    traces = Traces()
    for i, model in enumerate(manifest["models"]):
        header = read_header(model.get("header"), target)
        problems = shape_problems(header, model["arrays"])
        if problems:
            raise UserError(f"{target / MANIFEST}: damaged: " + "; ".join(problems[:5]))
        folder = target / manifest["data"] / str(i)
        arrays = LazyArrays(folder, model["arrays"], growing=bool(header.live), lease=lease)
        if header.live:
            header = replace(header, absent=_absent(header, alive=alive))
            arrays.put(_of_a_part(header, arrays, model.get("extents"), target))
        traces[model["name"]] = Trace(header, arrays)
    return traces if manifest["several"] else next(iter(traces.values()))


def is_trace(path: str | Path) -> bool:
    """Whether `path` is a directory with a trace in it, complete or being recorded."""
    return (Path(path) / MANIFEST).is_file() or (Path(path) / LIVE).is_file()


def _absent(header: Header, *, alive: bool) -> str:
    """Why there are no derivatives."""
    if alive:
        return "it is still being recorded; derivatives come at its end"
    return (
        f"its recording stopped at t={header.steps - 1} of {header.live - 1}, before there were derivatives"
    )


def _of_a_part(header: Header, arrays: LazyArrays, extents: Any, target: Path) -> dict[str, Array]:
    """A trace that is being recorded, as far as its manifest says, or cut off there."""
    made: dict[str, Array] = {}
    try:
        for key, extent in (extents or {}).items():
            made[EXTENT + key] = np.array([float(value) for value in extent]).reshape(3)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{target / LIVE}: damaged: {error}") from error
    for key in ("lengths", *(f"{layer}/lengths" for layer in range(len(header.layers)))):
        if key in arrays:
            made[key] = np.minimum(arrays[key], header.steps)
    return made

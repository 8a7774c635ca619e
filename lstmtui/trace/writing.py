"""Writing the trace of one model as it is recorded."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmtui.arrays import Array
from lstmtui.trace.array_file import ArrayFile
from lstmtui.trace.directory import TraceDirectory
from lstmtui.trace.header import Header
from lstmtui.trace.keys import EXTENT, NORMS, array_key
from lstmtui.trace.lazy_arrays import LazyArrays, file_of
from lstmtui.trace.manifest import header_entry
from lstmtui.trace.summaries import has_extent, has_norms
from lstmtui.trace.trace import Trace


class TraceWriter:
    """The arrays of one model, written block by block while they are recorded.

    The summaries of a trace (norms, extents) are kept up as blocks are written, so that nothing is read
    again at the end. Use it in a `with` block: an exception, such as `lstmtui.Cancelled`, removes what was
    written and leaves an older trace at the same path alone.

    Args:
        place: the path of a trace of one model, or the directory that several models are written to.
        name: the model's name; left out: the one its header has.

    Raises:
        UserError: the path exists and is not a trace, or cannot be written.
    """

    def __init__(self, place: str | Path | TraceDirectory, name: str = "") -> None:
        self._alone = not isinstance(place, TraceDirectory)
        self.directory = place if isinstance(place, TraceDirectory) else TraceDirectory(place, several=False)
        self._name = name
        self._folder = self.directory.add(self)
        self._arrays: dict[str, ArrayFile] = {}
        self._whole: set[str] = set()
        self._header: Header | None = None
        self._finished = False

    def array(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> ArrayFile:
        """A new array of the trace, such as "0/forward/h", to be filled in any order along axis 0.

        What is never written is 0. It takes the place of an array that had this key.
        """
        norms = None
        if has_norms(key):
            norms = self._arrays[NORMS + key] = self._file(NORMS + key, shape[:-1], np.float64)
        file = self._arrays[key] = self._file(key, shape, dtype, norms)
        return file

    def remove(self, key: str) -> None:
        """Take an array out of the trace again."""
        for name in (key, NORMS + key):
            if name in self._arrays:
                self._arrays.pop(name).file.unlink(missing_ok=True)

    def describe(self, header: Header, arrays: Mapping[str, Array] | None = None) -> None:
        """Write the header of a recording, so that it can be opened while it grows.

        Args:
            header: with the T and the layers of the whole run; what is not known yet is left out.
            arrays: what is known from the start, whole: parameters, initial states, lengths, tokens, mask.
        """
        self._header = header
        self._write_whole(arrays or {})

    @property
    def whole(self) -> dict[str, Array]:
        """The arrays that were given whole, as copies."""
        return {k: self._arrays[k].read_all() for k in self._whole if not k.startswith(EXTENT)}

    def advance(self, steps: int) -> None:
        """Mark so many timesteps as complete; readers see them every half second.

        How far each array has come is known from its blocks: what readers see is the timesteps that every
        value of the first layer has, and the other layers once they have all of those too.
        """
        if self._header is not None and steps > 0:
            self.directory.publish()

    def finish(self, header: Header, arrays: Mapping[str, Array] | None = None) -> Trace:
        """Write what is still missing, complete the trace, and return it as `load` would.

        A trace of one model is then in its place on disk. Of several, the directory's `finish` does that;
        until then this may be called again, with another header and other arrays in place of those given.

        Args:
            header: of the whole trace.
            arrays: the arrays that were not written with `array`, such as the parameters.
        """
        self._header, self._finished = header, True
        self._write_whole(arrays or {})
        for key, file in list(self._arrays.items()):
            if file.extent is not None and EXTENT + key not in self._arrays:
                self._whole.add(EXTENT + key)
                self._arrays[EXTENT + key] = self._file(EXTENT + key, (3,), np.float64)
                self._arrays[EXTENT + key].write_all(file.extent)
        if self._alone:
            self.directory.finish()
        return Trace(header, LazyArrays(self._folder, self._entries(header.steps, header.steps)))

    def abandon(self) -> None:
        """Remove what was written; does nothing once it is finished."""
        self.directory.abandon()

    def files(self) -> Iterable[ArrayFile]:
        """Every array."""
        return self._arrays.values()

    def entry(self) -> dict[str, Any] | None:
        """What the manifest says of this model, or None where there is nothing to show so far."""
        header = self._header
        if header is None:
            return None
        shown = header if self._finished else self._growing(header)
        if not shown.steps:
            return None
        entry = {"name": self._name or header.name, "header": header_entry(shown)}
        if self._finished:
            return entry | {"arrays": self._entries(header.steps, header.steps)}
        entries = self._entries(shown.steps, header.steps)
        kept = {k: v for k, v in entries.items() if not is_derivative(k, self._arrays)}
        extents = {k: e.tolist() for k in kept if (e := self._arrays[k].extent) is not None}
        return entry | {"arrays": kept, "extents": extents}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def _growing(self, header: Header) -> Header:
        """The header of what is there so far: the layers that have as many timesteps as the first."""
        done = [self._steps_of(index, header) for index in range(len(header.layers))]
        later = [index for index, steps in enumerate(done) if steps < done[0]]
        layers = header.layers[: min(later, default=len(done))]
        return replace(header, steps=done[0], live=header.steps, layers=layers)

    def _steps_of(self, index: int, header: Header) -> int:
        """How many timesteps every value of a layer has."""
        layer = header.layers[index]
        keys = (array_key(name, index, way) for name in layer.quantities for way in layer.directions)
        files = [self._arrays.get(key) for key in keys]
        return min(0 if file is None else file.complete for file in files)

    def _entries(self, steps: int, whole: int) -> dict[str, Any]:
        """The arrays that reach as far as `steps`, cut there where they have an entry for each timestep."""
        entries = {}
        for key, file in self._arrays.items():
            shape = list(file.shape)
            if steps < whole and shape and shape[0] == whole and _grows(key):
                shape[0] = steps
            if self._finished or not shape or file.complete >= shape[0]:
                entries[key] = {"shape": shape, "dtype": file.dtype.str}
        return entries

    def _write_whole(self, arrays: Mapping[str, Array]) -> None:
        """Write arrays given whole, in the place of those given before."""
        for key in [key for key in self._whole if key not in arrays]:
            self._arrays.pop(key).file.unlink()
        for key in arrays:
            array = np.asanyarray(arrays[key])
            self._arrays[key] = file = self._file(key, array.shape, array.dtype)
            file.write_all(array)
        self._whole = set(arrays)

    def _file(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, norms: ArrayFile | None = None
    ) -> ArrayFile:
        extent = has_extent(key) and np.dtype(dtype).kind in "biuf"
        return ArrayFile(self._folder / file_of(key), shape, dtype, extent=extent, norms=norms)


def is_derivative(key: str, keys: Container[str]) -> bool:
    """Whether an array is known only once the run has gone back through time.

    Args:
        key: its own.
        keys: of all arrays: `delta` is a quantity of its own, and dh the derivative of h.
    """
    before, slash, name = key.rpartition("/")
    is_of_quantity = name.startswith("d") and before + slash + name[1:] in keys
    return key.startswith("parameter_gradients/") or is_of_quantity


def _grows(key: str) -> bool:
    """Whether axis 0 of an array is time; a parameter or an initial state may happen to be as long."""
    return (
        not key.startswith("parameter")
        and "initial/" not in key
        and "/once/" not in key
        and not re.fullmatch(r"(\d+/)?lengths", key)
        and key not in ("shift", "scale")
    )

"""Traces on disk: a directory of `.npy` files and one `trace.json` that names them.

`trace.json` is replaced in one step after everything it names is on disk, so a crash leaves either the
old trace or the new one. Reading maps the arrays into memory when they are looked at.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from lstmtui.errors import UserError
from lstmtui.trace.header import SCHEMA, Header
from lstmtui.trace.trace import Array, Trace
from lstmtui.trace.traces import Traces

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MANIFEST = "trace.json"
_DRAFT = "trace.json.new"
_FORMAT = "lstmtui-trace"
_DATA = re.compile(r"data-[0-9a-f]{12}")
_LARGEST_MANIFEST = 64 * 2**20


def save(trace: Trace | Traces, path: str | Path) -> None:
    """Write one trace or several to the directory `path`, replacing a trace that is there.

    Raises:
        UserError: `path` exists and is not a trace, or cannot be written.
    """
    target = Path(path)
    if target.exists() and not _is_replaceable(target):
        raise UserError(f"{target}: exists and is not a trace; choose another path")
    models = trace if isinstance(trace, Traces) else {trace.name: trace}
    data = f"data-{secrets.token_hex(6)}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        written = [
            {"name": name, **_write_model(model, target / data / str(i))}
            for i, (name, model) in enumerate(models.items())
        ]
        manifest = {
            "format": _FORMAT,
            "schema": SCHEMA,
            "several": isinstance(trace, Traces),
            "data": data,
            "models": written,
        }
        _replace(target / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=True))
    except OSError as error:
        shutil.rmtree(target / data, ignore_errors=True)
        raise UserError(f"{target}: cannot write the trace: {error.strerror}") from error
    for old in target.iterdir():
        if _DATA.fullmatch(old.name) and old.name != data:
            shutil.rmtree(old, ignore_errors=True)


def load(path: str | Path) -> Trace | Traces:
    """Open what `save` wrote: one Trace, or the Traces of several models. Arrays are read when used.

    Raises:
        UserError: there is no trace at `path`, it is damaged, or a newer lstmtui wrote it.
    """
    target = Path(path)
    manifest = _read_manifest(target)
    traces = Traces()
    for i, model in enumerate(manifest["models"]):
        arrays = _LazyArrays(target / manifest["data"] / str(i), model["arrays"], target)
        traces[model["name"]] = Trace(_header(model.get("header"), target), arrays)
    return traces if manifest["several"] else next(iter(traces.values()))


def is_trace(path: str | Path) -> bool:
    """Whether `path` is a directory with a trace in it."""
    return (Path(path) / MANIFEST).is_file()


def _is_replaceable(target: Path) -> bool:
    """A trace, an empty directory, or what a crash left of the first save there."""
    if not target.is_dir() or is_trace(target):
        return target.is_dir()
    return all(_DATA.fullmatch(p.name) or p.name == _DRAFT for p in target.iterdir())


def _write_model(trace: Trace, folder: Path) -> dict[str, Any]:
    arrays = {}
    everything = {**trace.arrays, **trace.summaries()}
    for key in everything:
        file = folder / _file_of(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        array = np.ascontiguousarray(everything[key])
        with file.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        arrays[key] = {"shape": list(array.shape), "dtype": array.dtype.str}
    header = asdict(trace.header)
    header["loss"] = repr(trace.header.loss)
    header["parity"] = None if trace.header.parity is None else repr(trace.header.parity)
    return {"header": header, "arrays": arrays}


def _replace(file: Path, text: str) -> None:
    draft = file.with_name(_DRAFT)
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def _read_manifest(target: Path) -> dict[str, Any]:
    file = target / MANIFEST
    if not file.is_file():
        raise UserError(f"{target}: not a trace: there is no {MANIFEST} in it")
    try:
        if file.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError("it is too large")
        manifest = json.loads(file.read_text(encoding="utf-8"))
        if manifest["format"] != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        schema = manifest["schema"]
        if not _models_fit(manifest["models"]) or not _DATA.fullmatch(manifest["data"]):
            raise ValueError("its list of models is damaged")
        manifest["several"] = bool(manifest["several"])
        if not isinstance(schema, int):
            raise ValueError("its schema is not a number")
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise UserError(f"{file}: damaged: {error}") from error
    if schema > SCHEMA:
        raise UserError(f"{file}: written by a newer lstmtui (schema {schema}; this one reads {SCHEMA})")
    return manifest  # type: ignore[no-any-return]


def _models_fit(models: Any) -> bool:
    """Whether there are models, each with arrays and a name of its own."""
    if not isinstance(models, list) or not all(isinstance(m["arrays"], dict) for m in models):
        return False
    names = [m["name"] for m in models]
    return bool(names) and all(isinstance(n, str) for n in names) and len(set(names)) == len(names)


def _file_of(key: str) -> str:
    """The path of an array below the folder of its model; a parameter's name may hold any character."""
    kind, _, name = key.partition("/")
    if kind in ("parameters", "parameter_gradients"):
        return f"{kind}/{quote(name, safe='')}.npy"
    return quote(key, safe="/") + ".npy"


def _header(data: Any, target: Path) -> Header:
    from pydantic import ValidationError

    try:
        header: Header = _header_type().validate_python(data)
        for layer in header.layers:
            _ = layer.layout
    except (ValidationError, KeyError) as error:
        raise UserError(f"{target / MANIFEST}: damaged header: {str(error).splitlines()[0]}") from error
    return header


@cache
def _header_type() -> TypeAdapter[Header]:
    from pydantic import TypeAdapter

    return TypeAdapter(Header)


class _LazyArrays(Mapping[str, Array]):
    """The arrays of one model, each mapped into memory when first asked for."""

    def __init__(self, folder: Path, known: dict[str, Any], target: Path) -> None:
        bad = [key for key in known if {"", ".", ".."} & set(_file_of(key).split("/"))]
        if bad:
            raise UserError(f"{target / MANIFEST}: damaged: an array is named {bad[0]!r}")
        self._folder, self._known, self._open = folder, known, dict[str, Array]()

    def __getitem__(self, key: str) -> Array:
        if key not in self._open:
            self._open[key] = self._map(key, self._known[key])
        return self._open[key]

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _map(self, key: str, expected: Any) -> Array:
        file = self._folder / _file_of(key)
        try:
            array = _open(file, empty=0 in expected["shape"])
            fits = list(array.shape) == expected["shape"] and array.dtype.str == expected["dtype"]
            if not fits or array.dtype.kind not in "biuf":
                raise ValueError(f"it holds {array.dtype} {array.shape}, not what {MANIFEST} says")
        except (OSError, ValueError, KeyError, TypeError, EOFError, OverflowError) as error:
            raise UserError(f"{file}: damaged: {error}") from error
        return array


def _open(file: Path, *, empty: bool) -> Array:
    """An array of a `.npy` file, mapped into memory unless there is nothing to map."""
    if not empty:
        return np.lib.format.open_memmap(file, mode="r")
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)

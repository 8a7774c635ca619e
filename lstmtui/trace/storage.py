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
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.trace.header import SCHEMA, Header
from lstmtui.trace.lazy_arrays import LazyArrays, file_of
from lstmtui.trace.trace import Trace
from lstmtui.trace.traces import Traces
from lstmtui.trace.validation import shape_problems

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
        header = _header(model.get("header"), target)
        problems = shape_problems(header, model["arrays"])
        if problems:
            raise UserError(f"{target / MANIFEST}: damaged: " + "; ".join(problems[:5]))
        arrays = LazyArrays(target / manifest["data"] / str(i), model["arrays"])
        traces[model["name"]] = Trace(header, arrays)
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
        file = folder / file_of(key)
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
    except KeyError as error:
        raise UserError(f"{file}: damaged: it does not say its {error}") from error
    except (ValueError, TypeError, RecursionError, OSError) as error:
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

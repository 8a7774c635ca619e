"""The JSON that names the arrays of a trace: `trace.json`, and `live.json` while one is being recorded."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.atomic_write import write_atomically
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace.claim import CLAIM
from lstmtui.trace.file_lock import is_held
from lstmtui.trace.header import SCHEMA, Header
from lstmtui.version import __version__
from lstmtui.wording import first_line, first_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MANIFEST = "trace.json"
LIVE = "live.json"
DATA = re.compile(r"data-[0-9a-f]{12}")
LOCK = "writer.lock"
"""In the folder of the data, held by the process that writes it."""
Mark = tuple[int, int]
"""(inode, time) of a manifest."""
_FORMAT = "lstmtui-trace"
_LARGEST_MANIFEST = 64 * 2**20
_MOST_NAMED = 5


def write_manifest(file: Path, data: str, models: list[dict[str, Any]], *, several: bool) -> None:
    """Put a manifest in place in one step: a reader sees the old one or the new one."""
    manifest = {
        "format": _FORMAT,
        "schema": SCHEMA,
        "lstmtui": __version__,
        "several": several,
        "data": data,
        "models": models,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=True).encode("ascii")
    draft = file.with_name(file.name + ".new")
    write_atomically(file, lambda stream: stream.write(text), draft=draft, durable=True)


def header_entry(header: Header) -> dict[str, Any]:
    """A header as it stands in a manifest."""
    entry = asdict(header)
    entry["loss"] = repr(header.loss)
    entry["parity"] = None if header.parity is None else repr(header.parity)
    return entry


def is_of_trace(name: str) -> bool:
    """Whether a file of this name belongs to a trace, or is what a crash left of one."""
    return DATA.fullmatch(name) is not None or name.removesuffix(".new") in (MANIFEST, LIVE, CLAIM)


def mark_of(file: Path) -> Mark | None:
    """A mark that changes when a manifest is replaced; None if there is no manifest."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns


def marks_of(target: Path) -> tuple[Mark | None, ...]:
    """The marks of both manifests of the trace at `target`."""
    return tuple(mark_of(target / name) for name in (LIVE, MANIFEST))


def is_written(data: Path) -> bool:
    """Whether a living process is writing the data in this folder."""
    return is_held(data / LOCK)


def names_data(file: Path, data: str) -> bool:
    """Whether there is a manifest and its arrays lie in this folder."""
    try:
        return bool(json.loads(file.read_text(encoding="utf-8"))["data"] == data)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_manifest(target: Path) -> tuple[dict[str, Any], bool]:
    """The manifest of the trace at `target`, and whether a living process is still writing it.

    A recording that is going on comes before a trace that is complete, and one that was cut short comes
    after it.

    Raises:
        UserError: there is no trace, it is damaged, or a newer lstmtui wrote it.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        manifest = _read(target / LIVE)
        alive = is_written(target / manifest["data"])
        if alive or not (target / MANIFEST).is_file():
            return manifest, alive
    try:
        return _read(target / MANIFEST), False
    except (FileNotFoundError, NotADirectoryError):
        is_there = target.exists() or target.is_symlink()
        missing = f"{MANIFEST} in it" if is_there else "such file or directory"
        raise UserError(f"{target}: not a trace: there is no {missing}{_traces_below(target)}") from None


def _traces_below(folder: Path) -> str:
    """What to open instead of a folder that holds traces; empty where it holds none."""
    try:
        paths = sorted(path for path in folder.iterdir() if any(marks_of(path)))
    except OSError:
        return ""
    places = [printable(str(path)) for path in paths]
    return f"; traces are {first_of(places, _MOST_NAMED)}" if places else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError("it is too large")
        manifest = json.loads(file.read_text(encoding="utf-8"))
        if manifest["format"] != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        schema = manifest["schema"]
        if not _models_fit(manifest["models"]) or not DATA.fullmatch(manifest["data"]):
            raise ValueError("its list of models is damaged")
        manifest["several"] = bool(manifest["several"])
        if not isinstance(schema, int):
            raise ValueError("its schema is not a number")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except KeyError as error:
        raise UserError(f"{file}: damaged: it does not say its {error}") from error
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise UserError(f"{file}: damaged: {error}") from error
    if schema > SCHEMA:
        writer = printable(str(manifest.get("lstmtui", ""))[:20])
        newer = "a newer lstmtui" + (f", {writer}" if writer else "")
        raise UserError(f"{file}: written by {newer} (schema {schema}; this one reads {SCHEMA})")
    return manifest  # type: ignore[no-any-return]


def _models_fit(models: Any) -> bool:
    """Whether there are models, each with arrays and a name of its own."""
    if not isinstance(models, list) or not all(isinstance(m["arrays"], dict) for m in models):
        return False
    names = [m["name"] for m in models]
    return bool(names) and all(isinstance(n, str) for n in names) and len(set(names)) == len(names)


def read_header(data: Any, target: Path) -> Header:
    """The header in a manifest, checked.

    Raises:
        UserError: it is damaged.
    """
    from pydantic import ValidationError

    try:
        header: Header = _header_type().validate_python(data)
        for layer in header.layers:
            _ = layer.layout
    except (ValidationError, KeyError, UserError) as error:
        why = printable(first_line(error))
        raise UserError(f"{target / MANIFEST}: damaged header: {why}") from error
    return header


@cache
def _header_type() -> TypeAdapter[Header]:
    from pydantic import TypeAdapter

    return TypeAdapter(Header)

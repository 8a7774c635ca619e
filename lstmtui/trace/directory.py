"""The directory of a trace while it is being written: its data, its lock, and when its manifests appear."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

from lstmtui.errors import UserError
from lstmtui.trace.array_file import ArrayFile, as_user_errors
from lstmtui.trace.claim import Claim
from lstmtui.trace.file_lock import beat, hold
from lstmtui.trace.lease import remove_unread
from lstmtui.trace.manifest import (
    DATA,
    LIVE,
    LOCK,
    MANIFEST,
    is_of_trace,
    is_written,
    names_data,
    write_manifest,
)

BETWEEN = 0.5
"""Seconds between two manifests of a recording that is going on."""
_TRIES = 100


class ModelWriter(Protocol):
    """One model of the trace."""

    def files(self) -> Iterable[ArrayFile]:
        """Every array."""

    def entry(self) -> dict[str, Any] | None:
        """What the manifest says of it, or None where there is nothing to show so far."""


class TraceDirectory:
    """A directory in which one trace, or those of several models, are written beside what is there.

    A trace that is there stays as it is until `finish` replaces it in one step. What is recorded so far
    stands in `live.json`, which readers prefer as long as the writer lives; where there is no other trace
    they open it after that too, up to where the writer was killed. `abandon`, which an exception in the
    `with` block calls, leaves nothing behind. Until one of the two nobody else can write there, and what
    somebody still reads of the older trace stays until they are done.

    Args:
        path: where; a trace that is there is replaced.
        several: whether `load` gives back several models by name, or one trace.

    Raises:
        BusyError: somebody else is writing there.
        UserError: `path` exists and is not a trace, or cannot be written.
    """

    def __init__(self, path: str | Path, *, several: bool) -> None:
        self.target = Path(path)
        check_replaceable(self.target)
        self._several = several
        self._data = f"data-{secrets.token_hex(6)}"
        self._is_new = not self.target.exists()
        self._models: list[ModelWriter] = []
        self._published = 0.0
        self._shown: list[dict[str, Any]] = []
        with as_user_errors(self.target):
            self._claim = _claim(self.target)
            try:
                (self.target / self._data).mkdir()
                self._lock = hold(self.target / self._data / LOCK)
            except BaseException:
                self._remove()
                raise

    def add(self, model: ModelWriter) -> Path:
        """The folder for the arrays of one more model."""
        self._models.append(model)
        return self.target / self._data / str(len(self._models) - 1)

    def publish(self) -> None:
        """Show what there is so far, at most every half second."""
        now = time.monotonic()
        if now - self._published < BETWEEN or self._lock.closed:
            return
        entries = [entry for model in self._models if (entry := model.entry()) is not None]
        with as_user_errors(self.target):
            beat(self._lock)
            if entries and entries != self._shown:
                write_manifest(self.target / LIVE, self._data, entries, several=self._several)
                self._shown = entries
        self._published = now

    def finish(self) -> None:
        """Put the trace in the place of what was there, once all of it is on disk."""
        entries = [entry for model in self._models if (entry := model.entry()) is not None]
        with as_user_errors(self.target):
            for model in self._models:
                for file in model.files():
                    file.flush()
            write_manifest(self.target / MANIFEST, self._data, entries, several=self._several)
            self._lock.close()
            (self.target / self._data / LOCK).unlink()
            (self.target / LIVE).unlink(missing_ok=True)
            self._remove_old()
            self._claim.release()

    def abandon(self) -> None:
        """Remove what was written; does nothing once it is finished."""
        if not self._lock.closed:
            self._lock.close()
            # An exception may come right after the new manifest is in place.
            if not names_data(self.target / MANIFEST, self._data):
                if self._shown:
                    (self.target / LIVE).unlink(missing_ok=True)
                self._remove()
        self._claim.release()

    def _remove(self) -> None:
        """Remove the data, and the directory where it was made for it."""
        shutil.rmtree(self.target / self._data, ignore_errors=True)
        self._claim.release()
        if self._is_new:
            with suppress(OSError):  # Something else is there.
                self.target.rmdir()

    def _remove_old(self) -> None:
        for data in self.target.iterdir():
            if DATA.fullmatch(data.name) and data.name != self._data and not is_written(data):
                remove_unread(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()


def check_replaceable(target: Path) -> None:
    """Refuse a path where there is anything but a trace, an empty directory, or what a crash left there.

    Raises:
        UserError: something else is there.
    """
    if not target.exists() or (target / MANIFEST).is_file():
        return
    names = [path.name for path in target.iterdir()] if target.is_dir() else [""]
    if not all(is_of_trace(name) for name in names):
        raise UserError(f"{target}: exists and is not a trace; choose another path")


def _claim(target: Path) -> Claim:
    """The right to write to a directory, which is made where it is not there."""
    for _ in range(_TRIES):
        target.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # Another writer gave up, and took its empty directory away.
            return Claim(target)
    raise UserError(f"{target}: is made and removed by others again and again; choose another path")

"""Where a watch writes, so that the processes of one training do not write over each other's steps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from lstmtui.errors import UserError
from lstmtui.trace import Trace, Traces
from lstmtui.trace.claim import BusyError
from lstmtui.trace.directory import TraceDirectory, check_replaceable
from lstmtui.trace.manifest import MANIFEST, Mark, mark_of
from lstmtui.trace.storage import load

_MOST = 1000


class WatchPath:
    """The path that a watch writes to; another one beside it if somebody else has written there since.

    Rank n of a distributed training writes to `path-rankn`, rank 0 to `path`. Where that is being written,
    or holds a trace that others wrote since the watch began, it is `path-2`, `path-3` and so on.

    Args:
        path: as it was given to `watch`.

    Raises:
        UserError: something that is not a trace is there.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._since = Path(path), time.time_ns()
        self._last: tuple[Path, Mark | None] | None = None
        check_replaceable(self.current)

    @property
    def current(self) -> Path:
        """Where it wrote last; before that, where it is to write."""
        return self._of_rank() if self._last is None else self._last[0]

    def open(self) -> tuple[TraceDirectory, dict[str, Trace]]:
        """The directory to write to, and what this watch wrote there before, which is to be kept.

        Raises:
            UserError: nothing can be written there.
        """
        for place in self._places():
            try:
                directory = TraceDirectory(place, several=True)
            except BusyError:
                continue
            except UserError:
                if place == self.current:
                    raise
                continue
            mark = mark_of(place / MANIFEST)
            if self._last == (place, mark):
                older = load(place)
                return directory, dict(older) if isinstance(older, Traces) else {}
            if mark is None or mark[1] < self._since:
                return directory, {}
            directory.abandon()
        raise UserError(f"{self._path}: other processes are writing there, and to {_MOST} paths beside it")

    def finish(self, directory: TraceDirectory) -> None:
        """The directory that `open` gave is complete."""
        directory.finish()
        self._last = directory.target, mark_of(directory.target / MANIFEST)

    def _places(self) -> Iterator[Path]:
        """Where it wrote last, the path, and those beside it."""
        own = self._of_rank()
        yield self.current
        for number in range(1, _MOST):
            place = own if number == 1 else own.with_name(f"{own.name}-{number}")
            if place != self.current:
                yield place

    def _of_rank(self) -> Path:
        rank = _rank()
        return self._path.with_name(f"{self._path.name}-rank{rank}") if rank else self._path


def _rank() -> int:
    """Which process of a distributed training this is; 0 where there is only one."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    # Before the group is made, launchers such as torchrun say it in the environment.
    names = [os.environ.get(name, "") for name in ("RANK", "LOCAL_RANK")]
    return next((int(name) for name in names if name.isascii() and name.isdecimal()), 0)

"""`lstmtui.lightning_watch`: `lstmtui.watch` round the training of PyTorch Lightning."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.libraries import load_library
from lstmtui.watching import watch

if TYPE_CHECKING:
    from lstmtui.capture.source.code.users_code import What

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""The two names that Lightning is installed under; a callback must be of the one whose trainer calls it."""


def lightning_watch(
    when: str | None = None,
    keep: int = 8,
    path: str | Path = "runs/watch",
    *,
    every: int = 1,
    limit: int = 4,
    source: What | None = None,
    time_axis: int | None = None,
    batch_axis: int | None = None,
) -> Any:
    """A callback for Lightning's trainer that watches the training as `lstmtui.watch` does.

        trainer = Trainer(callbacks=[lstmtui.lightning_watch(when="norm(dh) > 1e3", path="runs/w")])

    The watch opens when training starts and closes when it ends. If an exception ends the training, the kept
    steps are written.

    Args:
        when: a condition of the command language. None: exceptions only.
        keep: how many steps are kept and written.
        path: the directory to write to.
        every: check every `every`-th step only.
        limit: stop checking after the condition has held this many times.
        source: what to record by source. A step is a call of the module's `forward`, not of `training_step`.
        time_axis: by source, which axis of the input's tensors is time.
        batch_axis: by source, which axis is the sequences.

    Returns:
        The callback. Its `watch` is the open watch, or None.

    Raises:
        lstmtui.UserError: Lightning is not installed.
    """
    base: Any = _package().Callback
    opened = partial(
        watch,
        when=when,
        keep=keep,
        path=path,
        every=every,
        limit=limit,
        source=source,
        time_axis=time_axis,
        batch_axis=batch_axis,
    )

    class LightningWatch(base):  # type: ignore[misc]
        """Opens a watch when training starts, and closes it when training ends."""

        watch: Any = None

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.watch = opened(pl_module).__enter__()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self._close(exception)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self._close(None)

        def _close(self, error: BaseException | None) -> None:
            own, self.watch = self.watch, None
            if own is not None:
                own.__exit__(None if error is None else type(error), error, None)

    return LightningWatch()


def _package() -> Any:
    """The Lightning that the program uses, or else the one that is installed."""
    in_use = (name for name in _PACKAGES if name in sys.modules)
    installed = (name for name in _PACKAGES if find_spec(name.partition(".")[0]) is not None)
    name = next(in_use, None) or next(installed, None)
    if name is None:
        load_library("lightning")
    return import_module(name or _PACKAGES[0])

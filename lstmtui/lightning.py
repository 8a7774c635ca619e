"""`lstmtui.lightning_watch`: `lstmtui.watch` round the training of PyTorch Lightning."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lstmtui.libraries import load_library
from lstmtui.watching import watch

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""The two names that Lightning is installed under; a callback must be of the one whose trainer calls it."""


def lightning_watch(
    when: str | None = None,
    keep: int = 8,
    path: str | Path = "runs/watch",
    *,
    every: int = 1,
    limit: int = 4,
) -> Any:
    """A callback for Lightning's trainer that watches the training as `lstmtui.watch` does.

        trainer = Trainer(callbacks=[lstmtui.lightning_watch(when="norm(dh) > 1e3", path="runs/w")])

    The watch is opened when training starts and closed when it ends; an exception that ends it is written.

    Args:
        when: a condition of the command language; None: exceptions only.
        keep: how many steps are kept and written.
        path: where to.
        every: judge every so many steps only.
        limit: stop judging after so many times.

    Returns:
        The callback; its `watch` is the open watch, or None.

    Raises:
        lstmtui.UserError: Lightning is not installed.
    """
    base: Any = _package().Callback

    class LightningWatch(base):  # type: ignore[misc]
        """Opens a watch when training starts, and closes it when training ends."""

        watch: Any = None

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.watch = watch(pl_module, when, keep, path, every=every, limit=limit).__enter__()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self._close(exception)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self._close(None)

        def _close(self, error: BaseException | None) -> None:
            opened, self.watch = self.watch, None
            if opened is not None:
                opened.__exit__(None if error is None else type(error), error, None)

    return LightningWatch()


def _package() -> Any:
    """The Lightning that the program uses, or else the one that is installed."""
    in_use = (name for name in _PACKAGES if name in sys.modules)
    installed = (name for name in _PACKAGES if find_spec(name.partition(".")[0]) is not None)
    name = next(in_use, None) or next(installed, None)
    if name is None:
        load_library("lightning")
    return import_module(name or _PACKAGES[0])

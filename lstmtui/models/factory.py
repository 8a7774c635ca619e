"""Models that the user's own Python builds, and what they return brought into the scenario's shape."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.errors import Cancelled, UserError
from lstmtui.models.seeding import seed_all_devices
from lstmtui.wording import counted, first_of

_imported: dict[str, Path] = {}
"""The packages that came from a scenario's folder, which another scenario may have under the same name."""


def build_module(target: str, arguments: Mapping[str, Any], folder: Path, seed: int | None = 0) -> nn.Module:
    """Call the user's function, in evaluation mode and with the same random numbers every time.

    Args:
        target: package.module:function
        arguments: what it is called with.
        folder: where the package is looked for first.
        seed: of the random numbers; None: those that come next.

    Raises:
        UserError: it cannot be imported, fails, or returns no module.
    """
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            seed_all_devices(seed)
        what = f"factory {target}"
        make = users_function(target, folder, what)
        with _first_on_path(folder.resolve(), _package(target)), users_code(what):
            module = make(**arguments)
    if not isinstance(module, nn.Module):
        raise UserError(f"factory {target}: returns a {type(module).__name__}, not a torch.nn.Module")
    return module.eval()


def users_function(target: str, folder: Path, what: str) -> Callable[..., Any]:
    """A function of the user's code, which is imported.

    Args:
        target: package.module:function
        folder: where the package is looked for first.
        what: names it in errors.

    Raises:
        UserError: it cannot be imported, or cannot be called.
    """
    module, _, path = target.partition(":")
    with _first_on_path(folder.resolve(), _package(target)), users_code(what):
        function: Any = import_module(module)
        for part in path.split("."):
            function = getattr(function, part)
    if not callable(function):
        raise UserError(f"{what}: is a {type(function).__name__}, which cannot be called")
    return cast(Callable[..., Any], function)


def _package(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def load_weights(module: nn.Module, arrays: Mapping[str, Array], file: str) -> None:
    """Load a checkpoint's tensors into the module; every one must be there, as in `load_state_dict`.

    Raises:
        UserError: names or shapes differ; the first of each are named.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in arrays]
    unexpected = [name for name in arrays if name not in own]
    wrong = [name for name in arrays if name in own and arrays[name].shape != tuple(own[name].shape)]
    problems = []
    for what, names in (("lacks", missing), ("has no place for", unexpected), ("of another shape:", wrong)):
        if names:
            problems.append(f"{what} {first_of(names, 3)}")
    if problems:
        raise UserError(f"{file} does not fit the model that the factory builds: {'; '.join(problems)}")
    module.load_state_dict({name: torch.as_tensor(array, device="cpu") for name, array in arrays.items()})


def takes_batch_first(module: nn.Module) -> bool:
    """Whether the module's input is probably (B, T, …): where all of its recurrent layers say so."""
    first = [m.batch_first for m in module.modules() if isinstance(getattr(m, "batch_first", None), bool)]
    return bool(first) and all(first)


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """Errors of the user's code become a sentence that says where they came from.

    Raises:
        UserError: in place of any error but Cancelled, and of `sys.exit`.
    """
    try:
        yield
    except (Cancelled, UserError):
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        at = next((f for f in reversed(frames) if not _is_library(f.filename)), None)
        where = "" if at is None else f" ({at.filename}:{at.lineno})"
        lines = str(error).strip().splitlines() or [""]
        raise UserError(f"{what}: {type(error).__name__}: {lines[0]}{where}") from error


def time_first(
    loss: Callable[[tuple[Tensor, Any]], Tensor],
    mask: Tensor,
    batch_first: bool,
    sizes: tuple[int, int | None],
) -> Callable[[Any], Tensor]:
    """A scenario's loss as a function of whatever a module returns.

    y is the first tensor of floating-point numbers in it: (T, B, O), (B, T, O) where `batch_first`, or
    (B, O) where the loss is taken at one timestep of each sequence.

    Args:
        loss: of (y (T, B, O), …).
        mask: (T, B) bool: where it is taken.
        batch_first: how the module lays out its output.
        sizes: the least and the greatest O that the target allows; None: any.

    Raises:
        UserError: from the function: the module returned no such tensor.
    """

    def taken(result: Any) -> Tensor:
        y = next(_tensors(result), None)
        steps, batch = mask.shape
        if y is not None and y.dim() == 2 and len(y) == batch and bool((mask.sum(0) == 1).all()):
            spread = y.new_zeros(steps, batch, y.shape[1])
            spread[mask] = y[mask.nonzero()[:, 1]]
            y = spread
        elif y is not None and y.dim() == 3 and batch_first:
            y = y.transpose(0, 1)
        if y is None or y.dim() != 3 or tuple(y.shape[:2]) != (steps, batch):
            shape = "no tensor" if y is None else f"one of shape {tuple(y.shape)}"
            expected = (batch, steps, "O") if batch_first else (steps, batch, "O")
            axes = ", ".join(map(str, expected))
            raise UserError(f"the loss needs y of shape ({axes}), and the model returned {shape}")
        least, greatest = sizes
        if y.shape[2] < least or (greatest is not None and y.shape[2] > greatest):
            needed = str(least) if greatest else f"{least} or more"
            raise UserError(
                f"y has {counted(y.shape[2], 'value')} at each timestep, and the target needs {needed}"
            )
        return loss((y, None))

    return taken


def _tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        if result.is_floating_point():
            yield result
        return
    parts = result.values() if isinstance(result, Mapping) else result
    if isinstance(parts, (list, tuple)) or isinstance(result, Mapping):
        for part in parts:
            yield from _tensors(part)


@contextmanager
def _first_on_path(folder: Path, package: str) -> Iterator[None]:
    """The folder is where imports look first; a package of the same name from another one is forgotten."""
    if (folder / package).is_dir() or (folder / f"{package}.py").is_file():
        if _imported.get(package, folder) != folder:
            for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
                del sys.modules[name]
        if package not in sys.modules:
            _imported[package] = folder
    invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _is_library(file: str) -> bool:
    ours = Path(__file__).parents[1]
    return "site-packages" in file or file.startswith("<") or Path(file).is_relative_to(ours)

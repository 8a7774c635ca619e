"""The plain attributes of modules, apart from parameters, buffers and submodules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

_OF_MODULES = frozenset(vars(nn.Module())) | {
    "_flat_weights", "_flat_weights_names", "_flat_weight_refs", "_all_weights"
}  # fmt: skip
_LIBRARIES = ("torch.", "lstmtui.")


def is_users(module: nn.Module) -> bool:
    """Whether a module is of a class that is neither PyTorch's nor lstmtui's."""
    return not type(module).__module__.startswith(_LIBRARIES)


def plain_attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Names and values; of a library's class without those under a leading _, which are its own affair."""
    private = is_users(module)
    for name, value in list(vars(module).items()):
        if name not in _OF_MODULES and (private or not name.startswith("_")):
            yield name, value

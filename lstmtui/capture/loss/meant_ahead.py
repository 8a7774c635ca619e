"""Modules that look ahead by design: convolutions over time, norms over all timesteps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

MIXES = "takes its mean and variance over all timesteps"

_OVER_TIME = (nn.InstanceNorm1d, nn.GroupNorm)

IsUsed = Callable[[nn.Module], bool]


def convolutions(model: Any, is_used: IsUsed = lambda module: True) -> tuple[str, int]:
    """The convolutions over time that are padded on both sides, and how many timesteps they look ahead.

    Args:
        model: that holds them.
        is_used: whether a module takes part in what is looked at.
    """
    paths, reach = [], 0
    for path, module in model.named_modules() if isinstance(model, nn.Module) else ():
        if isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1 and module.stride[0] == 1:
            span = module.dilation[0] * (module.kernel_size[0] - 1)
            padding = -(-span // 2) if isinstance(module.padding, str) else int(module.padding[0])
            if module.padding != "valid" and padding and is_used(module):
                paths.append(path)
                reach += padding
    return ", ".join(paths), reach


def mixing_norms(model: Any, is_used: IsUsed = lambda module: True) -> str:
    """The paths of norms whose mean and variance are those of all timesteps; empty where there are none."""
    named = model.named_modules() if isinstance(model, nn.Module) else ()
    return ", ".join(path for path, module in named if _is_over_time(module) and is_used(module))


def _is_over_time(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.training or not module.track_running_stats
    return isinstance(module, _OVER_TIME)

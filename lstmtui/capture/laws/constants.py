"""What forward uses and a state_dict does not hold, and nobody trains: plain attributes, passing buffers."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.capture.laws.context import Context
from lstmtui.capture.laws.influence import everywhere, largest_change
from lstmtui.capture.modules.plain_attributes import is_users, plain_attributes

MOST_TRIED = 16
"""How many constants are changed one by one."""
_DIGITS = 6
"""A number of no more was written by somebody, and not drawn."""
_SORTED = 8
"""So many numbers in order were not drawn: the chance of that is 2 in 8!."""


def used_constants(context: Context, states: Collection[str]) -> list[str]:
    """The paths of those that what comes out depends on, and which may have been drawn at random.

    Args:
        context: of the model.
        states: the paths of what the model keeps from call to call, which is none of them.
    """
    model = context.subject.model
    paths = [path for path, *_ in _constants(model) if path not in states]
    if not paths or not _matters(context, paths):
        return []
    return [path for path in paths[:MOST_TRIED] if _matters(context, [path])] or paths[:MOST_TRIED]


def _matters(context: Context, paths: Collection[str]) -> bool:
    """Whether other numbers there give another output, or none."""
    subject, inputs = context.subject, context.inputs
    other = copy.deepcopy(subject.model)
    for path, module, name, changed in _constants(other):
        if path in paths:
            _write(module, name, changed)
    whole = context.shape.laid_out(subject.once(inputs), inputs)
    try:
        again = context.shape.laid_out(replace(subject, model=other).once(inputs), inputs)
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError, KeyError):
        return True
    pairs = ((a.detach(), b.detach()) for a, b in zip(whole, again, strict=True))
    return largest_change(pairs, everywhere(inputs), subject.tolerance) > 0


def _constants(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, Any]]:
    """Their paths, whose they are, under which names, and other numbers for them."""
    saved = model.state_dict().keys()
    for at, module in model.named_modules():
        settings = _settings_of_libraries(module)
        for name, value in plain_attributes(module):
            if name in settings or (not is_users(module) and not isinstance(value, Tensor)):
                continue
            other = _other(value)
            if other is not value:
                yield _path(at, name), module, name, other
        for name, buffer in module.named_buffers(recurse=False):
            if _path(at, name) not in saved and (other := _other(buffer)) is not buffer:
                yield _path(at, name), module, name, other


def _write(module: nn.Module, name: str, value: Any) -> None:
    own = getattr(module, name)
    if isinstance(own, Tensor) and name not in vars(module):
        own.copy_(value)
    else:
        vars(module)[name] = value


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _settings_of_libraries(module: nn.Module) -> set[str]:
    """The names of what PyTorch's constructors take, such as dropout and eps."""
    kinds = [kind for kind in type(module).__mro__ if kind.__module__.startswith("torch.")]
    return {"dropout"}.union(*(inspect.signature(kind).parameters for kind in kinds))


def _other(value: Any) -> Any:
    """Other numbers of the same shape; the value itself where it holds none that may have been drawn."""
    if isinstance(value, float):
        return value if _is_short(value) else value * 1.3 + 0.7
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        tensor = torch.from_numpy(value.copy())
        other = _other(tensor)
        return value if other is tensor else other.numpy()
    if isinstance(value, Tensor):
        return value if _is_trained(value) or _was_written(value) else _other_tensor(value.detach())
    if type(value) in (list, tuple):
        members = [_other(member) for member in value]
        is_same = all(a is b for a, b in zip(members, value, strict=True))
        return value if is_same else type(value)(members)
    if type(value) is dict:
        values = {key: _other(member) for key, member in value.items()}
        return value if all(values[key] is value[key] for key in value) else values
    return value


def _other_tensor(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point():
        generator = torch.Generator().manual_seed(3)
        return tensor + torch.randn(tensor.shape, generator=generator).to(tensor).abs() + 1
    # Indices stay within what they index.
    return ~tensor if tensor.dtype == torch.bool else tensor.flatten().roll(1).reshape(tensor.shape)


def _is_trained(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) or tensor.requires_grad


def _was_written(tensor: Tensor) -> bool:
    """Whether its numbers were surely not drawn: one short number all over, or in order along every axis."""
    if not tensor.numel() or tensor.is_complex() or tensor.layout != torch.strided:
        return True
    numbers = tensor.detach().cpu().to(torch.float64)
    if bool((numbers == numbers.flatten()[0]).all()):
        return not tensor.is_floating_point() or _is_short(float(tensor.flatten()[0]))
    if tensor.numel() < _SORTED:
        return False
    axes = [axis for axis, size in enumerate(tensor.shape) if size > 1]
    return all(bool((d >= 0).all() or (d <= 0).all()) for d in (numbers.diff(dim=axis) for axis in axes))


def _is_short(number: float) -> bool:
    """Whether it can be written with few digits."""
    return (
        not math.isfinite(number)
        or number == 0
        or math.isclose(number, float(f"{number:.{_DIGITS - 1}g}"), rel_tol=1e-9)
    )

"""Builds a new model, with other random numbers, and loads a state_dict into it."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.capture.laws.subject import Subject
from lstmtui.capture.modules.wrapped import unwrapped
from lstmtui.models.seeding import seed_all_devices

Factory = Callable[[], Any]

_SETTINGS = (int, float, str, bool, type(None), torch.dtype, torch.device)


def built(
    factory: Factory,
    subject: Subject,
    loaded: dict[str, Any],
    states: Collection[str],
    seed: int,
    *,
    shifts: bool,
) -> Subject:
    """What is run in place of a subject: a new model with the parameters and buffers of the old one.

    Args:
        factory: builds it.
        subject: the old one.
        loaded: its state_dict, as it was read back.
        states: the paths of what the old one keeps from call to call, which the new one is given too.
        seed: of what is drawn at random while it is built.
        shifts: whether a seed that the factory sets is another one.

    Raises:
        Exception: the factory fails, or the state_dict does not fit.
    """
    with _drawn_from(seed, shifts=shifts):
        model = factory()
    if not isinstance(model, nn.Module):
        raise TypeError(f"it gives a {type(model).__name__}")
    old = subject.model
    other = replace(subject, original=unwrapped(model))
    other.use(subject.dtype)
    own = next(iter(old.state_dict().values()), None)
    if isinstance(own, Tensor):
        other.model.to(own.device)
    other.model.load_state_dict(loaded)
    modules = dict(other.model.named_modules())
    for path, module in old.named_modules():
        if path in modules:
            modules[path].training = module.training
    for path in states:
        at, _, name = path.rpartition(".")
        setattr(modules[at], name, copy.deepcopy(getattr(old.get_submodule(at), name)))
    return other


def constructor_of(model: nn.Module) -> Factory | None:
    """Calls a model's class again, with the arguments that it keeps under their names; None: it cannot."""
    kind = type(model)
    settings = {}
    for parameter in list(inspect.signature(kind).parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            return None
        value = vars(model).get(parameter.name, parameter.default)
        if value is not parameter.default and not isinstance(value, _SETTINGS):
            value = parameter.default
        if value is parameter.empty:
            return None
        settings[parameter.name] = value
    return lambda: kind(**settings)


@contextmanager
def _drawn_from(seed: int, *, shifts: bool) -> Iterator[None]:
    """Random numbers of their own within this context; seeds that are set within it may be shifted."""
    was = random.getstate(), np.random.get_state()
    seeding = [(torch, "manual_seed"), (torch.random, "manual_seed"), (random, "seed"), (np.random, "seed")]
    functions = [getattr(module, name) for module, name in seeding]
    is_used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(range(torch.cuda.device_count()) if is_used else ()):
        seed_all_devices(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            for (module, name), function in zip(seeding, functions, strict=True):
                if shifts:
                    setattr(module, name, _shifted(function))
            yield
        finally:
            for (module, name), function in zip(seeding, functions, strict=True):
                setattr(module, name, function)
            random.setstate(was[0])
            np.random.set_state(was[1])


def _shifted(seed: Callable[..., Any]) -> Callable[..., Any]:
    def other(value: Any = None, *more: Any, **named: Any) -> Any:
        return seed(value + 7919 if isinstance(value, int) else value, *more, **named)

    return other

"""What a user's module is called with, and the tensors inside it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.modules.interception import kind_of


@cache
def _signature(forward: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(forward)


def named_arguments(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """x, hx and lengths of a call of a recurrent module; None where its forward takes no such call."""
    kind = kind_of(module)
    assert kind is not None
    signature = _signature(kind.forward)
    _, *names = signature.parameters
    if not kwargs and 0 < len(args) <= len(names):  # nearly every call, and quickly
        arguments = dict(zip(names, args, strict=False))
    else:
        try:
            arguments = signature.bind(module, *args, **kwargs).arguments
        except TypeError:
            return None
    return {("x" if name == "input" else name): value for name, value in arguments.items()}


def fit(named: Mapping[str, Any]) -> bool:
    """Whether x and hx are of a kind that recurrent modules take."""
    states = states_of(named.get("hx"))
    return isinstance(named["x"], (Tensor, PackedSequence)) and all(isinstance(s, Tensor) for s in states)


def numbers_in(x: Tensor | PackedSequence) -> int:
    """How many numbers a recurrent module is given to read; none where a batch is empty."""
    return (x.data if isinstance(x, PackedSequence) else x).numel()


def arguments(module: nn.Module, x: Any, hx: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments for `module.forward`.

    A plain tuple is several positional arguments and a dict is keyword arguments, unless the module is itself
    recurrent; everything else, a named tuple such as `PackedSequence` too, is one argument. `hx` follows as
    the next positional one, or under its name beside keywords.
    """
    if kind_of(module) is None and type(x) is tuple:
        return (x if hx is None else (*x, hx)), {}
    if kind_of(module) is None and isinstance(x, dict):
        return (), (x if hx is None else {**x, "hx": hx})
    return ((x,) if hx is None else (x, hx)), {}


def changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor in it changed: tuples, lists, dicts, packed sequences."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, PackedSequence):
        # The sizes of the steps stay on the CPU, whatever becomes of the rest.
        indices = (None if i is None else change(i) for i in (value.sorted_indices, value.unsorted_indices))
        return PackedSequence(change(value.data), _normal(value.batch_sizes), *indices)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(changed(v, change) for v in value))
    if type(value) in (tuple, list):
        return type(value)(changed(v, change) for v in value)
    if type(value) is dict:
        return {key: changed(v, change) for key, v in value.items()}
    return value


def moved(value: Any, device: torch.device) -> Any:
    """The same structure on another device."""
    return changed(value, lambda tensor: tensor.to(device))


def differentiable(value: Any) -> Any:
    """The same structure with tensors made in inference mode, which no graph can hold, as copies."""
    return changed(value, _normal)


def _normal(tensor: Tensor) -> Tensor:
    return tensor.clone() if tensor.is_inference() else tensor


def states_of(hx: Any) -> tuple[Tensor, ...]:
    """The initial states of a call, one by one; none where it is given none."""
    return () if hx is None else tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)


def tensors_in(result: Any) -> Iterator[Tensor | PackedSequence]:
    """The tensors and packed sequences in what a module returned: in tuples, mappings, dataclasses."""
    if isinstance(result, (Tensor, PackedSequence)):
        yield result
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from tensors_in(value)
    elif isinstance(result, (tuple, list)):
        for value in result:
            yield from tensors_in(value)
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        for field in dataclasses.fields(result):
            yield from tensors_in(getattr(result, field.name))

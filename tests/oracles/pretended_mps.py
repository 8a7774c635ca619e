"""MPS, pretended on the CPU: tensors say that they are there, have no float64, and meet no others."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

HOST, THERE = torch.device("cpu"), torch.device("mps")
IN_PLACE = ("copy_", "__setitem__", "set_", "requires_grad_", "detach_")
BOTH = ("copy_", "to", "__getitem__", "__setitem__", "__set__", "__get__", "backward", "_make_subclass")
"""What takes tensors of both devices."""


class PretendedMps(TorchFunctionMode):
    """Everything but what was made on the host, or moved there, is on MPS; gradients are too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._host: dict[int, weakref.ref[Tensor]] = {}
        new, from_numpy = nn.Parameter.__new__, torch.from_numpy

        def new_parameter(kind: Any, data: Any = None, requires_grad: bool = True) -> Any:
            parameter = new(kind, data, requires_grad)
            return parameter if data is None else self._placed(parameter, self._is_on_host(data))

        monkeypatch.setattr(nn.Parameter, "__new__", new_parameter)  # these two no mode is told of
        monkeypatch.setattr(torch, "from_numpy", lambda array: self._placed(from_numpy(array), True))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
        monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.get_rng_state())
        monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: torch.set_rng_state(state))

    def _is_on_host(self, tensor: Tensor) -> bool:
        kept = self._host.get(id(tensor))
        return kept is not None and kept() is tensor

    def _placed(self, tensor: Tensor, on_host: bool) -> Tensor:
        if on_host:
            self._host[id(tensor)] = weakref.ref(tensor)
        elif tensor.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        else:
            self._host.pop(id(tensor), None)
        return tensor

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, tensors = function.__name__, [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if function is torch.device or name == "_parse_to":
            return function(*args, **kwargs or {})
        if function == Tensor.device.__get__:  # type: ignore[attr-defined]
            return HOST if self._is_on_host(args[0]) else THERE
        if name == "__set__" and len(args) > 1 and isinstance(args[1], Tensor):
            self._placed(args[0], self._is_on_host(args[1]))
        if name in ("numpy", "__array__") and not self._is_on_host(args[0]):
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        if name == "_has_compatible_shallow_copy_type":  # of MPS and another device it is not
            return self._is_on_host(args[0]) == self._is_on_host(args[1])
        if name not in BOTH and len({self._is_on_host(t) for t in tensors if t.dim()}) > 1:
            raise RuntimeError(f"{name}: Expected all tensors to be on the same device")
        devices = [HOST] if name == "cpu" else []
        if name == "to" and len(args) > 1 and isinstance(args[1], Tensor):
            devices.append(HOST if self._is_on_host(args[1]) else THERE)

        def really(argument: Any) -> Any:
            if isinstance(argument, torch.device) or (
                isinstance(argument, str) and argument in ("mps", "cpu")
            ):
                devices.append(torch.device(argument))
                return HOST
            return argument

        args, kwargs = tree_map(really, (args, kwargs or {}))
        result = function(*args, **kwargs)
        if name in (*IN_PLACE, "__set__"):
            return result
        on_host = devices[0] == HOST if devices else all(map(self._is_on_host, tensors))

        def settled(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if any(value is tensor for tensor in tensors):
                if not devices or on_host == self._is_on_host(value):
                    return value
                value = value.clone() if value.requires_grad else value.detach().clone()
            return self._placed(value, on_host)

        return tree_map(settled, result)

"""Follows a model's input through its code: each tensor without a gradient gets a twin that has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.models.torch_compat import version_of

MOST_PARTS = 2_000
"""So many parts of the input are followed: a loop over more takes them one by one."""

_IN_PLACE = frozenset({"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "requires_grad_"})
_OUT = frozenset({"numpy", "tolist", "item", "__array__"})
_ALIKE = frozenset(
    {"to", "float", "double", "half", "bfloat16", "cuda", "cpu", "contiguous", "clone", "type_as", "detach"}
)
"""What leaves every number where it is."""
_MOVING = frozenset(
    {
        "__getitem__", "select", "narrow", "index_select", "unbind", "split", "chunk", "tensor_split",
        "__iter__", "transpose", "permute", "movedim", "swapaxes", "t", "unsqueeze", "squeeze", "view",
        "reshape", "flatten", "expand", "repeat", "repeat_interleave", "flip", "roll",
        "_pack_padded_sequence",
    }
)  # fmt: skip
"""What puts numbers to other places, and computes nothing."""

Times = tuple[Tensor, Tensor]
"""Of every number of a tensor the position in the input, along its first axis and along its second."""


class Part(NamedTuple):
    """A part of the graph that is made of the input alone."""

    source: Tensor | GradientEdge
    times: Times
    """Broadcasts to its shape."""
    shape: tuple[int, ...]
    """Of the first two axes of the input."""


@dataclass
class _Followed:
    """A tensor that is made of the input and has no gradient."""

    tensor: Tensor
    twin: Tensor | None
    """The same numbers with a gradient; None for integers."""
    times: Times | None
    """None where it is computed."""
    shape: tuple[int, ...]
    version: int


class FollowedInput:
    """The input tensors of a model, and everything made of them that has no graph of its own.

    An operation that is given such tensors works with their twins, so that what comes of it is in a graph
    down to the input; its caller gets the same numbers without a graph, unless they have one anyway.

    Attributes:
        given: the tensors as they were given.
        parts: of the input, where they are in the graph.
        lost: how the code has taken some of it where no gradient goes; empty where it has not.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.parts: list[Part] = []
        self.lost = ""
        self._followed: dict[int, _Followed] = {}
        self._twins: set[int] = set()
        """The ids of those that are leaves."""

    def begin(self, arguments: Any, *, follow: bool) -> None:
        """Follow the tensors of these arguments that have two axes or more, or only note them as input."""
        tensors = [t for t in tensors_in(arguments) if isinstance(t, Tensor)]
        if follow and any(isinstance(part, PackedSequence) for part in tensors_in(arguments)):
            self.lost = "the model is called with a packed sequence"
        self.tensors = [t for t in tensors if t.dim() >= 2 and t.numel() and t.dtype != torch.bool]
        for tensor in self.tensors if follow else ():
            shape, times = (tensor.shape[0], tensor.shape[1]), _positions(tensor)
            if tensor.requires_grad:
                self._add(Part(get_gradient_edge(tensor), times, shape))
            else:
                self._keep(tensor, times, shape)

    def has(self, leaf: Tensor) -> bool:
        """Whether a leaf of a graph is a part of the input."""
        return id(leaf) in self._twins

    def forget(self) -> None:
        """Forget all tensors."""
        self.tensors, self.parts, self._followed = [], [], {}

    def twin(self, value: Any) -> Any:
        """The twin of a tensor, or of the numbers of a packed sequence; what has none is as it is."""
        if isinstance(value, PackedSequence):
            own = self._of(value.data)
            return value if own is None or own.twin is None else PackedSequence(own.twin, *value[1:])
        own = self._of(value)
        return value if own is None or own.twin is None else own.twin

    def call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation of the user's."""
        own = list(self._among(args, kwargs)) if self._followed else []
        if not own:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name == "__get__" or not torch.is_grad_enabled():
            return func(*args, **kwargs)
        if name in _OUT:
            self.lost = self.lost or f"the model takes x out of torch (Tensor.{name})"
            return func(*args, **kwargs)
        if name in _IN_PLACE or (name.endswith("_") and not name.endswith("__")) or "out" in kwargs:
            return self._written(func, args, kwargs)
        if name in ("embedding", "one_hot") and own[0].times is not None:
            return self._looked_up(func, args, kwargs, own[0])
        if name in _MOVING or name in _ALIKE:
            return self._moved(name, func, args, kwargs, own)
        return self._computed(func, args, kwargs)

    def _written(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Stop following a tensor that is changed in place."""
        target = args[0] if args else None
        if isinstance(target, Tensor) and target.requires_grad and self._of(target) is None:
            return func(*self._with_twins(args), **self._with_twins(kwargs))
        self._followed.pop(id(target), None)
        self.lost = self.lost or "the model writes x, or into it, in place"
        return func(*args, **kwargs)

    def _looked_up(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], tokens: _Followed
    ) -> Any:
        result = func(*args, **kwargs)
        assert tokens.times is not None
        times = (tokens.times[0].unsqueeze(-1), tokens.times[1].unsqueeze(-1))
        if result.requires_grad:
            self._add(Part(get_gradient_edge(result), times, tokens.shape))
        else:
            self._keep(result, times, tokens.shape)
        return result

    def _moved(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        own: list[_Followed],
    ) -> Any:
        (first, *others) = own
        if others or first.times is None or args[0] is not first.tensor:
            return self._computed(func, args, kwargs)
        result = func(*args, **kwargs)
        if name == "view" and result.dtype is not first.tensor.dtype:
            return self._computed(func, args, kwargs)
        if result is first.tensor:
            return result
        times: Any = first.times
        if name not in _ALIKE:
            of_tensor = tuple(part.expand(first.tensor.shape) for part in times)
            if name == "view":  # of positions, which lie in memory in another way, there may be none
                moved = [part.reshape(result.shape) for part in of_tensor]
            else:
                moved = [func(part, *args[1:], **kwargs) for part in of_tensor]
            if isinstance(result, Tensor):
                times = tuple(moved)
            elif name == "_pack_padded_sequence":
                self._keep(result[0], (moved[0][0], moved[1][0]), first.shape)
                return result
            else:
                results = list(result)
                for part, *of_part in zip(results, *moved, strict=True):
                    self._keep(part, (of_part[0], of_part[1]), first.shape)
                return iter(results) if name == "__iter__" else result
        if isinstance(result, Tensor):
            self._keep(result, times, first.shape)
        return result

    def _computed(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        has_graph = any(t.requires_grad for t in _tensors(args, kwargs))
        try:
            result = func(*self._with_twins(args), **self._with_twins(kwargs))
        except RuntimeError:
            self.lost = self.lost or "the model does with x what has no gradient"
            return func(*args, **kwargs)
        return result if has_graph else self._without_graph(result)

    def _without_graph(self, result: Any) -> Any:
        """What the user's code gets of a result that has no graph without the twins."""
        if isinstance(result, Tensor):
            if not result.requires_grad:
                return result
            plain = result.detach()
            self._followed[id(plain)] = _Followed(plain, result, None, (), version_of(plain))
            return plain
        if isinstance(result, (tuple, list)):
            parts = [self._without_graph(part) for part in result]
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        return result

    def _keep(self, tensor: Tensor, times: Times, shape: tuple[int, ...]) -> None:
        twin = None
        if tensor.is_floating_point():
            twin = tensor.detach().requires_grad_()
            self._twins.add(id(twin))
            self._add(Part(twin, times, shape))
        self._followed[id(tensor)] = _Followed(tensor, twin, times, shape, version_of(tensor))

    def _add(self, part: Part) -> None:
        self.parts.append(part)
        if len(self.parts) > MOST_PARTS:
            self.parts, self._followed = [], {}
            self.lost = f"the model takes more than {MOST_PARTS:,} parts of x one by one"

    def _of(self, tensor: Any) -> _Followed | None:
        own = self._followed.get(id(tensor))
        return own if own is not None and own.version == version_of(own.tensor) else None

    def _among(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[_Followed]:
        for tensor in _tensors(args, kwargs):
            if (own := self._of(tensor)) is not None:
                yield own

    def _with_twins(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.twin(value)
        if type(value) in (tuple, list):
            return type(value)(self._with_twins(part) for part in value)
        if type(value) is dict:
            return {key: self._with_twins(part) for key, part in value.items()}
        return value


def _tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """The tensors among the arguments of an operation, and in lists of these."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (part for part in value if isinstance(part, Tensor))


def _positions(tensor: Tensor) -> Times:
    first, second = (torch.arange(size, device=tensor.device) for size in tensor.shape[:2])
    rest = (1,) * (tensor.dim() - 2)
    return first.reshape(-1, 1, *rest), second.reshape(1, -1, *rest)

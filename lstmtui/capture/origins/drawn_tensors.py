"""Tensors that are drawn at random, and what is made of them without a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.models.torch_compat import (
    has_function_modes,
    pop_function_mode,
    push_function_mode,
    top_function_mode,
)

_DRAWING = frozenset(
    {
        torch.randn,
        torch.rand,
        torch.normal,
        torch.randn_like,
        torch.rand_like,
        torch.bernoulli,
        torch.randint,
        torch.randint_like,
        torch.randperm,
        torch.multinomial,
        torch.poisson,
        Tensor.normal_,
        Tensor.uniform_,
        Tensor.bernoulli_,
        Tensor.exponential_,
        Tensor.random_,
        Tensor.multinomial,
        torch.nn.init.normal_,
        torch.nn.init.uniform_,
        torch.nn.init.xavier_normal_,
        torch.nn.init.xavier_uniform_,
        torch.nn.init.orthogonal_,
        torch.nn.init.kaiming_normal_,
        torch.nn.init.kaiming_uniform_,
        torch.nn.init.trunc_normal_,
    }
)


class Drawing(TorchFunctionMode):
    """Notes, while it is entered, which tensors this thread draws at random.

    Args:
        drawn: gets it.
    """

    def __init__(self, drawn: DrawnTensors) -> None:
        super().__init__()
        self._drawn = drawn
        self._modes_without = -1
        """How many other modes there were when it was paused; −1: it is not."""

    def __exit__(self, *error: Any) -> None:
        """End, also while it is paused."""
        if self._modes_without < 0:
            super().__exit__(*error)  # type: ignore[no-untyped-call]

    def pause(self) -> bool:
        """Take note of nothing until `resume`; False: not paused, as another mode was entered since."""
        if top_function_mode() is not self:
            return False
        pop_function_mode()
        self._modes_without = has_function_modes()
        return True

    def resume(self) -> None:
        """Take note again, if the modes are those that there were when it was paused."""
        if self._modes_without == has_function_modes():
            push_function_mode(self)
            self._modes_without = -1

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation of the user's code unchanged."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        # Nearly every operation, and without a call, which where code is traced takes long.
        if func in _DRAWING or not self._drawn.is_empty:
            self._drawn.note(func, (args, kwargs), result)
        return result


class DrawnTensors:
    """The tensors that operations have drawn at random.

    Attributes:
        is_empty: whether there was none so far.
    """

    def __init__(self) -> None:
        self._tensors = WeakTensorKeyDictionary()
        self.is_empty = True

    def __contains__(self, tensor: Tensor) -> bool:
        return not self.is_empty and tensor in self._tensors

    def note(self, function: Callable[..., Any], values: Any, result: Any) -> None:
        """Note the random tensors that an operation made.

        Args:
            function: that was called.
            values: its arguments.
            result: what it returned.
        """
        if function not in _DRAWING and (self.is_empty or not self._any_of(values)):
            return
        for tensor in tensors_in(result):
            # What has a graph is a function of more than random numbers.
            if isinstance(tensor, Tensor) and tensor.grad_fn is None:
                self._tensors[tensor], self.is_empty = True, False

    def _any_of(self, values: Any) -> bool:
        return any(isinstance(part, Tensor) and part in self._tensors for part in tensors_in(values))

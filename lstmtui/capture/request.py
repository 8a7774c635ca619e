"""What a user asks to have recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import UNSAID, InputAxes
from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.capture.source.recorders.recorder import SourceRecorder

Prepare: TypeAlias = Callable[[SourceRecorder], None]
"""Called with what records the user's code, before that runs."""
Beside: TypeAlias = Callable[[Sequence[int]], Sequence[SourceLayer]]
"""Gives runs by source that belong into the trace, by the number of timesteps of each of the other runs."""


@dataclass(frozen=True)
class Request:
    """What is to be recorded, as the arguments of `record` say.

    Raises:
        TypeError: the loss is no function, or one that needs more than what the module returns.
    """

    module: nn.Module
    x: Any = None
    hx: Any = None
    loss: Callable[[Any], Tensor] | None = None
    device: str | torch.device | None = None
    lengths: Any = None
    source: What | None = None
    axes: InputAxes = UNSAID
    name: str = ""

    def __post_init__(self) -> None:
        if self.loss is not None and not callable(self.loss):
            raise TypeError(
                "loss: must be a function that takes what the module returns and returns a scalar tensor, as "
                f"in loss=lambda y: y.sum(); is {type(self.loss).__name__}"
            )
        if self.loss is not None and not _takes_one_argument(self.loss):
            raise TypeError(
                "loss: is called with what the module returns, and nothing else; with a target it is "
                "loss=lambda y: criterion(y, target)"
            )


def _takes_one_argument(function: Callable[..., Any]) -> bool:
    """Whether a call with one argument fits, as far as the function says what it takes."""
    try:
        signature = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (ValueError, TypeError):  # some compiled ones do not say
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True

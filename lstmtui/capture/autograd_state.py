"""The mode of autograd in which the user's code runs in this thread."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

import torch
from torch import Tensor
from torch.utils import checkpoint

from lstmtui.models.torch_compat import (
    has_forward_mode,
    has_saved_tensors_hooks,
    is_captured,
    is_traced,
    without_modes,
)

Graph = Literal["built", "in a function", "none"]
"""Whether a graph is built of what is computed; "in a function": of a custom autograd Function, which may
compute it again in the backward pass, as activation checkpoints do."""


def graph() -> Graph:
    """The identity of what autograd is recording now."""
    if torch.is_grad_enabled():
        return "built"
    # The forward of a Function turns forward-mode derivatives off too, which `torch.no_grad` does not.
    in_function = not has_forward_mode() and not torch.is_inference_mode_enabled()
    return "in a function" if in_function else "none"


def is_symbolic() -> bool:
    """Whether tensors stand for something else: a trace, a compilation, a CUDA graph, `torch.func`."""
    return torch.compiler.is_compiling() or is_traced() or is_captured()


@contextmanager
def unobserved() -> Iterator[None]:
    """Within this context neither a mode of the user's nor a hook of saved tensors sees what is computed."""
    with without_modes(), saved_as_it_is():
        yield


@contextmanager
def saved_as_it_is() -> Iterator[None]:
    """Within this context no hook of saved tensors that is round it sees what is saved."""
    if has_saved_tensors_hooks() is False:
        yield  # Hooks of our own would cost a call for every tensor.
        return
    with torch.autograd.graph.saved_tensors_hooks(_same, _same):
        yield


def is_checkpointed() -> bool:
    """Whether an activation checkpoint is round what runs; where torch tells, any hook of saved tensors."""
    has_hooks = has_saved_tensors_hooks()
    return is_in_checkpoint() if has_hooks is None else has_hooks


def is_in_checkpoint() -> bool:
    """Whether an activation checkpoint of PyTorch's calls what runs."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename != checkpoint.__file__:
        frame = frame.f_back
    return frame is not None


def _same(tensor: Tensor) -> Tensor:
    return tensor


def new_leaf() -> Tensor:
    """A number, (), that can be differentiated by, in inference mode too."""
    with torch.inference_mode(False):
        return torch.zeros((), requires_grad=True, device="cpu")

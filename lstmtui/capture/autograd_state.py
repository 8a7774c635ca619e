"""In which of autograd's ways a piece of a user's code is running in this thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

Graph = Literal["built", "in a function", "none"]
"""Whether a graph is built of what is computed; "in a function": of a custom autograd Function, which may
compute it again on the way back, as activation checkpoints do."""


def graph() -> Graph:
    """What autograd keeps of operations now."""
    if torch.is_grad_enabled():
        return "built"
    # The forward of a Function turns forward-mode derivatives off too, which `torch.no_grad` does not.
    in_function = not torch._C._is_fwd_grad_enabled() and not torch.is_inference_mode_enabled()
    return "in a function" if in_function else "none"


def in_backward() -> bool:
    """Whether autograd is running backward in this thread."""
    return bool(torch._C._current_graph_task_id() != -1)


def is_symbolic() -> bool:
    """Whether tensors stand for something else: a trace, a compilation, a transform of `torch.func`."""
    return bool(
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


@contextmanager
def saved_as_it_is() -> Iterator[None]:
    """Within this context no hook of saved tensors that is round it sees what is saved."""
    top = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    if top is not None and top(False) is None:
        yield  # Hooks of our own would cost a call for every tensor.
        return
    with torch.autograd.graph.saved_tensors_hooks(_same, _same):
        yield


def _same(tensor: Tensor) -> Tensor:
    return tensor

"""What backward passes are taken of, heard of wherever in somebody's code they begin."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.autograd_state import is_symbolic, unobserved
from lstmtui.models.torch_compat import backward_pass

Listener = Callable[[int, int, Tensor | None], None]
"""Called when a backward pass is over, with its number; that of the pass that it is a part of, as of what a
re-entrant checkpoint holds, or −1; and the loss, (), that the gradients are of, None where that is not known.
"""

_ARGUMENTS = {"backward": ("tensors", "grad_tensors"), "grad": ("outputs", "grad_outputs")}
"""The functions of `torch.autograd` that begin one, and their arguments: tensors, the gradients by these."""
_LOCK = threading.Lock()
_listeners: list[Listener] = []
_announced: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}
"""The functions as they were, and what is in their place while anybody listens."""
_own = threading.local()


@contextmanager
def heard(hear: Listener) -> Iterator[None]:
    """Within this context every backward pass of any thread is heard of. Nothing else of it changes.

    Args:
        hear: must not raise.
    """
    with _LOCK:
        if not _listeners:
            for name, arguments in _ARGUMENTS.items():
                original = getattr(torch.autograd, name)
                _announced[name] = original, _announcing(original, *arguments)
                setattr(torch.autograd, name, _announced[name][1])
        _listeners.append(hear)
    try:
        yield
    finally:
        with _LOCK:
            _listeners.remove(hear)
            for name, (original, ours) in () if _listeners else _announced.items():
                if getattr(torch.autograd, name) is ours:  # else it is somebody else's, who calls it
                    setattr(torch.autograd, name, original)


def _announcing(original: Callable[..., Any], tensors: str, gradients: str) -> Callable[..., Any]:
    """A function in place of one that begins a backward pass.

    Args:
        original: the function.
        tensors: its argument of what is differentiated.
        gradients: its argument of the gradients by these.
    """
    signature = inspect.signature(original)

    @wraps(original)
    def announced(*args: Any, **kwargs: Any) -> Any:
        outer = backward_pass()
        # Where there are modes of the user's it calls itself again, by way of them.
        if is_symbolic() or getattr(_own, "outer", None) == outer or not _listeners:
            return original(*args, **kwargs)
        roots: Sequence[Tensor] = ()
        loss = None
        with suppress(Exception), unobserved(), torch.no_grad():
            bound = signature.bind(*args, **kwargs).arguments
            roots = _tensors(bound[tensors])
            if not bound.get("is_grads_batched"):  # else it is many passes
                loss = _loss(roots, bound.get(gradients, bound.get("grad_variables")))
        numbers: set[int] = set()
        nodes = {root.grad_fn for root in roots} - {None}
        handles = [node.register_prehook(lambda _: numbers.add(backward_pass())) for node in nodes if node]
        before, _own.outer = getattr(_own, "outer", None), outer
        try:
            return original(*args, **kwargs)
        finally:
            _own.outer = before
            for handle in handles:
                handle.remove()
            for number in numbers:
                for hear in tuple(_listeners):
                    hear(number, outer, loss)

    return announced


def _tensors(value: Any) -> Sequence[Tensor]:
    """One tensor, or those of a list or tuple.

    Raises:
        TypeError: it holds anything else.
    """
    parts = value if isinstance(value, (list, tuple)) else (value,)
    if not all(isinstance(part, Tensor) for part in parts):
        raise TypeError("a tensor's edge in the graph has no number")
    return parts


def _loss(roots: Sequence[Tensor], gradients: Any) -> Tensor | None:
    """What some tensors are differentiated as: their sum, each in proportion to the gradient by it."""
    weights = gradients if isinstance(gradients, (list, tuple)) else [gradients] * len(roots)
    terms = [
        root.detach().sum() if weight is None else (root.detach() * weight.detach()).sum()
        for root, weight in zip(roots, weights, strict=True)
    ]
    loss = torch.stack(terms).sum()
    return loss if loss.is_floating_point() else None

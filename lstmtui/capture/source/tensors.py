"""The tensors that names are bound to: which is which, a copy of each, and what backward passes give them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor

from lstmtui.capture.autograd_state import is_symbolic, unobserved
from lstmtui.capture.source.bindings import Binding
from lstmtui.models.torch_compat import has_values, version_of

CHANGED = "changed in place afterwards"


class Seen:
    """A tensor object, as it was when a name was last bound to it."""

    __slots__ = ("absent", "bindings", "copy", "gradients", "leaf", "number", "ref", "remove", "version")

    def __init__(self, tensor: Tensor, number: int) -> None:
        self.ref = weakref.ref(tensor)
        self.number = number
        self.remove: Callable[[], None] | None = None
        self.bindings: list[Binding] = []

    def look(self, tensor: Tensor, version: int) -> None:
        """Copy what the tensor is now, and have backward passes tell its derivative."""
        self.version = version
        self.copy = tensor.detach().clone()
        self.gradients: list[Tensor] = []
        self.absent, self.bindings = "", []
        self.leaf = tensor.is_leaf
        if not tensor.requires_grad:
            is_real = tensor.is_floating_point() or tensor.is_complex()
            self.absent = "requires none" if is_real else "integer"
            return
        if self.leaf:
            handle = tensor.register_hook(self._of_leaf)  # type: ignore[no-untyped-call]
        else:
            node = tensor.grad_fn
            assert node is not None
            handle = node.register_prehook(_Hook(self.gradients, tensor.output_nr))
        self.remove = handle.remove

    def _of_leaf(self, gradient: Tensor) -> None:
        _keep(self.gradients, gradient)


class _Hook:
    """Called before a node goes backward, after hooks of the user's, with the gradients of its results."""

    __slots__ = ("gradients", "number")

    def __init__(self, gradients: list[Tensor], number: int) -> None:
        self.gradients, self.number = gradients, number

    def __call__(self, gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[self.number]
        if gradient is not None:
            _keep(self.gradients, gradient)


def _keep(gradients: list[Tensor], gradient: Tensor) -> None:
    # A copy: hooks of the user's may change it on its way further.
    gradients.append(gradient.detach().clone())


class Tensors:
    """Every tensor that was bound while a tracer was there."""

    def __init__(self) -> None:
        self._seen: dict[int, Seen] = {}
        self._all: list[Seen] = []
        self._count = 0

    def look(self, tensor: Tensor) -> Seen | None:
        """What is kept of a tensor as it is now; None where it has no values of its own."""
        seen = self._seen.get(id(tensor))
        version = version_of(tensor)
        if seen is not None and seen.ref() is tensor and seen.version == version:
            return seen
        if is_symbolic() or not has_values(tensor):
            return None
        try:
            with unobserved():
                if seen is None or seen.ref() is not tensor:
                    new = Seen(tensor, self._count)
                else:
                    new = Seen(tensor, seen.number)
                    self._forget(seen, tensor)
                new.look(tensor, version)
        except (RuntimeError, NotImplementedError, TypeError):
            return None  # a kind of tensor that cannot be copied
        self._count += 1
        self._seen[id(tensor)] = new
        self._all.append(new)
        return new

    def is_known(self, tensor: Tensor) -> bool:
        """Whether a name was bound to a tensor as it is now."""
        seen = self._seen.get(id(tensor))
        return seen is not None and seen.ref() is tensor and seen.version == version_of(tensor)

    def is_changed(self, tensor: Tensor) -> bool:
        """Whether a tensor that was bound has other numbers now."""
        seen = self._seen.get(id(tensor))
        if seen is None or seen.ref() is not tensor:
            return True
        if seen.version == version_of(tensor):
            return False
        with unobserved():
            return not _same(seen.copy, tensor)

    def settle(self) -> None:
        """Say of views whose numbers changed after they were bound that their derivatives are not whole."""
        for seen in self._all:
            tensor = seen.ref()
            if (
                tensor is not None
                and not seen.leaf
                and not seen.absent
                and seen.version != version_of(tensor)
            ):
                self._judge(seen, tensor)

    def release(self) -> None:
        """Take every hook away again."""
        for seen in self._all:
            if seen.remove is not None:
                seen.remove()
                seen.remove = None
        self._all, self._seen = [], {}

    def _forget(self, seen: Seen, tensor: Tensor) -> None:
        """A tensor was changed in place: what backward passes give it from here on is another's."""
        if seen.leaf and seen.remove is not None:
            seen.remove()
            seen.remove = None
        elif not seen.absent:
            self._judge(seen, tensor)

    def _judge(self, seen: Seen, tensor: Tensor) -> None:
        # The graph of a view is made anew from that of what it is a view of, round the node it had.
        if tensor._is_view() and not _same(seen.copy, tensor.detach()):
            seen.absent = CHANGED
            for binding in seen.bindings:
                binding.absent = CHANGED


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether all numbers are the same, NaN and NaN too."""
    other = other.detach()
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def tensors_in(value: Any) -> list[tuple[str, Tensor]]:
    """The tensors in a tuple, list, dict or dataclass, one level deep, and how their places are written."""
    if isinstance(value, dict):
        items = [(f"[{key!r}]", item) for key, item in value.items() if isinstance(key, (str, int))]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [(f".{name}", item) for name, item in zip(value._fields, value, strict=False)]
    elif isinstance(value, (tuple, list)):
        items = [(f"[{at}]", item) for at, item in enumerate(value)]
    elif hasattr(type(value), "__dataclass_fields__") and hasattr(value, "__dict__"):
        items = [(f".{name}", item) for name, item in vars(value).items()]
    else:
        return []
    return [(place, item) for place, item in items if isinstance(item, Tensor)]

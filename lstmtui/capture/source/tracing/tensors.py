"""The tensors that names are bound to: which is which, a copy of each, and what backward passes give them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from lstmtui.capture.autograd_state import is_symbolic, unobserved
from lstmtui.capture.devices import check_memory
from lstmtui.capture.equality import comparable
from lstmtui.capture.loss.heard_losses import HeardLosses
from lstmtui.capture.origins.drawn_tensors import DrawnTensors
from lstmtui.capture.source.bindings import RETURNED, Binding, Call, Passes
from lstmtui.capture.source.code.stretches import DETACHED
from lstmtui.capture.source.complex_numbers import real_parts
from lstmtui.capture.source.tracing.rows import Rows
from lstmtui.capture.source.tracing.scans import scanned_behind
from lstmtui.capture.source.tracing.seen import Seen
from lstmtui.capture.source.tracing.unit_axes import Known, known_units
from lstmtui.capture.source.tracing.weights_behind import note_weights
from lstmtui.capture.taps.cell_loops import made_by
from lstmtui.models.torch_compat import below_autograd, has_values, is_dispatched, version_of

_CHECKED = 1_000
"""Bindings between two looks at whether all of them fit into memory."""
CHANGED = "changed in place afterwards"
READ_MEANWHILE = "its places are read while others are written, which the derivative by all of it leaves out"
_ORDINARY = (Tensor, nn.Parameter)

MOST_ITEMS = 8
"""The tensors of a tuple or a list that are looked at, as names of their own."""
_DEPTH = 3
"""Of tuples, lists, dicts and dataclasses within each other that are looked into."""
_PLAIN = frozenset({int, float, bool, str, bytes, complex})

Named: TypeAlias = tuple[str, Tensor, int, int, str]
"""A name as it is written, what it is bound to, how often that had been written into, the line that binds it,
and why that would have no derivative where the line tells."""


class Tensors:
    """Every tensor that was bound while a tracer was there.

    Args:
        hooks: whether hooks keep the derivatives of every backward pass; else `derive` is given them.
    """

    def __init__(self, *, hooks: bool) -> None:
        self._hooks = hooks
        self._now: dict[int, Seen] = {}
        """By the id of the tensor, as it was last bound."""
        self._asked: list[Seen] = []
        """Those that backward passes tell derivatives of."""
        self.drawn: DrawnTensors | None = None
        """Those that are drawn at random meanwhile; None: that is not known."""
        self.losses = HeardLosses()
        """Is told where backward passes come to what was computed."""
        self.without_values = 0
        """How many bindings were left out because their tensors have no values that can be kept."""
        self.hooked: set[Any] = set()
        """The nodes that tensors with hooks of the user's were made by."""
        self.units: Known = {}
        """The axes that are known to be units, once the graph has been let go of."""
        self.scanned = set[tuple[int, int]]()
        """The axes that scans go along, each with its size, from then on."""
        self.rows = Rows()
        self.orders = count()
        """Of what is bound from now on, and of calls of layers that are recorded otherwise."""
        self._unchecked = 0

    def bind(self, call: Call, passes: Passes, named: Sequence[Named]) -> list[Binding]:
        """Names are bound to tensors; those of tensors without values that can be kept are left out.

        Args:
            call: the function's.
            passes: of the loops that the lines are in.
            named: the names, in order.
        """
        bindings: list[Binding] = []
        new: list[Seen] = []
        again: list[tuple[Binding, Seen]] = []
        drawn = None if self.drawn is None or self.drawn.is_empty else self.drawn
        is_ordinary, cut = not is_dispatched(), "" if torch.is_grad_enabled() else DETACHED
        for name, tensor, version, line, why in named:
            # A tensor that a name was bound to may enter the graph later, as what the forward of a
            # `torch.autograd.Function` returns does, or leave it, by `detach_()`.
            order = next(self.orders)
            end: Any = tensor.grad_fn
            if end is None and tensor.requires_grad:
                end = tensor
            if why is READ_MEANWHILE:
                end = None
            identity, first = order, self._now.get(id(tensor))
            if first is not None and first.ref() is tensor:
                identity = first.identity
                if first.version == version and first.end is end:
                    first.is_named = first.is_named or name[:6] != RETURNED
                    other = Binding(order, call, name, line, passes, tensor, identity)
                    again.append((other, first))
                    bindings.append(other)
                    continue
                if first.version != version:
                    self._changed(first, tensor)
            seen = Seen(order, call, name, line, passes, tensor, identity, version, end)
            if (
                is_ordinary
                and type(tensor) in _ORDINARY
                and (tensor.is_cpu or not tensor.is_meta)
                and tensor.layout is torch.strided
            ):
                new.append(seen)
            elif (value := self._copy(tensor)) is not None:
                seen.value = value
            else:
                self.without_values += 1
                continue
            self._now[id(tensor)] = seen
            if drawn is not None and tensor in drawn:
                seen.drawn = True
            if end is None:
                is_real = tensor.is_floating_point() or tensor.is_complex()
                seen.absent = (why or cut or "requires none") if is_real else "integer"
                seen.leaf = tensor.is_leaf
            else:
                self._ask(tensor, seen)
            bindings.append(seen)
        if new:
            code, module = id(call.code), id(call.module)
            placed = [((code, module, seen.name, seen.line), seen.value) for seen in new]
            with below_autograd():
                copies = self.rows.copy(placed)
            for seen, copy in zip(new, copies, strict=True):
                seen.value = copy
        for other, first in again:
            other.value, other.leaf, other.absent = first.value, first.leaf, first.absent
            other.gradients, other.drawn = first.gradients, first.drawn
        self._check_memory(bindings)
        return bindings

    def _check_memory(self, bindings: Sequence[Binding]) -> None:
        """Refuse, now and then, what would not fit."""
        self._unchecked += len(bindings)
        if self._unchecked >= _CHECKED:
            self._unchecked = 0
            # The value and the derivative, here and in the arrays that are made of them.
            check_memory(4 * self.rows.numbers, bindings[-1].value.dtype)

    def note_hook(self, tensor: Any) -> None:
        """The user puts a hook on a tensor, through which its derivative goes."""
        if not self._hooks and isinstance(tensor, Tensor) and tensor.grad_fn is not None:
            self.hooked.add(tensor.grad_fn)

    def is_known(self, tensor: Tensor) -> bool:
        """Whether a name was bound to a tensor as it is now."""
        seen = self._now.get(id(tensor))
        is_same = seen is not None and seen.ref() is tensor and seen.version == version_of(tensor)
        return is_same and seen is not None and seen.is_named

    def identity_of(self, tensor: Tensor) -> int:
        """The identity of a tensor that was bound as it is now; −1 of any other."""
        seen = self._now.get(id(tensor))
        is_same = seen is not None and seen.ref() is tensor and seen.version == version_of(tensor)
        return seen.identity if is_same and seen is not None else -1

    def has_other_numbers(self, tensor: Tensor) -> bool:
        """Whether a tensor was written into since a name was bound to it, so that it has other numbers."""
        seen = self._now.get(id(tensor))
        return seen is None or seen.ref() is not tensor or not _same(seen.value, tensor)

    def settle(self, bindings: list[Binding]) -> None:
        """Say of views that were changed after names were bound to them that their derivatives are not whole.

        The graph of a view is made anew from that of what it is a view of, past the node that it had.
        """
        for seen in list(self._now.values()):  # to which another thread may be adding
            tensor = seen.ref()
            if tensor is not None and seen.version != version_of(tensor):
                self._changed(seen, tensor)
        spoilt = {id(seen.gradients) for seen in self._asked if seen.absent == CHANGED}
        for binding in bindings if spoilt else ():
            if id(binding.gradients) in spoilt:
                binding.absent = CHANGED

    def forget_graph(self, bindings: list[Binding]) -> None:
        """No name is bound any more: where hooks tell derivatives, the graph is the user's to let go of."""
        if self._hooks:
            self.settle(bindings)
            self.units = known_units(bindings)
            self.scanned = scanned_behind(bindings)
            note_weights(bindings)
            for seen in self._asked:
                seen.end = None

    @property
    def is_reached(self) -> bool:
        """Whether a backward pass came to something that was computed. Leaves may be reached by others'."""
        return any(seen.gradients for seen in reversed(self._asked) if not seen.leaf)

    def let_go_of_leaves(self) -> None:
        """Take the hooks of leaves away, which are there for backward passes through other code too."""
        self._take_away([seen for seen in self._asked if seen.leaf])

    def release(self) -> None:
        """Take every hook away again."""
        self._take_away(self._asked)
        self._asked, self._now, self.hooked = [], {}, set()

    def _take_away(self, asked: list[Seen]) -> None:
        for seen in asked:
            if seen.handle is not None:
                seen.handle.remove()

    def _copy(self, tensor: Tensor) -> Tensor | None:
        """What a tensor is now; None of one without values, or whose values are not side by side."""
        if tensor.layout is not torch.strided:
            return None
        if is_symbolic() or not has_values(tensor):
            return None
        try:
            with unobserved():
                return tensor.detach().clone()
        except (RuntimeError, NotImplementedError, TypeError):
            return None  # a kind of tensor that cannot be copied

    def _ask(self, tensor: Tensor, seen: Seen) -> None:
        """Have backward passes tell its derivative."""
        if seen.end is not tensor:
            seen.output = tensor.output_nr
            if self._hooks:
                node, output = made_by(seen.end, seen.output)
                seen.handle = node.register_prehook(partial(seen.of_node, output, self.losses))
        else:
            seen.leaf = True
            if self._hooks:
                seen.handle = tensor.register_hook(seen.of_leaf)
        self._asked.append(seen)

    def ends(self) -> list[Tensor | GradientEdge]:
        """What the loss is to be differentiated by, for `derive`."""
        return [s.end if s.leaf else GradientEdge(*made_by(s.end, s.output)) for s in self._asked]

    def derive(self, gradients: Sequence[Tensor | None]) -> None:
        """Take the derivatives by all `ends`; None where the loss does not depend on one."""
        for seen, gradient in zip(self._asked, gradients, strict=True):
            if gradient is not None:
                seen.gradients.append(gradient.detach() if gradient.requires_grad else gradient)

    def _changed(self, seen: Seen, tensor: Tensor) -> None:
        """A tensor was changed in place: what backward passes give it from here on may be another's."""
        if not seen.is_asked:
            return
        if seen.leaf:
            if seen.handle is not None:
                seen.handle.remove()
        elif tensor._is_view() and not _same(seen.value, tensor):
            seen.absent = CHANGED


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether all numbers are the same, NaN and NaN too."""
    with torch.no_grad(), unobserved():
        if not one.is_complex():  # or one that is shown by its parts
            other = real_parts(other)
        if not comparable(one, other):
            return False
        return bool(((one == other) | ((one != one) & (other != other))).all())


def tensors_in(value: Any, depth: int = _DEPTH) -> list[tuple[str, Tensor]]:
    """The tensors in a tuple, list, dict or dataclass, and how their places are written.

    Args:
        value: anything.
        depth: so many of these within each other are looked into.
    """
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
    tensors: list[tuple[str, Tensor]] = []
    for place, item in items if depth == _DEPTH else items[:MOST_ITEMS]:
        if isinstance(item, Tensor):
            tensors.append((place, item))
        elif depth > 1 and item is not None and type(item) not in _PLAIN:
            tensors += [(place + inner, tensor) for inner, tensor in tensors_in(item, depth - 1)]
    return tensors

"""A tensor as it is when a name is bound to it for the first time, and what backward passes give it."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor

from lstmtui.capture.loss.heard_losses import HeardLosses
from lstmtui.capture.source.bindings import RETURNED, Binding, Call, Passes

_NONE = frozenset[int]()


class Seen(Binding):
    """The first binding of a tensor object as it is; of others all but the name and the place is the same."""

    __slots__ = ("end", "handle", "is_named", "output", "ref", "version", "weights")

    ref: weakref.ref[Tensor]
    version: int
    """How often it had been written into."""
    is_named: bool
    """Whether a name was bound to it; else a function has returned it."""
    output: int
    """Which result of its node it is."""
    handle: Any
    """What takes the hook away again."""
    weights: frozenset[int]
    """The ids of the parameters that it was computed with, as far as these were kept when the graph went."""
    end: Any
    """Where its derivative is to be had: its node, or of a leaf itself; None: nowhere."""

    def __init__(
        self,
        order: int,
        call: Call,
        name: str,
        line: int,
        passes: Passes,
        tensor: Tensor,
        identity: int,
        version: int,
        end: Any,
    ) -> None:
        # There are very many: this takes half as long as the one of a dataclass.
        self.order, self.call, self.name, self.line, self.passes = order, call, name, line, passes
        self.value, self.identity, self.version, self.end = tensor, identity, version, end
        self.leaf, self.absent, self.drawn, self.gradients = False, "", False, []
        self.ref, self.handle, self.output, self.weights = weakref.ref(tensor), None, 0, _NONE
        self.is_named = name[:6] != RETURNED

    @property
    def is_asked(self) -> bool:
        """Whether backward passes tell its derivative."""
        return self.handle is not None or self.end is not None

    def of_node(self, output: int, losses: HeardLosses, gradients: tuple[Tensor | None, ...]) -> None:
        """Called before the node goes backward, after hooks of the user's, with what it is given."""
        gradient = gradients[output]
        if gradient is not None:
            losses.reach()
            # It is copied: hooks of the user's may change it on its way.
            self.gradients.append(gradient.detach().clone() if gradient.requires_grad else gradient.clone())

    def of_leaf(self, gradient: Tensor) -> None:
        """Called with a gradient of a leaf."""
        self.gradients.append(gradient.detach().clone())

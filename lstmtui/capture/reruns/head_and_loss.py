"""What follows the last layer of a recorded stack: its output and its loss, computed again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lstmtui.capture.loss.objective import loss_of
from lstmtui.capture.reruns.recorded_stack import RecordedStack
from lstmtui.capture.reruns.what_if_values import what_if_over_time
from lstmtui.scenario import Objective
from lstmtui.trace.edits import Edit, LossAt

HEAD = ("head.weight", "head.bias")


class HeadAndLoss:
    """The output and the loss as functions of h of the last layer.

    Args:
        stack: what was recorded.
        edits: of y.
        loss_at: what the gradients are taken of in place of the recorded loss.
    """

    def __init__(self, stack: RecordedStack, edits: Sequence[Edit], loss_at: LossAt | None) -> None:
        self._stack, self._edits, self._loss_at = stack, edits, loss_at
        self._header = stack.trace.header
        self.head: dict[str, Tensor] = {}
        if self._header.output_kind == "head":
            self.head = {n: stack.tensor(stack.trace.arrays["parameters/" + n]) for n in HEAD}

    @property
    def absent(self) -> str:
        """Why the loss cannot be taken again, in a sentence; empty where it can."""
        kind = self._header.loss_kind
        of_own_code = kind != "last_hidden" and self._header.output_kind == "custom"
        if self._loss_at is None and (kind == "custom" or of_own_code):
            return (
                "the loss of this run was a function that the trace does not hold, so a what-if has no "
                "loss and no derivatives; say `loss at T` to take those of h"
            )
        return ""

    def y(self, h: Tensor) -> Tensor | None:
        """The output (T, B, units) of h (T, B, directions·P); None where the model's own code made it."""
        kind = self._header.output_kind
        if kind == "custom":
            return None
        # Without a head y is h, but a node of its own, so that what acts on y alone can be told.
        y = functional.linear(h, *(self.head[n] for n in HEAD)) if kind == "head" else h.clone()
        return what_if_over_time(y, self._edits)

    def loss(self, h: Tensor, y: Tensor | None) -> Tensor | None:
        """The scalar the gradients are of; None where it cannot be taken again."""
        at, kind = self._loss_at, self._header.loss_kind
        if at is not None:
            place = (h if y is None else y)[at.t, at.batch]
            return place.sum() if at.unit is None else place[at.unit]
        if kind == "last_hidden":
            return self._last_hidden(h).sum()
        if kind == "custom" or y is None:
            return None
        arrays = self._stack.trace.arrays
        # torch warns of arrays that cannot be written, and those of a saved trace cannot.
        target = np.array(arrays["target"]) if "target" in arrays else None
        objective = Objective(kind, "every", target, np.array(arrays["mask"], dtype=bool))
        loss = loss_of(objective, self._stack.device, head=True)
        return None if loss is None else loss((y, None))

    def _last_hidden(self, h: Tensor) -> Tensor:
        """h after the last timestep each direction saw: the end of each sequence, and its beginning."""
        size = self._stack.trace.layers[-1].size("h")
        lengths = self._stack.trace.lengths.astype(np.int64)
        last = torch.as_tensor(lengths - 1, device=h.device)
        ends = h[last, torch.arange(h.shape[1], device=h.device), :size]
        return torch.cat([ends, h[0, :, size:]], -1)

"""The losses of the backward passes that come to what is recorded."""

from __future__ import annotations

from torch import Tensor

from lstmtui.models.torch_compat import backward_pass


class HeardLosses:
    """Those of one recording, which are added up as the derivatives are."""

    def __init__(self) -> None:
        self._reached: set[int] = set()
        """The numbers of the passes that came to it."""
        self._losses: dict[int, Tensor] = {}
        """By the number of the pass."""

    def reach(self) -> None:
        """The backward pass that runs in this thread has come to what is recorded."""
        self._reached.add(backward_pass())

    def hear(self, number: int, outer: int, loss: Tensor | None) -> None:
        """A backward pass is over; see :data:`lstmtui.capture.loss.backward_passes.Listener`."""
        if number not in self._reached:
            return
        if outer != -1:
            self._reached.discard(number)
            self._reached.add(outer)
        elif loss is not None:
            self._losses[number] = loss

    @property
    def count(self) -> int:
        """How many backward passes came."""
        return len(self._reached)

    @property
    def total(self) -> float | None:
        """The losses of all passes that came; None where there was none, or the loss of one is not known."""
        if not self._reached or self._reached != self._losses.keys():
            return None
        return sum(loss.item() for loss in self._losses.values())

"""What the gradients of a run by source are taken of in place of its loss: `loss at T`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.source.tracing.addresses import Address
from lstmtui.capture.source.tracing.replacements import Replacements
from lstmtui.capture.source.what_ifs.changed_numbers import changed_by, check_place
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt


class ChosenLoss:
    """One number or a sum of numbers of a timestep: of what the model returned, or of a variable.

    Args:
        at: where.
        trace: as it was recorded.
        recorder: of the same run once more.
        numbers: the addresses of its bindings, by their ids.

    Raises:
        UserError: the variable is not bound at this timestep.
    """

    def __init__(
        self, at: LossAt, trace: Trace, recorder: SourceRecorder, numbers: Mapping[int, Address]
    ) -> None:
        self._at, self._trace = at, trace
        self.text = at.words(at.quantity or "y")
        """In words."""
        self.address: Address | None = None
        """Where the variable is bound; None where it is of what the model returned."""
        if at.quantity:
            edit = Edit(0, "", at.layer, "forward", at.batch, at.quantity, at.unit, 0.0, at.t, at.t)
            bound: list[tuple[Binding, Array]] = list(changed_by(recorder.layers, trace, edit))
            if not bound:
                raise UserError(f"{at.quantity} is not bound at t={at.t}, so it cannot be the loss there")
            binding, positions = bound[-1]
            self.address, self._positions = numbers[id(binding)], torch.as_tensor(positions, device="cpu")

    def of(self, recorders: Sequence[SourceRecorder], replacements: Replacements) -> Callable[[Any], Tensor]:
        """The loss as a function of what the model returns.

        Args:
            recorders: the one of the run whose loss it is, once that has begun.
            replacements: of that run.
        """

        def loss(result: Any) -> Tensor:
            if self.address is not None:
                if replacements.tensor is None:
                    raise UserError(f"{self._at.quantity}: its tensor is not available at t={self._at.t}")
                chosen = replacements.tensor.reshape(-1)[self._positions.to(replacements.tensor.device)]
                return self._checked(chosen.sum())
            output, turn = recorders[0].output_of(result)
            if output is None or turn(output).shape != self._trace.arrays["y"].shape:
                raise UserError(
                    "y: it is not known which axis of the model's result is time; name a variable instead"
                )
            check_place("y", self._at.t, self._at.batch, self._at.unit, tuple(turn(output).shape))
            place = turn(output)[self._at.t, self._at.batch]
            return self._checked(place.sum() if self._at.unit is None else place[self._at.unit])

        return loss

    def _checked(self, loss: Tensor) -> Tensor:
        if not loss.requires_grad:
            raise UserError(f"{self._at.quantity or 'y'}: is out of the graph at t={self._at.t}")
        return loss

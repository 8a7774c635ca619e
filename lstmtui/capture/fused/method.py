"""The fused way to run a layer, segment by segment."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import torch
from torch import Tensor

from lstmtui.capture.devices import free_memory
from lstmtui.capture.fused.derivatives import SegmentRun
from lstmtui.capture.fused.equations import Evaluation, values_of, with_c_from_h
from lstmtui.capture.fused.finite import finite, total_of
from lstmtui.capture.fused.kernel import KERNELS, Kernel, KernelRun, is_onednn
from lstmtui.capture.fused.taps import from_taps
from lstmtui.capture.fused.walk import step_by_step
from lstmtui.capture.products import is_cudnn, kernel_precision, operands_of, products_in
from lstmtui.capture.segment import Segment, SegmentDerivatives
from lstmtui.capture.unrolled import Unrolled
from lstmtui.cells import CELLS, Cell
from lstmtui.models.unroll import States

KEPT = 256 * 2**20
"""Bytes of working memory up to which a run is one segment, whose kernel is not run again to go backward."""
WORKING = 32 * 2**20
"""Bytes of working memory of one of several segments."""
SHORTEST = 64
"""Timesteps that a segment has at least."""
LONGEST = 65_535
"""Timesteps that cuDNN takes in one call."""


class NotFinite(Exception):
    """A number overflowed or is NaN, and would meet a coefficient of 0 that the equations do not have."""


class Fused:
    """PyTorch's kernel and the equations of all timesteps of a segment at once.

    Args:
        cell: one of those in `KERNELS`.
        parameters: of one layer and direction, by base name; finite.
        steps: T, the timesteps of the whole run.
        batch: B.
    """

    def __init__(self, cell: Cell, parameters: Mapping[str, Tensor], steps: int, batch: int) -> None:
        self._cell = cell
        self._parameters = {name: p.detach() for name, p in parameters.items()}
        weight, onednn = self._parameters["weight_hh"], is_onednn(cell, self._parameters)
        self._device = weight.device
        self.precision = kernel_precision(weight, onednn)
        self._walks = walks(cell, self._parameters)
        if on_gpu(weight):
            self.keeps, self.length = _in_free_memory(cell, self._parameters, steps, batch)
        else:
            need = _working_memory(cell, self._parameters, batch)
            self.keeps = steps * need <= KEPT
            self.length = steps if self.keeps else max(SHORTEST, WORKING // need)
        self._plain: Kernel | None = None
        self._tapped: Kernel | None = None

    def forward(self, x: Tensor, states: States, valid: Tensor | None) -> Segment:
        """Run a segment.

        Args:
            x: (T, B, input), in the order the cell sees it.
            states: h, or h and c, before.
            valid: bool (T, B, 1), or None.

        Raises:
            NotFinite: as said there.
        """
        kernel = self._with_taps() if self.keeps and not self._walks else self._without_taps()
        run = kernel.run(x, states, valid)
        output = run.output.detach()
        finals = tuple(s.detach().clone() for s in run.finals)
        made = self._values(x, output, states, valid)
        total, suspicion = torch.stack([total_of(output, *finals), made.suspicion]).tolist()
        if not (isfinite(total) or finite(output, *finals)):
            raise NotFinite
        if not suspicion <= 0:
            made, finals = self._truer(made, finals, x, states, valid)
        run.squashed = made.squashed
        return Segment(made.values, finals, made.gap, run if run.leaves else None)

    def backward(
        self,
        x: Tensor,
        states: States,
        valid: Tensor | None,
        segment: Segment,
        d_output: Tensor | None,
        d_finals: tuple[Tensor | None, ...],
    ) -> SegmentDerivatives:
        """Run a segment backwards.

        Args:
            x: as in `forward`.
            states: as in `forward`.
            valid: as in `forward`.
            segment: as `forward` gave it, or with its values alone, or without anything.
            d_output: ∂L/∂h by what follows the layer, or None for 0.
            d_finals: ∂L/∂ the states after the segment; None for 0.
        """
        run, squashed = segment.graph, None
        if not isinstance(run, KernelRun) and not (self._walks and segment.values):
            run = (self._without_taps() if self._walks else self._with_taps()).run(x, states, valid)
        if isinstance(run, KernelRun):
            squashed = run.squashed
        if not segment.values:
            assert isinstance(run, KernelRun)
            made = self._values(x, run.output.detach(), states, valid)
            if not made.suspicion.item() <= 0:
                made, _ = self._truer(made, run.finals, x, states, valid)
            segment.values, squashed = made.values, made.squashed
        forward = SegmentRun(
            self._cell,
            self._parameters,
            {**segment.values, "x": x},
            squashed,
            states,
            valid,
            d_output,
            d_finals,
        )
        with products_in(self.precision, self._device):
            result = None
            if isinstance(run, KernelRun) and run.leaves:
                back = self._with_taps().gradients(run, d_output, d_finals)
                segment.graph = run = None
                result = from_taps(forward, back)
            result = result or step_by_step(forward)
        if result is None:
            slow = Unrolled(self._cell, self._parameters)
            return slow.backward(x, states, valid, segment, d_output, d_finals)
        return result

    def _with_taps(self) -> Kernel:
        if self._tapped is None:
            self._tapped = Kernel(self._cell, self._parameters, tapped=True)
        return self._tapped

    def _without_taps(self) -> Kernel:
        if self._plain is None:
            self._plain = Kernel(self._cell, self._parameters, tapped=False)
        return self._plain

    def _truer(
        self, made: Evaluation, finals: States, x: Tensor, states: States, valid: Tensor | None
    ) -> tuple[Evaluation, States]:
        """Every quantity, and the last states, of a suspicious run: with c from h, or step by step."""
        if made.sizes is not None and "weight_hr" not in self._parameters:
            retaken = with_c_from_h(made)
            if retaken is not None:
                return retaken, finals
        segment = Unrolled(self._cell, self._parameters).forward(x, states, valid)
        gap = (segment.values["h"] - made.values["h"]).abs().amax()
        return Evaluation(segment.values, gap, None, None, gap), segment.finals

    def _values(self, x: Tensor, h: Tensor, states: States, valid: Tensor | None) -> Evaluation:
        """Every quantity, by products in the precision of the kernel that gave h."""
        operand = operands_of(self.precision if is_cudnn(self._device) else "")
        with products_in(self.precision, self._device):
            return values_of(self._cell, self._parameters, x, h, states, valid, operand)


def applies(cell: Cell, parameters: Mapping[str, Tensor], x: Tensor, states: States) -> bool:
    """Whether there is a kernel for this cell, and no number that a tap's 0 would make a NaN of."""
    if CELLS.get(cell.name) != cell or cell.name not in KERNELS:
        return False
    if x.dtype not in (torch.float32, torch.float64) or x.device.type not in ("cpu", "cuda"):
        return False
    return finite(*parameters.values(), x, *states)


def on_gpu(tensor: Tensor) -> bool:
    """Whether memory is scarce, and its size known, where a tensor is."""
    return tensor.device.type == "cuda"


def walks(cell: Cell, parameters: Mapping[str, Tensor]) -> bool:
    """Whether a layer goes backward step by step, and not by its kernel.

    Where PyTorch's kernel is a loop of operations, that is faster. And it is the only way for tied gates: the
    kernel takes i and 1 − i as two gates, and rounds what they give apart, where it has to cancel.
    """
    loops = parameters["weight_hh"].device.type == "cpu" and not is_onednn(cell, parameters)
    return loops or cell.name == "lstm_coupled"


def _working_memory(cell: Cell, parameters: Mapping[str, Tensor], batch: int) -> int:
    """Bytes that a timestep takes while its segment is run: what the kernel keeps to go backward."""
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    units = len(weight_hh) // len(cell.rows)
    numbers = 2 * (weight_ih.shape[1] + 2 * units) + 16 * units
    return batch * numbers * weight_hh.element_size()


def _in_free_memory(cell: Cell, parameters: Mapping[str, Tensor], steps: int, batch: int) -> tuple[bool, int]:
    """Whether a GPU has memory for all of a run until it goes backward, and the timesteps of a segment."""
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    inputs, size = weight_ih.shape[1], weight_hh.element_size()
    units, states = len(weight_hh) // len(cell.rows), weight_hh.shape[1]
    # x with its taps; what the kernel keeps of every row, and works in; every quantity and its derivative.
    numbers = 5 * inputs + 4 * states + (3 * len(cell.rows) + 2 * len(cell.quantities) + 12) * units
    need = batch * numbers * size
    # The output, the gradient by it and the one by x are there for all timesteps in any case.
    taken = steps * batch * (2 * states + inputs) * size
    taken += 8 * sum(p.numel() for p in parameters.values()) * size
    room = max(0, free_memory(weight_hh.device) - taken)
    keeps = steps * need <= room // 4  # other layers, and the rest of the model, have a share too
    return keeps, min(steps if keeps else max(1, room // 2 // need), steps, LONGEST)

"""Runs a layer on a GPU once more to compute its arrays."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lstmtui.capture.precision import full_precision
from lstmtui.capture.products import kernels_in
from lstmtui.capture.progress import Progress
from lstmtui.capture.recomputed_arrays import RecomputedArrays
from lstmtui.capture.recording import Recording
from lstmtui.capture.segments import run_backward, run_forward
from lstmtui.capture.stores.host_store import HostStore, PassingStore
from lstmtui.models.unroll import States


class RecomputedLayer(RecomputedArrays):
    """The arrays of a recording.

    Args:
        recording: of a layer that is about to be run by a kernel. Of its arrays it keeps h and ∂L/∂x alone,
            until the graph has taken them.
        parameters: by base name.
        x: (T, B, input), in the order the cell sees it.
        states: h, or h and c, before the run.
    """

    def __init__(
        self, recording: Recording, parameters: Mapping[str, Tensor], x: Tensor, states: States
    ) -> None:
        super().__init__(recording.valid, parameters, x, states)
        self._cell = recording.cell
        recording.values = PassingStore("h", {"x": self.x})
        recording.derivatives = PassingStore("x")

    def _run(self) -> tuple[HostStore, HostStore]:
        device = self._device
        parameters = {name: p.tensor().to(device) for name, p in self.parameters.items()}
        states = tuple(s.to(device) for s in self._states)
        recording = Recording(self._cell, parameters, Progress())
        recording.values, recording.derivatives = stores = HostStore(), HostStore()
        recording.valid = None if self._valid is None else self._valid.to(device)
        x = self.x.tensor()
        anomalies = torch.autograd.set_detect_anomaly(False)
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            anomalies,
            full_precision(states[0]),
            kernels_in(self.precision, device),
        ):
            pieces, _ = run_forward(recording, parameters, x, states, fused=True)
            if self._d_states is not None:
                d_output = None if self.d_output is None else self.d_output.tensor()
                d_states = tuple(None if d is None else d.to(device) for d in self._d_states)
                run_backward(recording, recording, pieces, x, d_output, d_states)
        return stores

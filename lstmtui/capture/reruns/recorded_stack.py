"""The stack of cells of a trace, ready to be run again from what the trace holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.devices import DTYPES, resolve_device
from lstmtui.errors import UserError
from lstmtui.models.unroll import States
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key

_REPEATED = re.compile(r"@\d+$")
"""What the path of a module ends in where it is a later call of it that is a run of its own."""
_LOSS_READS: dict[str, set[str]] = {"custom": set(), "last_hidden": set(), "sum": {"mask"}}
"""The arrays that losses without a target read."""


class RecordedStack:
    """One recurrent module of one recorded run.

    Tensors are on the device and in the dtype of the run; on the CPU where that device is not here.

    Raises:
        UserError: the trace does not hold all that is needed to run it again.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.layers = range(len(trace.layers))
        self.steps, self.batch = trace.steps, trace.batch
        self.device = _device_of(trace.header.device)
        self._check()
        self.dtype = _dtype_of(trace)
        lengths = np.asarray(trace.lengths)
        self.lengths = None if (lengths == self.steps).all() else lengths.astype(np.int64)

    def tensor(self, array: Array) -> Tensor:
        """An array as a tensor of the run."""
        # A copy: an array may be mapped from a file and not be writable, or stand in reverse.
        return torch.from_numpy(np.array(array, order="C")).to(self.device, self.dtype)

    def parameters(self, layer: int, direction: str) -> dict[str, Tensor]:
        """The parameters of a layer and direction by base name."""
        arrays = self.trace.layer_parameters(layer, direction)
        return {base: self.tensor(array) for base, array in arrays.items()}

    def valid(self, direction: str) -> Tensor | None:
        """bool (T, B, 1) in the order the cell sees time; None where all sequences have T timesteps."""
        if self.lengths is None:
            return None
        within = np.arange(self.steps)[:, None] < self.lengths
        return torch.tensor(in_order(within, direction).copy(), device=self.device).unsqueeze(-1)

    def states_before(self, arrays: Mapping[str, Array], layer: int, direction: str, position: int) -> States:
        """The states before a timestep, `position` in the order the cell sees time; each (B, units).

        For a sequence that is over by then they are 0, and are read by nothing.
        """
        last = np.full(self.batch, position - 1)
        if self.lengths is not None and direction == "backward":
            # What comes first is what lies past the end of the sequence: there is no state of its own.
            last = np.where(position > self.steps - self.lengths, last, -1)
        states = []
        for state in self.trace.cell(layer).states:
            ordered = in_order(arrays[array_key(state, layer, direction)], direction)
            before = ordered[np.maximum(last, 0), np.arange(self.batch)]
            initial = arrays[array_key("initial/" + state, layer, direction)]
            states.append(self.tensor(np.where(last[:, None] >= 0, before, initial)))
        return tuple(states)

    def last_h(self, arrays: Mapping[str, Array]) -> Array:
        """h of the last layer over all time, both directions side by side, (T, B, directions·P)."""
        return h_of(self.trace, arrays, len(self.layers) - 1)

    def _check(self) -> None:
        trace, header = self.trace, self.trace.header
        if header.what_ifs:
            self._refuse("it is a what-if itself")
        runs = {layer.path for layer in trace.layers}
        modules = {_REPEATED.sub("", path) for path in runs}
        if len(runs) > len(modules) == 1:
            self._refuse(
                f"{modules.pop() or 'its one recurrent module'} is called {len(runs)} times, and a trace "
                "does not tell what happens between its calls"
            )
        if len(modules) > 1 and header.module.lower().endswith(".onnx"):
            self._refuse(
                f"{header.module} runs {len(modules)} recurrent nodes, and a trace does not hold what its "
                "graph does between them"
            )
        if len(modules) > 1:
            self._refuse("it has several recurrent modules, and a trace does not tell how they are connected")
        for layer in trace.layers:
            if layer.calls > 1:
                self._refuse(
                    f"{layer.path} is called in a loop of the model's own code, and a trace does not tell "
                    "what happens between its calls"
                )
        for index, layer in enumerate(trace.layers):
            for direction in layer.directions:
                parameters = trace.layer_parameters(index, direction)
                states = trace.cell(index).states
                names = {"x", "h", *states, *("initial/" + state for state in states)}
                needed = {array_key(name, index, direction) for name in names}
                if set(layer.layout.shapes_of(0)) - set(parameters) or needed - set(trace.arrays):
                    self._refuse(f"its trace lacks parameters, states or inputs of layer {index}")
            above = trace.arrays[array_key("x", index, "forward")]
            if index and not np.array_equal(above, h_of(trace, trace.arrays, index - 1), equal_nan=True):
                self._refuse(
                    f"what layer {index} was given is not h of layer {index - 1}; where that comes from "
                    "dropout, record it in evaluation mode"
                )
        if header.output_kind == "head" and not self._has_head():
            self._refuse("its trace lacks the parameters of its head")
        if not _LOSS_READS.get(header.loss_kind, {"mask", "target"}) <= set(trace.arrays):
            self._refuse("its trace lacks what its loss is taken of")

    def _has_head(self) -> bool:
        weight, bias = (self.trace.arrays.get("parameters/head." + n) for n in ("weight", "bias"))
        last = self.trace.layers[-1]
        units = last.size("h") * len(last.directions)
        return weight is not None and bias is not None and weight.shape == (len(bias), units)

    def _refuse(self, why: str) -> None:
        raise UserError(f"{self.trace.name}: cannot be run again: {why}")


def in_order(array: Array, direction: str) -> Array:
    """A view of (T, …) in the order the cell sees time; applied twice it is the array again."""
    return array[::-1] if direction == "backward" else array


def h_of(trace: Trace, arrays: Mapping[str, Array], layer: int) -> Array:
    """h of a layer over all time, both directions side by side."""
    each = [arrays[array_key("h", layer, direction)] for direction in trace.layers[layer].directions]
    return np.concatenate(each, axis=-1) if len(each) > 1 else each[0]


def _device_of(name: str) -> torch.device:
    try:
        return resolve_device(name)
    except UserError:
        return torch.device("cpu")


def _dtype_of(trace: Trace) -> torch.dtype:
    """What the run computed in; the arrays tell where the output alone had another dtype."""
    stored = trace.arrays[array_key("x", 0, "forward")].dtype
    if stored == np.float64:
        return torch.float64
    named = DTYPES.get(trace.header.dtype, torch.float32)
    return torch.float32 if named == torch.float64 else named

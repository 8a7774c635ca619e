"""Which of its input the outputs that a loss reads depend on; asked by backward passes of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from lstmtui.arrays import Array
from lstmtui.capture.devices import on_device
from lstmtui.capture.loss.followed_input import Part
from lstmtui.capture.loss.reach import Stacked
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.recording import Probe
from lstmtui.capture.to_numpy import numpy_of

APART = 8
"""How many timesteps apart those are that are asked for together."""
RARE = 0.25
"""The share of the timesteps below which few are read so."""


@dataclass
class Question:
    """Which part of the loss is differentiated, and by what."""

    outputs: Tensor
    """(T, B, units), in the graph."""
    d_outputs: Tensor
    """∂L/∂ these."""
    parts: list[tuple[Part, int]]
    """Of the input, each with its axis of time."""
    runs: Sequence[ModuleRun]
    each: Sequence[tuple[GradientEdge, Tensor]] = ()
    """Of outputs that were put together from one tensor for each timestep, where these are in the graph, with
    ∂L/∂ them: no timestep after the last one that is asked for is run back then. Empty for others."""

    def latest(self, start: int, stop: int, probe: Probe) -> int:
        """The last timestep of the input that a part of the read outputs depends on; −1 if there is none.

        Args:
            start: the first timestep of that part.
            stop: the one after its last.
            probe: what is asked of the layers that read backward.
        """
        picked: Sequence[Any] = [(self.outputs[start:stop] * self.d_outputs[start:stop]).sum()]
        weights: list[Tensor] | None = None
        if self.each:
            picked = [edge for edge, _ in self.each[start:stop]]
            weights = [d_output for _, d_output in self.each[start:stop]]
        sources = [part.source for part, _ in self.parts]
        gradients = self._differentiated(picked, weights, sources, "whole", probe)
        latest = -1
        for (part, axis), gradient in zip(self.parts, gradients, strict=True):
            if gradient is not None and bool((where := gradient != 0).any()):
                times = part.times[axis].expand(gradient.shape)
                latest = max(latest, int(times[where].max()))
        return latest

    def read_elsewhere(self, stacked: Stacked | None = None) -> Array:
        """The timesteps of the input that the output of another timestep depends on, past the recurrences.

        Args:
            stacked: tensors of all timesteps that take the place of the input.

        A layer hands back to each timestep what was asked of the same timestep alone. What is asked at t is
        multiplied by a power of 2, which changes no digit of any number, and by another one at t + 1: where
        a timestep of the input is read at the same timestep alone, its gradient is multiplied by exactly
        that. Those read before it, which looks ahead, come first, as far as that can be told.
        """
        steps, device = len(self.outputs), self.outputs.device
        most = 4 if self.outputs.dtype == torch.float16 else 16
        # Of two neighbours no exponent is the same.
        exponents = np.random.default_rng(0).integers(1, most, steps).cumsum() % most
        factors = on_device(2.0**exponents, device)
        parts = [] if stacked is not None else self.parts
        sources: list[Any] = [part.source for part, _ in parts]
        if stacked is not None:
            sources = [GradientEdge(stacked.node, 0)]
        plain, weighted = (self._weighted(f, sources) for f in (torch.ones_like(factors), factors))
        elsewhere, early = np.zeros(steps, bool), np.ones(steps, bool)
        for n, (even, factored) in enumerate(zip(plain, weighted, strict=True)):
            if even is None or factored is None:
                continue
            if stacked is None:
                part, axis = parts[n]
                times = part.times[axis].to(device).expand(even.shape)
            else:
                times = _positions(even, stacked.axis)
            is_apart = _is_apart(even, factored, factors[times])
            if bool(is_apart.any()):
                elsewhere[numpy_of(times[is_apart])] = True
                before = _is_apart(even, factored, factors[(times - 1).clamp(min=0)])
                early[numpy_of(times[before])] = False
        where = np.flatnonzero(elsewhere)
        return where[np.argsort(~early[where], kind="stable")]

    def read_unlike_others(self) -> Array:
        """The timesteps of the input that are read so many timesteps later, or before, as few others are.

        Every 8th timestep is asked for, in 8 passes: what is read so far off is seen of all timesteps then,
        up to multiples of 8.
        """
        steps, apart = len(self.outputs), np.zeros((len(self.outputs), APART), bool)
        sources: list[Any] = [part.source for part, _ in self.parts]
        every = torch.arange(steps, device=self.outputs.device) % APART
        for rest in range(APART):
            gradients = self._weighted(every == rest, sources)
            for (part, axis), gradient in zip(self.parts, gradients, strict=True):
                if gradient is not None:
                    times = part.times[axis].to(gradient.device).expand(gradient.shape)
                    read = numpy_of(times[gradient != 0])
                    apart[read, (rest - read) % APART] = True
        return np.flatnonzero((apart & (apart.mean(0) < RARE)).any(1))

    def _weighted(self, factors: Tensor, sources: Sequence[Any]) -> Sequence[Tensor | None]:
        """∂ by some tensors where every timestep is read, multiplied by its own factor."""
        is_read = (self.d_outputs != 0).flatten(1).any(1)
        read = torch.where(is_read[:, None, None], self.d_outputs, torch.ones_like(self.d_outputs))
        factors = factors.to(read.dtype)
        # As a number: with weights of its own, autograd loads a library that takes a second.
        total = (self.outputs * (read * factors[:, None, None])).sum()
        return self._differentiated([total], None, sources, "own", "own")

    def _differentiated(
        self,
        picked: Sequence[Any],
        weights: Sequence[Tensor] | None,
        sources: Sequence[Any],
        forward: Probe,
        backward: Probe,
    ) -> Sequence[Tensor | None]:
        """∂ by some tensors, with what is asked of layers that read forward, and backward."""
        with _probed(self.runs, forward, backward):
            return torch.autograd.grad(picked, sources, weights, retain_graph=True, allow_unused=True)


def _positions(tensor: Tensor, axis: int) -> Tensor:
    """The position along an axis of every number of a tensor."""
    positions = torch.arange(tensor.shape[axis], device=tensor.device)
    return positions.expand(tensor.movedim(axis, -1).shape).movedim(-1, axis)


def _is_apart(gradient: Tensor, factored: Tensor, factors: Tensor) -> Tensor:
    """Where `factored` is not the gradient times the factors."""
    expected = gradient * factors.to(gradient.dtype)
    return (factored != expected) & ~(factored.isnan() & expected.isnan())


@contextmanager
def _probed(runs: Sequence[ModuleRun], forward: Probe, backward: Probe) -> Iterator[None]:
    """Within this context, layers report what they have seen instead of their gradients."""
    parts = list(chain.from_iterable((run, *run.further) for run in runs))
    recordings = [(place[1], r) for part in parts for place, r in part.recordings.items()]
    for direction, recording in recordings:
        recording.probe = backward if direction == "backward" else forward
    try:
        yield
    finally:
        for _, recording in recordings:
            recording.probe = ""

"""Whether some of the output depends on some of the input: by gradients, and by changing the input."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.equality import equal
from lstmtui.capture.laws.inputs import Inputs, Leaf
from lstmtui.capture.laws.outputs import Shape
from lstmtui.capture.laws.subject import Subject


@dataclass(frozen=True)
class Influence:
    """How much something depends on an input that it should not depend on."""

    gradient: float = 0.0
    """The largest |gradient|; NaN where one of them is not finite, which tells nothing."""
    change: float = 0.0
    """The largest |Δ| where the input is another."""

    @property
    def is_there(self) -> bool:
        """Whether anything depends on it at all."""
        return self.gradient > 0 or self.change > 0

    @property
    def largest(self) -> float:
        """The larger of the two."""
        return max(self.change, self.gradient)  # in this order a gradient of NaN is left out


class Graph:
    """One run with its graph, which can be differentiated any number of times.

    Attributes:
        is_differentiable: whether anything that comes out has a gradient by what goes in; not by tokens that
            are not looked up in an nn.Embedding.
    """

    def __init__(self, subject: Subject, shape: Shape, inputs: Inputs) -> None:
        self._inputs = inputs
        self._sources: list[tuple[Leaf, Tensor]] = []
        with _embedded(subject.model, inputs) as probes, subject.fresh():
            result = subject.call(self._differentiable(inputs))
        self._sources += probes
        self.outputs = shape.laid_out(result, inputs)
        generator = torch.Generator().manual_seed(2)
        self._weights = [
            torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor)
            for tensor in self.outputs
        ]
        self.is_differentiable = bool(self._sources) and any(t.requires_grad for t in self.outputs)

    def gradient(self, of: Tensor, by: Tensor, numbers: Collection[int]) -> float:
        """The largest |gradient| of some outputs by some inputs.

        Args:
            of: bool (T, B): which places of the outputs; where an axis is missing any of it counts.
            by: bool (T, B): which inputs.
            numbers: which outputs.

        Returns:
            NaN where one of them is not finite.
        """
        picked = [
            (self.outputs[n] * self._weights[n])[chosen(of, self.outputs[n])].sum()
            for n in numbers
            if self.outputs[n].requires_grad
        ]
        if not picked or not self._sources:
            return 0.0
        sources = [tensor for _, tensor in self._sources]
        gradients = torch.autograd.grad(sum(picked), sources, retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
        largest = 0.0
        for (leaf, _), gradient in zip(self._sources, gradients, strict=True):
            if gradient is not None:
                there = leaf.laid_out(gradient)
                part = there[chosen(by, there)]
                if part.numel():
                    if not torch.isfinite(part).all():
                        return float("nan")
                    largest = max(largest, float(part.abs().max()))
        return largest

    def _differentiable(self, inputs: Inputs) -> Inputs:
        def leafed(leaf: Leaf, tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point() or leaf.is_mask or not leaf.follows:
                return tensor
            if leaf.time is None and leaf.batch is None:
                return tensor
            own = tensor.detach().clone().requires_grad_()
            self._sources.append((leaf, own))
            return own

        return inputs.mapped(leafed)


class Dependence:
    """Which outputs depend on which input, by gradients and by trying other inputs.

    Args:
        subject: what is run.
        shape: its outputs.
        inputs: what it is given.
        numbers: which outputs are looked at.
    """

    def __init__(self, subject: Subject, shape: Shape, inputs: Inputs, numbers: Collection[int]) -> None:
        self._subject, self._shape, self._inputs, self._numbers = subject, shape, inputs, numbers
        self._graph = Graph(subject, shape, inputs)
        self.is_finite = True
        """Whether every gradient so far was a finite number."""
        self._base = [tensor.detach() for tensor in self._graph.outputs]

    @property
    def has_gradient(self) -> bool:
        """Whether gradients by the input were taken."""
        return self._graph.is_differentiable

    def of(self, of: Tensor, by: Tensor) -> Influence:
        """How much some places of the outputs depend on some of the input; both bool (T, B)."""
        self._subject.tick()
        gradient = self._graph.gradient(of, by, self._numbers)
        self.is_finite &= not math.isnan(gradient)
        other = self.with_other(by)
        pairs = [(self._base[n], other[n]) for n in self._numbers]
        return Influence(gradient, largest_change(pairs, of, self._subject.tolerance))

    def with_other(self, by: Tensor) -> list[Tensor]:
        """What comes out where some of the input is another, laid out."""
        result = self._subject.once(self._inputs.different(by))
        return [tensor.detach() for tensor in self._shape.laid_out(result, self._inputs)]


def largest_change(pairs: Iterable[tuple[Tensor, Tensor]], of: Tensor, tolerance: float) -> float:
    """The largest |Δ| between outputs at some places; below a thousandth of the tolerance it is rounding."""
    largest = 0.0
    for pair in pairs:
        if pair[0].shape != pair[1].shape:
            return float("inf")
        left, right = (tensor[chosen(of, tensor)] for tensor in pair)
        if not left.numel() or torch.equal(left, right):
            continue
        apart = (left - right).abs()
        apart = apart[~(torch.isnan(left) & torch.isnan(right))]
        scale = max(1.0, float(left.abs().nan_to_num(0, 0, 0).max()))
        size = float(apart.nan_to_num(float("inf")).max()) if apart.numel() else 0.0
        if size > scale * tolerance / 1000:
            largest = max(largest, size)
    return largest


def chosen(places: Tensor, tensor: Tensor) -> Tensor:
    """bool (T, B) as a mask of a tensor that may lack one of the axes: there any place counts."""
    mask = places
    if tensor.shape[0] == 1 and mask.shape[0] > 1:
        mask = mask.any(0, keepdim=True)
    if tensor.shape[1] == 1 and mask.shape[1] > 1:
        mask = mask.any(1, keepdim=True)
    return mask.to(tensor.device)


@contextmanager
def _embedded(model: Any, inputs: Inputs) -> Iterator[list[tuple[Leaf, Tensor]]]:
    """Within this context zeros that have a gradient are added to what tokens of the input become."""
    probes: list[tuple[Leaf, Tensor]] = []
    pairs = list(zip(inputs.leaves, inputs.tensors, strict=True))

    def add(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        for leaf, tensor in pairs:
            if leaf.follows and args and equal(args[0], tensor):
                probe = torch.zeros_like(output, requires_grad=True)
                probes.append((leaf, probe))
                return output + probe
        return None

    tables = (
        [m for m in model.modules() if isinstance(m, nn.Embedding)] if isinstance(model, nn.Module) else []
    )
    handles = [table.register_forward_hook(add) for table in tables]
    try:
        yield probes
    finally:
        for handle in handles:
            handle.remove()


def everywhere(inputs: Inputs) -> Tensor:
    """bool (T, B), all of it."""
    return torch.ones(inputs.steps, inputs.batch, dtype=torch.bool)

"""Which axes of a model's outputs are time and sequences, found by calling it with fewer of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lstmtui.capture.laws.inputs import Inputs, laid_out
from lstmtui.capture.laws.subject import Result, Subject


@dataclass(frozen=True)
class Output:
    """One of the tensors that a model returns."""

    name: str
    """y, y[1] …; or state, state[1] …"""
    time: int | None
    batch: int | None
    is_flat: bool = False
    """Whether one axis has the timesteps of all sequences, one after another."""
    batch_first: bool = False
    """Where it is flat: whether the timesteps of one sequence lie together."""
    own_steps: int = 0
    """How many timesteps it has where these are not as many as those of x, and `time` is None; else 0."""

    def laid_out(self, tensor: Tensor, steps: int, batch: int) -> Tensor:
        """The tensor as (T, B, units), in the graph; an axis that it lacks has the size 1."""
        if self.is_flat:
            assert self.time is not None
            sizes = (batch, steps) if self.batch_first else (steps, batch)
            tensor = tensor.movedim(self.time, 0)
            tensor = tensor.reshape(*sizes, -1)
            return tensor.transpose(0, 1) if self.batch_first else tensor
        return laid_out(tensor, self.time, self.batch)


@dataclass(frozen=True)
class Shape:
    """The outputs of a model, and what of its input they follow."""

    outputs: tuple[Output, ...]

    @property
    def has_time(self) -> bool:
        """Whether y has a value for each timestep."""
        return any(output.time is not None for output in self.of_y)

    @property
    def other_steps(self) -> int:
        """How many timesteps y has, where none of it has those of x; 0 where some has, or none has any."""
        return 0 if self.has_time else max((output.own_steps for output in self.of_y), default=0)

    @property
    def of_y(self) -> tuple[Output, ...]:
        """The outputs that are not the state."""
        return tuple(output for output in self.outputs if output.name.startswith("y"))

    def laid_out(self, result: Result, inputs: Inputs) -> list[Tensor]:
        """Every output as (T, B, units)."""
        pairs = zip(self.outputs, result.tensors, strict=True)
        return [output.laid_out(tensor, inputs.steps, inputs.batch) for output, tensor in pairs]


def probed(subject: Subject, inputs: Inputs) -> tuple[Inputs, Shape]:
    """The input, with which of it y's timesteps are, and the outputs with their axes."""
    whole = subject.once(inputs)
    inputs = _followed(subject, inputs, whole)
    shorter = _shapes(subject, inputs.cut(0, inputs.steps - 1)) if inputs.steps > 1 else None
    fewer = _shapes(subject, inputs.of(range(inputs.batch - 1))) if inputs.batch > 1 else None
    outputs = []
    for number, tensor in enumerate(whole.tensors):
        kind, at = ("y", number) if number < whole.of_y else ("state", number - whole.of_y)
        shape = tuple(tensor.shape)
        name = f"{kind}[{at}]" if at else kind
        time = _changed_axis(shape, _at(shorter, number))
        batch = _changed_axis(shape, _at(fewer, number))
        if shorter is None or _at(shorter, number) is None:
            time = _axis_by_size(shape, inputs, "time") if kind == "y" else None
        if fewer is None or _at(fewer, number) is None:
            batch = _axis_by_size(shape, inputs, "batch")
            batch = None if batch == time else batch
        if kind == "state":
            time = None
        is_flat = time is not None and time == batch and shape[time] == inputs.steps * inputs.batch
        if time == batch and not is_flat:
            time = None
        own_steps = 0 if time is None or is_flat or shape[time] == inputs.steps else shape[time]
        time = None if own_steps else time
        is_turned = is_flat and inputs.leaves[0].batch == 0
        outputs.append(Output(name, time, batch, is_flat, is_turned, own_steps))
    return inputs, _with_order(subject, inputs, Shape(tuple(outputs)), whole)


def _followed(subject: Subject, inputs: Inputs, whole: Result) -> Inputs:
    """Which tensors of x have the timesteps of y: those whose cut leaves y shorter."""
    timed = [n for n, leaf in enumerate(inputs.leaves) if leaf.time is not None]
    if len(timed) < 2 or inputs.steps < 2:
        return inputs
    follows = {}
    shape = [tuple(tensor.shape) for tensor in whole.tensors]
    for number in timed:
        tensor, axis = inputs.tensors[number], inputs.leaves[number].time
        assert axis is not None
        alone = tuple(replace(leaf, follows=n == number) for n, leaf in enumerate(inputs.leaves))
        part = replace(inputs, leaves=alone).cut(0, tensor.shape[axis] - 1)
        shapes = _shapes(subject, part)
        follows[number] = shapes is None or shapes[: whole.of_y] != shape[: whole.of_y]
    if not any(follows.values()):
        return inputs
    leaves = tuple(replace(leaf, follows=follows.get(n, True)) for n, leaf in enumerate(inputs.leaves))
    lead = next(n for n in timed if follows[n])
    axis = leaves[lead].time
    assert axis is not None
    steps = inputs.tensors[lead].shape[axis]
    # A sequence as long as the one that y follows goes along only where it was refused, or changed y, alone.
    return replace(inputs, leaves=leaves, steps=steps, lengths=inputs.lengths if lead == 0 else None)


def _shapes(subject: Subject, inputs: Inputs) -> list[tuple[int, ...]] | None:
    """The shapes that come out; None where the model cannot be called so."""
    try:
        return [tuple(tensor.shape) for tensor in subject.once(inputs).tensors]
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError, KeyError):
        return None


def _at(shapes: list[tuple[int, ...]] | None, number: int) -> tuple[int, ...] | None:
    return None if shapes is None or number >= len(shapes) else shapes[number]


def _changed_axis(shape: Sequence[int], other: Sequence[int] | None) -> int | None:
    if other is None or len(other) != len(shape):
        return None
    axes = [axis for axis, (a, b) in enumerate(zip(shape, other, strict=True)) if a != b]
    return axes[0] if len(axes) == 1 else None


def _axis_by_size(shape: Sequence[int], inputs: Inputs, which: str) -> int | None:
    """Where the axis cannot be seen: the one of x, if it is as long."""
    leaf = inputs.leaves[0]
    axis = leaf.time if which == "time" else leaf.batch
    size = inputs.steps if which == "time" else inputs.batch
    return axis if axis is not None and axis < len(shape) - 1 and shape[axis] == size else None


def _with_order(subject: Subject, inputs: Inputs, shape: Shape, whole: Result) -> Shape:
    """How the timesteps of all sequences lie in a flat axis: such that a change of one stays in it."""
    if not any(output.is_flat for output in shape.outputs) or inputs.batch < 2:
        return shape
    where = torch.zeros(inputs.steps, inputs.batch, dtype=torch.bool)
    where[:, 0] = True
    other = subject.once(inputs.different(where))
    outputs = []
    for output, a, b in zip(shape.outputs, whole.tensors, other.tensors, strict=True):
        choices = (
            [output, replace(output, batch_first=not output.batch_first)] if output.is_flat else [output]
        )
        outputs.append(min(choices, key=lambda o: _others_changed(o, a, b, inputs)))
    return Shape(tuple(outputs))


def _others_changed(output: Output, a: Tensor, b: Tensor, inputs: Inputs) -> Any:
    if not output.is_flat:
        return 0
    apart = (a != b).detach()
    return int(output.laid_out(apart, inputs.steps, inputs.batch)[:, 1:].sum())

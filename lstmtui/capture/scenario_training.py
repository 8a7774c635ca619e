"""The models of a scenario as something that can be trained: a network and its batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from lstmtui.capture.devices import on_device
from lstmtui.capture.loss.objective import loss_of
from lstmtui.capture.run import build, initial_state, place_of_run
from lstmtui.capture.training import BATCH, FRESH_SEED, Batch, measure, train
from lstmtui.errors import UserError
from lstmtui.models.fused_layers import fuse, weights_of
from lstmtui.scenario import FactorySpec, GraphSpec, Input, ModelSpec, Objective, Scenario
from lstmtui.scenario.scenario import AnySpec


def trainable_models(scenario: Scenario) -> list[ModelSpec]:
    """The models of a scenario that can be trained.

    Raises:
        UserError: there are others, each with the reason, or the scenario has nothing to learn.
    """
    reasons = [f"{spec.name}: {why}" for spec in scenario.models if (why := _why_not(spec))]
    if scenario.objective.target is None:
        reasons.append(
            f"{scenario.path.name}: [objective] compares y with nothing, so there is nothing to learn; give "
            'it a loss and a target, such as loss = "mse" and target = "next"'
        )
    if reasons:
        raise UserError("\n".join(reasons))
    return [spec for spec in scenario.models if isinstance(spec, ModelSpec)]


def _why_not(spec: AnySpec) -> str:
    if isinstance(spec, FactorySpec):
        return (
            f"factory {spec.target} is Python code, which trains by code of its own; lstmtui.watch looks on"
        )
    if isinstance(spec, GraphSpec) or spec.origin:
        origin = "onnx" if isinstance(spec, GraphSpec) else spec.origin
        return (
            f"{origin} = … is a file of another program, which trains it; say cell, hidden_size and "
            "weights for a model to train here"
        )
    return ""


class Training:
    """One model of a scenario in training.

    Args:
        scenario: with an objective that has a target.
        spec: one of its :func:`trainable_models`.
        steps: how many the schedule is for.
        learning_rate: the largest of the schedule.

    A task draws fresh batches; of any other input all sequences are seen at every step. Weights are float32,
    or float64 where the scenario runs in that.

    Raises:
        UserError: the scenario's device is not there.
    """

    def __init__(self, scenario: Scenario, spec: ModelSpec, steps: int, learning_rate: float) -> None:
        self._scenario, self._spec, self._steps, self._rate = scenario, spec, steps, learning_rate
        self._device, dtype = place_of_run(scenario.run)
        self._dtype = dtype if dtype == torch.float64 else torch.float32
        self.model = fuse(build(spec, scenario.input).to(self._device, self._dtype))

    def run(self) -> Iterator[float]:
        """Learn, and give the loss of every step; see :func:`lstmtui.capture.training.train`."""
        return train(self.model, self._draw, self._steps, self._rate)

    def measure(self) -> float:
        """The loss on the sequences that the scenario shows."""
        return measure(self.model, self._shown)

    def weights(self) -> dict[str, Tensor]:
        """What has been learned so far, by the names of scenario files."""
        return weights_of(self.model)

    def _draw(self, step: int) -> Batch:
        fresh = self._scenario.fresh
        if fresh is None:
            return self._shown
        # Initial states are given for each of the scenario's own sequences.
        batch = self._scenario.input.batch if self._spec.initial else BATCH
        return self._batch(*fresh(batch, FRESH_SEED + step))

    @cached_property
    def _shown(self) -> Batch:
        return self._batch(self._scenario.input, self._scenario.objective)

    def _batch(self, source: Input, objective: Objective) -> Batch:
        loss = loss_of(objective, self._device, head=True)
        assert loss is not None
        data = source.tokens if source.tokens is not None else source.values
        x = on_device(data, self._device)
        return Batch(
            x.to(self._dtype) if x.is_floating_point() else x,
            lambda y: loss((y, None)),
            initial_state(self._spec, self._device, self._dtype, source.batch),
            None if source.lengths is None else torch.as_tensor(source.lengths, device=self._device),
        )

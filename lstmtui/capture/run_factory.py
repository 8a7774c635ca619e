"""One model of a scenario that the user's own Python builds, run on the scenario's input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.devices import on_device
from lstmtui.capture.loss.objective import describe, loss_of
from lstmtui.capture.progress import ProgressCallback
from lstmtui.capture.readiness import holds_recurrent
from lstmtui.capture.record import record
from lstmtui.errors import UserError
from lstmtui.models.factory import (
    build_module,
    load_weights,
    takes_batch_first,
    time_first,
    users_code,
)
from lstmtui.scenario import FactorySpec, Objective, Scenario
from lstmtui.scenario.report import DataError
from lstmtui.trace import Trace
from lstmtui.wording import counted


def record_factory(
    scenario: Scenario,
    spec: FactorySpec,
    device: torch.device,
    dtype: torch.dtype,
    progress: ProgressCallback | None,
) -> Trace:
    """Build the model, load its weights, and record it.

    Raises:
        UserError: its code fails, or what it takes and gives does not fit the scenario.
    """
    module, x, batch_first = built_factory(scenario, spec, device, dtype)
    source, objective = scenario.input, scenario.objective
    default = objective.at == "last_hidden"
    loss = loss_of(objective, device, head=True)
    assert loss is not None
    mask = torch.as_tensor(objective.mask, device=device)
    has_layers = holds_recurrent(module)
    by_source = spec.source is not None or not has_layers
    with users_code(f"{spec.name}: factory {spec.target}"):
        trace = _recorded(
            module,
            x,
            loss=None if default else time_first(loss, mask, batch_first, _needed(objective)),
            lengths=None
            if source.lengths is None or not has_layers
            else torch.as_tensor(source.lengths, device=device),
            source=spec.source,
            time_axis=int(batch_first) if by_source else None,
            name=spec.name,
            progress=progress,
        )
    _check_time(trace, scenario, spec, by_source=by_source, batch_first=batch_first)
    text = trace.header.loss_text if default and not has_layers else describe(objective, head=not default)
    header = replace(
        trace.header,
        title=scenario.title,
        notes=scenario.notes,
        script=scenario.script,
        labels=source.labels,
        loss_text=text,
        loss_kind="last_hidden" if default and has_layers else "custom",
        module=spec.target,
    )
    described = Trace(header, trace.arrays)
    described.rerun_source = trace.rerun_source
    return described


def _check_time(
    trace: Trace, scenario: Scenario, spec: FactorySpec, *, by_source: bool, batch_first: bool
) -> None:
    """Refuse a run whose code took the sequences for timesteps, as it does where they come first or second.

    Raises:
        UserError: it did; the message says what to write.
    """
    steps, batch = scenario.input.steps, scenario.input.batch
    is_swapped = trace.steps == batch and trace.steps != steps
    if by_source and spec.batch_first is None and is_swapped and trace.header.raised is None:
        raise UserError(
            f"its code went through {counted(batch, 'timestep')}, and the input has {steps}, of "
            f"{counted(batch, 'sequence')}: say batch_first = {_written(not batch_first)}, or "
            f"{_written(batch_first)} where that is meant"
        )


def _written(value: bool) -> str:
    """A truth value as TOML writes it."""
    return str(value).lower()


def _recorded(module: nn.Module, x: Any, **arguments: Any) -> Trace:
    """The trace of the module; where its code raises, of what it did until then.

    Raises:
        Exception: what the module's code raises before anything was recorded.
    """
    try:
        return record(module, x, **arguments)
    except Exception as error:
        trace: Trace | None = getattr(error, "lstmtui_trace", None)
        if trace is None:
            raise
        return trace


def built_factory(
    scenario: Scenario, spec: FactorySpec, device: torch.device, dtype: torch.dtype
) -> tuple[nn.Module, Tensor, bool]:
    """The model with its weights, the scenario's input as it takes it, and whether that is (B, T, …).

    Raises:
        UserError: its code fails, or its weights do not fit.
    """
    module = build_module(spec.target, spec.arguments, spec.folder)
    if spec.weights is not None:
        try:
            arrays = {name: spec.weights.read(name) for name in spec.weights.tensors}
        except DataError as error:
            raise UserError(f"{spec.name}: {error}") from None
        load_weights(module, arrays, spec.weights.path.name)
    module = module.to(device, dtype)
    source = scenario.input
    x = on_device(source.values if source.tokens is None else source.tokens, device)
    x = x.to(dtype) if x.is_floating_point() else x
    batch_first = takes_batch_first(module) if spec.batch_first is None else spec.batch_first
    return module, x.transpose(0, 1) if batch_first else x, batch_first


def _needed(objective: Objective) -> tuple[int, int | None]:
    """The least and the greatest size that y may have; an id needs a value of its own."""
    target = objective.target
    if target is None:
        return 1, None
    if objective.loss == "cross_entropy":
        return int(target[objective.mask].max()) + 1, None
    return target.shape[2], target.shape[2]

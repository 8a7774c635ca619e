"""`run`: every model of a scenario on its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from lstmtui.arrays import Array
from lstmtui.capture.devices import DTYPES, on_device, resolve_device
from lstmtui.capture.graph.run_graph import record_graph
from lstmtui.capture.initial_header import initial_arrays, initial_header
from lstmtui.capture.loss.objective import describe, loss_of
from lstmtui.capture.progress import ProgressCallback
from lstmtui.capture.record import record
from lstmtui.capture.reversed_time import reverse_time
from lstmtui.capture.run_factory import record_factory
from lstmtui.capture.stores.deferred_arrays import arrays_of, entries_of
from lstmtui.errors import UserError
from lstmtui.models.model import ScenarioModel, scenario_name
from lstmtui.models.seeding import seed_all_devices
from lstmtui.models.unroll import hx_of
from lstmtui.scenario import FactorySpec, GraphSpec, Input, ModelSpec, RunSpec, Scenario, load_scenario
from lstmtui.trace import Header, Layer, Trace, Traces
from lstmtui.trace.directory import TraceDirectory
from lstmtui.trace.header import LossKind
from lstmtui.trace.storage import write_trace
from lstmtui.trace.writing import TraceWriter


def run(
    scenario: str | Path | Scenario,
    device: str | None = None,
    dtype: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    trust: bool = False,
    path: str | Path | None = None,
) -> Traces:
    """Run a scenario and record every one of its models.

    Args:
        scenario: a scenario file, or a scenario that has been loaded.
        device: replaces the scenario's device: auto, cpu, cuda, cuda:1 or mps.
        dtype: replaces the scenario's dtype: float32, float64, bfloat16 or float16.
        progress: called with (model name, timesteps done, timesteps in all). It may raise `lstmtui.Cancelled`
            to stop the run.
        trust: whether the scenario may build models by Python code that it names (`factory`).
        path: where to write the traces while they are recorded, so that memory does not grow with T and other
            processes can follow. An exception leaves nothing there. If left out, the traces are in memory.

    Returns:
        {model name: Trace}, in the file's order.

    Raises:
        lstmtui.UserError: the scenario has problems (the message lists all of them), or the device or the
            memory for it is missing.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, trust)
    changes = {k: v for k, v in (("device", device), ("dtype", dtype)) if v}
    scenario = replace(scenario, run=replace(scenario.run, **changes))
    for spec in scenario.models:
        if isinstance(spec, FactorySpec) and not (trust or spec.is_bundled):
            raise UserError(f"{spec.name}: factory {spec.target} runs Python code; trust=True lets it")
    if path is None:
        return _run_models(scenario, progress, None)
    with TraceDirectory(path, several=True) as directory:
        traces = _run_models(scenario, progress, directory)
        directory.finish()
        return traces


def _run_models(
    scenario: Scenario, progress: Callable[[str, int, int], None] | None, directory: TraceDirectory | None
) -> Traces:
    traces = Traces()
    for spec in scenario.models:
        advance = _for_model(progress, spec.name)
        if not isinstance(spec, ModelSpec):
            trace = _run_others(scenario, spec, advance)
            traces[spec.name] = trace if directory is None else write_trace(directory, spec.name, trace)
        else:
            writer = None if directory is None else TraceWriter(directory, spec.name)
            traces[spec.name] = _run_model(scenario, spec, advance, writer)
    return traces


def build(spec: ModelSpec, source: Input) -> ScenarioModel:
    """The module a scenario describes, with its weights, on the CPU in the dtype of the weights."""
    vocabulary = len(source.labels) if source.tokens is not None else 0
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        seed_all_devices(spec.seed or 0)
        model = ScenarioModel(spec.layout, vocabulary, spec.embedding, spec.head)
    if spec.parameters is not None:
        if any(p.dtype == np.float64 for p in spec.parameters.values()):
            model.double()
        model.load(spec.parameters)
    return model.eval()


def _run_others(
    scenario: Scenario, spec: FactorySpec | GraphSpec, progress: ProgressCallback | None
) -> Trace:
    """A model that is code or a graph of its own."""
    source, objective = scenario.input, scenario.objective
    place = place_of_run(scenario.run)
    if isinstance(spec, GraphSpec):
        return record_graph(scenario, spec, *place, progress)
    trace = record_factory(scenario, spec, *place, progress)
    if (trace.steps, trace.batch) != (source.steps, source.batch):
        return trace
    extras = _extras(source, objective.target, objective.mask)
    whole = Trace(trace.header, arrays_of({**entries_of(trace.arrays), **extras}))
    whole.rerun_source = trace.rerun_source
    return whole


def _run_model(
    scenario: Scenario, spec: ModelSpec, progress: ProgressCallback | None, writer: TraceWriter | None
) -> Trace:
    source, objective = scenario.input, scenario.objective
    device, dtype = place_of_run(scenario.run)
    if spec.reverse:
        source, objective = reverse_time(source, objective)
    model = build(spec, source).to(device, dtype)
    x = on_device(source.values if source.tokens is None else source.tokens, device)
    hx = initial_state(spec, device, dtype, source.batch)
    extras = _extras(source, objective.target, objective.mask)
    loss = loss_of(objective, device, head=spec.head is not None)
    if writer is not None:
        header = _header(scenario, spec, initial_header(spec, source, device, dtype), default=loss is None)
        writer.describe(header, initial_arrays(spec, source, model, hx) | extras)
    trace = record(
        model,
        x.to(dtype) if x.is_floating_point() else x,
        hx=hx,
        loss=loss,
        lengths=None if source.lengths is None else torch.as_tensor(source.lengths, device=device),
        name=spec.name,
        progress=progress,
        path=writer,
    )
    header = _header(scenario, spec, trace.header, default=loss is None)
    if writer is None:
        named = {scenario_key(key): entry for key, entry in entries_of(trace.arrays).items()}
        return Trace(header, arrays_of({**named, **extras}))
    return writer.finish(header, {scenario_key(k): array for k, array in writer.whole.items()} | extras)


def _header(scenario: Scenario, spec: ModelSpec, header: Header, *, default: bool) -> Header:
    """The header of a run with what the scenario says; `default`: it names no loss of y."""
    layout, objective, head = spec.layout, scenario.objective, spec.head is not None
    return replace(
        header,
        title=scenario.title,
        notes="\n\n".join(part for part in (scenario.notes, *spec.notes) if part),
        script=scenario.script,
        seed=spec.seed,
        labels=scenario.input.labels,
        is_forecast=objective.is_forecast,
        loss_text=describe(objective, head=head, bidirectional=layout.bidirectional),
        loss_kind="last_hidden" if default else cast(LossKind, objective.loss),
        output_kind="head" if head else "hidden",
        layers=tuple(_renamed(layer) for layer in header.layers),
        module=f"{layout.cell.name} {layout.num_layers}×{layout.hidden_size}"
        + (" reverse" if spec.reverse else ""),
    )


def place_of_run(run: RunSpec) -> tuple[torch.device, torch.dtype]:
    """The device and dtype of a run; MPS has no float64, so "auto" then takes the CPU."""
    device, dtype = resolve_device(run.device), DTYPES[run.dtype]
    if device.type == "mps" and dtype == torch.float64:
        if run.device != "auto":
            raise UserError("device mps: has no float64; use float32, or the cpu")
        device = torch.device("cpu")
    return device, dtype


def _extras(source: Input, target: Array | None, mask: Array) -> dict[str, Array]:
    """What panels show beside the run: tokens, target, where the loss is taken, and the scale of x."""
    extras: dict[str, Array] = {"mask": mask}
    if target is not None:
        extras["target"] = target
    if source.tokens is not None:
        extras["tokens"] = source.tokens
    else:
        extras |= {"shift": source.shift, "scale": source.scale}
    return extras


def scenario_key(key: str) -> str:
    """An array's key with its parameter named as scenario files name it."""
    kind, slash, name = key.partition("/")
    return kind + slash + scenario_name(name) if kind in ("parameters", "parameter_gradients") else key


def _renamed(layer: Layer) -> Layer:
    names = {d: {b: scenario_name(n) for b, n in own.items()} for d, own in layer.parameters.items()}
    return replace(layer, parameters=names, path="")


def initial_state(spec: ModelSpec, device: torch.device, dtype: torch.dtype, batch: int) -> Any:
    """The initial states as the module takes them; a state the file leaves out is the cell's own."""
    if not spec.initial:
        return None
    layout = spec.layout
    count = layout.num_layers * len(layout.directions)
    states = []
    for name in layout.cell.states:
        shape = (count, batch, layout.state_size(name))
        state = torch.full(shape, layout.cell.initial.get(name, 0.0), device=device, dtype=dtype)
        if name + "0" in spec.initial:
            state = torch.zeros_like(state) + torch.as_tensor(
                spec.initial[name + "0"], device=device, dtype=dtype
            )
        states.append(state)
    return hx_of(tuple(states))


def _for_model(progress: Callable[[str, int, int], None] | None, name: str) -> ProgressCallback | None:
    return None if progress is None else lambda done, total: progress(name, done, total)

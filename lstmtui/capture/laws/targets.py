"""The laws of state for what the command line and the debugger open: scenarios and saved traces."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.analysis.laws import LawResult
from lstmtui.capture.devices import on_device
from lstmtui.capture.graph.run_graph import record_graph
from lstmtui.capture.laws.hold import LawProgress, laws
from lstmtui.capture.laws.subject import Run
from lstmtui.capture.reruns.recorded_stack import RecordedStack
from lstmtui.capture.run import build, initial_state, place_of_run
from lstmtui.capture.run_factory import built_factory
from lstmtui.cells.layout import Layout
from lstmtui.errors import UserError
from lstmtui.models.factory import build_module, users_code, users_function
from lstmtui.models.model import ScenarioModel, own_name
from lstmtui.models.unroll import hx_of
from lstmtui.scenario import FactorySpec, GraphSpec, Scenario
from lstmtui.trace import Trace

OF_TRACE = "of the recorded layers and head alone: what other code the model has is not in a trace"


def note_of(scenario: Scenario, model: str) -> str:
    """What the laws on a model of a scenario are of, where that is not all of it; else empty."""
    spec = next(spec for spec in scenario.models if spec.name == model)
    return OF_TRACE if isinstance(spec, GraphSpec) else ""


def scenario_laws(
    scenario: Scenario, model: str, only: Collection[str] = (), progress: LawProgress | None = None
) -> tuple[LawResult, ...]:
    """The laws on one model of a scenario and its input.

    Args:
        scenario: as it was loaded; a factory is run, so it must have been trusted.
        model: the name of one of its models.
        only: the names of the laws; empty: all.
        progress: as of `lstmtui.laws`.

    Raises:
        UserError: the code of a factory fails, or takes the sequences for timesteps.
    """
    spec = next(spec for spec in scenario.models if spec.name == model)
    source = scenario.input
    device, dtype = place_of_run(scenario.run)
    beside = _beside(scenario)
    lengths = None if source.lengths is None else torch.as_tensor(source.lengths)
    if isinstance(spec, FactorySpec):
        module, x, batch_first = built_factory(scenario, spec, device, dtype)
        with users_code(f"{spec.name}: factory {spec.target}"):
            if spec.batch_first is None:
                _check_axes(module, x, beside["run"])
            if batch_first and beside["starts"] is not None:
                beside["starts"] = beside["starts"].T
            anew = partial(build_module, spec.target, spec.arguments, spec.folder, None)
            return laws(
                module,
                x,
                lengths=lengths,
                factory=anew,
                batch_first=batch_first,
                only=only,
                progress=progress,
                **beside,
            )
    if isinstance(spec, GraphSpec):
        return trace_laws(record_graph(scenario, spec, device, dtype, None), only, progress)
    stack = build(spec, source).to(device, dtype)
    x = on_device(source.values if source.tokens is None else source.tokens, device)
    x = x.to(dtype) if x.is_floating_point() else x
    state = initial_state(spec, device, dtype, source.batch)
    with users_code(f"{spec.name}: [laws]"):
        return laws(
            stack, x, state, lengths=lengths, batch_first=False, only=only, progress=progress, **beside
        )


def _check_axes(module: nn.Module, x: Tensor, run: Run | None) -> None:
    """Refuse a model of which no layer tells the axes where it keeps sequences apart only in (B, T, …).

    Raises:
        UserError: it does; the message says what to write.
    """
    if any(isinstance(getattr(part, "batch_first", None), bool) for part in module.modules()):
        return
    if not laws(module, x, run=run, batch_first=False, only=("isolation",))[0].broken:
        return
    try:
        turned = laws(module, x.transpose(0, 1), run=run, batch_first=True, only=("isolation",))
    except Exception:  # it cannot be called so
        return
    if turned[0].held:
        raise UserError(
            "its code keeps the sequences apart only where x is (B, T, …): say batch_first = true, or false "
            "where that is meant"
        )


def _beside(scenario: Scenario) -> dict[str, Any]:
    """The arguments that [laws] gives, its code imported."""
    spec = scenario.laws
    code = {"run": spec.run, "step": spec.step, "reset": spec.reset}
    return {"starts": spec.starts} | {
        key: None
        if target is None
        else users_function(target, scenario.path.parent, f"[laws] {key} {target}")
        for key, target in code.items()
    }


def trace_laws(
    trace: Trace, only: Collection[str] = (), progress: LawProgress | None = None
) -> tuple[LawResult, ...]:
    """The laws on the layers of a trace, and its head where it has one, with the input they were given.

    Raises:
        UserError: it cannot be run again.
    """
    if any(layer.source is not None for layer in trace.layers):
        raise UserError(
            f"{trace.name}: a law runs its code again, which a trace does not hold; "
            "lstmtui.laws(model, x) tests it"
        )
    stack = RecordedStack(trace)
    first, last = trace.layers[0], trace.layers[-1]
    layout = Layout(
        trace.cell(0),
        first.input_size,
        first.hidden_size,
        len(trace.layers),
        first.bidirectional,
        first.proj_size,
        first.bias,
    )
    if any((layer.cell, layer.hidden_size) != (first.cell, last.hidden_size) for layer in trace.layers):
        raise UserError(f"{trace.name}: its layers have different cells or sizes, so they are not one stack")
    head = trace.parameters.get("head.weight") if trace.header.output_kind == "head" else None
    model = ScenarioModel(layout, head=None if head is None else len(head)).to(stack.device, stack.dtype)
    parameters = {
        name: array
        for number in stack.layers
        for direction in layout.directions
        for base, array in trace.layer_parameters(number, direction).items()
        for name in (layout.names(number, direction)[base],)
    }
    if head is not None:
        parameters |= {f"head.{name}": trace.parameters[f"head.{name}"] for name in ("weight", "bias")}
    model.load_state_dict(
        {own_name(name): torch.from_numpy(array.copy()) for name, array in parameters.items()}
    )
    states = tuple(
        torch.stack(
            [stack.tensor(trace.initial(name, n, d)) for n in stack.layers for d in layout.directions]
        )
        for name in layout.cell.states
    )
    x = stack.tensor(trace.values("x", 0))
    lengths = None if stack.lengths is None else torch.as_tensor(stack.lengths)
    return laws(
        model.eval(), x, hx_of(states), lengths=lengths, batch_first=False, only=only, progress=progress
    )

"""Models as people write them against their own code with a call written behind every assignment."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from oracles import more_recurrences
from oracles.instrumented import Change, Kept, instrumented
from torch import Tensor

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.trace.source import Variable

EXACT = {"rtol": 1e-12, "atol": 1e-13}


def built(module: object, name: str) -> tuple[torch.nn.Module, Tensor]:
    make, shape, _ = module.MODELS[name]  # type: ignore[attr-defined]
    torch.manual_seed(3)
    model, x = make().double(), torch.randn(shape).double()
    torch.manual_seed(7)
    return model, x


def by_hand(name: str, change: Change | None = None) -> tuple[Kept, float]:
    kept = Kept(change)
    model, x = built(instrumented(more_recurrences, kept), name)
    loss = model(x).square().sum()
    loss.backward()
    return kept, float(loss.detach())


def number(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach()
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).double().numpy()


def bindings_of(trace: Trace, variable: Variable, prefix: str = "") -> np.ndarray | None:
    """(bindings, B, units) of a name, in order; None where it has no derivative."""
    key = f"0/forward/inner/{prefix}{variable.name}"
    if key not in trace.arrays:
        if f"0/forward/{prefix}{variable.name}" not in trace.arrays:
            return None
        values = trace.values(prefix + variable.name)
        bound = trace.arrays.get(f"0/forward/bound/{variable.name}")
        return values if bound is None else values[np.asarray(bound)]
    inner = np.asarray(trace.arrays[key])
    counts = trace.arrays.get(f"0/forward/inner_count/{variable.name}", [inner.shape[1]] * trace.steps)
    return np.concatenate([row[:count] for row, count in zip(inner, counts, strict=True)])


def assert_kept(trace: Trace, variable: Variable, kept: list[Tensor]) -> None:
    """Each binding is one that the code made at this line, in order, with the gradient that it retains."""
    values, derivatives = bindings_of(trace, variable), bindings_of(trace, variable, "d")
    assert values is not None
    ours = iter(kept)
    for at, value in enumerate(values):
        # A line of a function that is called twice is two names: those between are the other's.
        own = next(o for o in ours if np.allclose(number(o).reshape(value.shape), value, **EXACT))
        if derivatives is not None:
            expected = torch.zeros_like(own) if own.grad is None else own.grad
            assert np.allclose(number(expected).reshape(value.shape), derivatives[at], **EXACT), variable.name


@pytest.mark.parametrize("name", more_recurrences.MODELS)
def test_every_name_has_the_values_and_derivatives_that_its_code_gives_it(name: str) -> None:
    model, x = built(more_recurrences, name)
    trace = lstmtui.record(model, x, loss=lambda y: y.square().sum())
    steps = more_recurrences.MODELS[name][2]
    assert (trace.steps, trace.batch) == (steps, x.shape[1])
    kept, loss = by_hand(name)
    assert trace.loss == pytest.approx(loss, rel=1e-13)
    (layer,) = trace.layers
    assert layer.source is not None
    lines = [v for v in layer.source.variables if (v.written, v.line) in kept.bound]
    names = {v.name for v in lines}
    assert {v.name for v in layer.source.variables} - names <= {"x", "u", "v", "seen", "seen_1"} | {
        v.name for v in layer.source.variables if not v.line
    }
    for variable in lines:
        if len(kept.bound[variable.written, variable.line]) > 1:
            assert_kept(trace, variable, kept.bound[variable.written, variable.line])
    if name == "adaptive":
        return  # a change makes it take another number of inner steps
    alike = [
        v
        for v in lines
        if not v.absent and len(kept.bound[v.written, v.line]) == steps * max(v.inner_steps, 1)
    ]
    losses = [
        same_as_written(name, trace, variable, start=steps - 2 - at % 3, unit=at % variable.size)
        for at, variable in enumerate(islice(alike, 5))
    ]
    assert len({*losses, loss}) > 2


def same_as_written(name: str, trace: Trace, variable: Variable, *, start: int, unit: int) -> float:
    """The loss of a what-if, which is that of the code with the change written into it."""

    def change(written: str, line: int, at: int, value: Tensor) -> Tensor:
        t = at // max(variable.inner_steps, 1)
        if (written, line) != (variable.written, variable.line) or not start <= t <= start + 1:
            return value
        real = torch.view_as_real(value) if value.is_complex() else value
        mask = torch.zeros(real.shape, dtype=torch.bool)
        mask[1].view(-1)[unit] = True
        real = torch.where(mask, torch.tensor(0.37, dtype=real.dtype), real)
        return torch.view_as_complex(real) if value.is_complex() else real

    stop = min(start + 1, trace.steps - 1)
    edit = Edit(1, "m", 0, "forward", 1, variable.name, unit, 0.37, start, stop)
    expected = by_hand(name, change)[1]
    assert rerun_source(trace, [edit]).loss == pytest.approx(expected, rel=1e-13), variable.name
    return expected

"""The judge of the fused recording judged: one mistake in its code must show against the plain equations."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import pytest
import torch
from oracles.random_layers import tapped
from oracles.recurrents import as_states, noise, random_recurrent, random_states
from torch import Tensor

from lstmtui.capture import layer_function as scan
from lstmtui.capture import segments
from lstmtui.capture.fused import derivatives, equations, kernel, recurrence, taps, walk
from lstmtui.capture.fused import method as fused
from lstmtui.capture.layer_function import method
from lstmtui.capture.record import record
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace

MODULES = (recurrence, equations, derivatives, kernel, taps, walk, fused)
ALL = ("lstm", "lstm_coupled", "gru", "rnn_tanh", "rnn_relu")
EXACT = 1e-12

MISTAKES = (
    ("lstm", derivatives, '"g": d_c * v["i"]', '"g": d_c * v["f"]'),
    ("lstm", derivatives, '"f": run.times_c_before(d_c)', '"f": d_c * v["c"]'),
    ("lstm", derivatives, 'by_product(d_h) * run.squashed_c()', 'by_product(d_h) * v["c"]'),
    ("lstm", derivatives, "sigmoid_back = sigmoid_backward", "sigmoid_back = tanh_backward"),
    ("lstm", derivatives, '@ self.parameters["weight_hr"]', '@ self.parameters["weight_hr"].abs()'),
    ("lstm", derivatives, "torch.mm(recurrent.T, before,", "torch.mm(recurrent.T, before.roll(1, 0),"),
    ("lstm_coupled", derivatives, '(v["g"] - run.before("c"))', '(v["g"] + run.before("c"))'),
    ("lstm_coupled", derivatives, '(v["g"] - run.before("c"))', '(v["g"] - v["c"])'),
    ("lstm_coupled", derivatives, 'addmm_(d[f"{row}_pre" if row', 'addmm_(d[row if row'),
    ("gru", derivatives, '1 - v["z"]', 'v["z"]'),
    ("gru", derivatives, 'before - v["n"]', 'v["h"] - v["n"]'),
    ("gru", derivatives, '* run.recurrent_n(before)', '* before'),
    ("gru", derivatives, 'own * run.values["r"].flatten(0, 1)', "own"),
    ("gru", derivatives, 'inner += self.parameters["bias_hh"][2 * units :]', "pass"),
    ("rnn_relu", derivatives, 'v["h"] > 0', 'v["h"] >= 0'),
    ("lstm", taps, 'run.by_product(d_h) * run.values["o"]', "run.by_product(d_h)"),
    ("gru", taps, 'run.values["z"], _from_next', '1 - run.values["z"], _from_next'),
    ("gru", taps, "@ rows).view_as", "@ rows.T).view_as"),
    ("gru", taps, '* run.values["r"]', "* 1.0"),
    ("rnn_tanh", taps, "recurrent[1:], out=total[:-1]", "recurrent[:-1], out=total[:-1]"),
    ("rnn_tanh", taps, "total[-1] += end", "total[0] += end"),
    ("rnn_tanh", taps, "steps - 1 - ahead", "steps - 1"),
    ("lstm", taps, "torch.where(run.valid, coefficient, 1.0)", "coefficient"),
    ("lstm", walk, 'keeps = v["f"]', 'keeps = v["i"]'),
    ("lstm", walk, 'torch.where(run.valid, v["f"], 1.0)', 'v["f"]'),
    ("lstm", walk, "tanh_back(v[\"o\"], squashed)", "v[\"o\"]"),
    ("lstm", walk, "sigmoid_back(squashed, v[\"o\"])", "squashed"),
    ("lstm", walk, "later = carried[t]", "later = each[t]"),
    ("lstm", walk, "torch.zeros_like(ones[0]) if end is None else end", "torch.zeros_like(ones[0])"),
    ("lstm_coupled", walk, "later = carried[t]", "later = each[t]"),
    ("lstm", walk, "(~run.valid).to(ones.dtype)", "None"),
    ("gru", walk, 'kept: Tensor | None = v["z"]', 'kept = 1 - v["z"]'),
    ("gru", walk, 'torch.where(run.valid, v["z"], 1.0)', 'v["z"]'),
    ("gru", walk, 'gates["n_pre"] * v["r"]]', 'gates["n_pre"]]'),
    ("gru", walk, 'self.each[t].addcmul_', 'self.each[t].addcmul'),
    ("rnn_tanh", walk, "self.d_h[-1] += end", "pass"),
    ("rnn_tanh", walk, "run.masked(run.d_output)", "0.0"),
    ("rnn_tanh", walk, "addmm_(recurrent, self._matrix)", "addmm_(recurrent, self._matrix.T)"),
    ("lstm", equations, "torch.where(valid, factor, 1.0)", "factor"),
    ("lstm", equations, "sum(parts[1:], parts[0])", "parts[0]"),
    ("lstm", equations, "sum(parts[1:], parts[0])", "parts[-1]"),
    ("lstm", equations, "result.flatten(0, 1).addmm_(flat, matrix.T)", "result.flatten(0, 1)"),
    ("lstm", equations, "_recurred(value, states[1]", "_recurred(value, states[0]"),
    ("lstm", equations, "torch.cat([initial.unsqueeze(0), values[:-1]])", "values.clone()"),
    ("rnn_tanh", equations, "torch.where(valid[:-1], shifted[1:], initial)", "shifted[1:]"),
    ("lstm", recurrence, "before[..., 0, :, :] = start", "before[..., 0, :, :] = 0.0"),
    ("lstm", recurrence, "before[..., -1, :, :] = start", "before[..., -1, :, :] = 0.0"),
    ("lstm", recurrence, "factors[2:], terms[2:]", "factors[1:-1], terms[2:]"),
    ("lstm", recurrence, "_backward(product[1:], local", "_backward(product[:-1], local"),
    ("gru", recurrence, "_backward(a[1:], b", "_backward(a[:-1], b"),
    ("gru", kernel, "taps[2 * units :, units:].fill_diagonal_(1.0)", "taps[:, units:] = weight_hh"),
    ("lstm", kernel, "return weight_hh\n", "return -weight_hh\n"),
    ("lstm_coupled", kernel, "uncoupled(name, tensor) for name", "tensor for name"),
    ("lstm", kernel, "descending=True, stable=True)", "stable=True)"),
    ("rnn_tanh", kernel, "first[order]) * batch", "first) * batch"),
    ("lstm", fused, "self._with_taps()).run(x, states, valid)", "self._with_taps()).run(x, states, None)"),
)  # fmt: skip
"""A cell in which it shows, the module, and what stands there in place of what."""


def gaps(cell: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """max |Δ| of each fused recording from the unrolled one, relative above 1.

    Whole and in segments; in segments also step by step, where that is how the CPU goes backward.
    """
    for padded in (False, True):
        module, wanted = unrolled(cell, padded)
        for size, by_kernel in ((2**30, True), (0, True), (0, False)):
            for name, value in (("KEPT", size), ("WORKING", size), ("SHORTEST", 33)):
                monkeypatch.setattr(sys.modules[fused.__name__], name, value)
            with tapped(by_kernel):
                ours = recorded(module, padded)
            relative = []
            for key, array in wanted.arrays.items():
                a, b = torch.as_tensor(ours.arrays[key]), torch.as_tensor(array)
                relative.append((a - b).abs().max() / b.abs().max().clamp(min=1.0))
            yield float(torch.stack(relative).max())


@cache
def unrolled(cell: str, padded: bool) -> tuple[Recurrent, Trace]:
    """A module, and what it does by the plain equations."""
    project = 2 if cell.startswith("lstm") and padded else 0
    module = random_recurrent(cell, proj_size=project, bidirectional=padded)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)
    with method("unrolled"):
        return module, recorded(module, padded)


def recorded(module: Recurrent, padded: bool) -> Trace:
    """A run whose loss reads every output and every last state."""

    def loss(result: tuple[Tensor, object]) -> Tensor:
        output, states = result[0], as_states(result[1])
        read = [noise(*t.shape, seed=92 + n) * t for n, t in enumerate((output**2, *states))]
        return torch.stack([t.sum() for t in read]).sum()

    lengths = [35, 6, 71] if padded else None
    return record(module, noise(71, 3, 3, seed=91), hx=random_states(module, 3), lengths=lengths, loss=loss)


def with_mistake(module: ModuleType, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put what a module defines, with the mistake in it, wherever it is used."""
    source = inspect.getsource(module)
    assert right in source, right
    mutant = ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, mutant)
    exec(compile(source.replace(right, wrong), module.__name__, "exec"), vars(mutant))
    own = {n: v for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__}
    for user in (*MODULES, scan, segments):
        for name, value in own.items():
            if vars(user).get(name) is value:
                monkeypatch.setattr(user, name, getattr(mutant, name))


@pytest.mark.parametrize("cell", ALL)
def test_the_true_code_passes(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(gap <= EXACT for gap in gaps(cell, monkeypatch))


@pytest.mark.parametrize(
    ("cell", "module", "right", "wrong"), MISTAKES, ids=[f"{c}-{w}" for c, _, _, w in MISTAKES]
)
def test_a_mistake_is_seen(
    cell: str, module: ModuleType, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mistake(module, right, wrong, monkeypatch)
    try:
        is_seen = any(not gap <= 1e4 * EXACT for gap in gaps(cell, monkeypatch))
    except Exception:  # Shapes that do not fit, or a place that is not there.
        return
    assert is_seen

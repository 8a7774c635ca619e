"""`lstmtui.watch(source=…)`: the user's own code in a training loop, kept by its names."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.recorders.hooked_recorder import HookedRecorder

EXACT = 1e-12


class OwnCell(nn.Module):
    """Nothing of PyTorch's recurrent classes in it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.write = nn.Linear(7, 4), nn.Linear(7, 4)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        both = torch.cat([x, memory], -1)
        forget_gate = torch.sigmoid(self.gate(both))
        decay = 1 - forget_gate
        new_c = forget_gate * memory + decay * torch.tanh(self.write(both))
        return new_c  # noqa: RET504


class Own(nn.Module):
    """The cell in a loop from a state that is learned; `seen` is told what it returned."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.start = OwnCell(), nn.Parameter(torch.zeros(1, 4))
        self.seen: Callable[[Tensor], Any] | None = None

    def forward(self, x: Tensor) -> Tensor:
        memory = self.start
        for now in x:
            memory = self.cell(now, memory)
            if self.seen is not None:
                self.seen(memory)
        return memory


class Both(Own):
    """A recurrent layer of PyTorch's before the cell."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.rnn(x)[0])


def made(kind: Callable[[], nn.Module]) -> Any:
    torch.manual_seed(0)
    return kind().double()


def spoil(model: Any) -> None:
    with torch.no_grad():
        model.cell.gate.weight[0, 0] = float("nan")


def train(model: nn.Module, steps: int, before: Callable[[int], None] = lambda step: None) -> list[Tensor]:
    """Losses of a short training on one sequence."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for step in range(steps):
        x = torch.randn(5, 1, 3, dtype=torch.float64)
        before(step)
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


def run_through(model: nn.Module, path: Path, when: str | None, **options: Any) -> list[str]:
    with lstmtui.watch(model, when=when, path=path, source=True, **options) as watch:
        train(model, 4)
    return watch.written


def test_the_trace_has_source_runs_beside_recurrent_layers_with_the_loss_of_the_loop(tmp_path: Path) -> None:
    wanted = train(made(Both), 5)
    model, returned = made(Both), []

    def keep(memory: Tensor) -> None:
        memory.retain_grad()
        returned.append(memory)

    def before(step: int) -> None:
        returned.clear()
        model.seen = keep
        if step == 3:
            model.seen = None

    tracer, path = sys.gettrace(), tmp_path / "w"
    with lstmtui.watch(model, when="max(forget_gate) > 2 or t == 4", keep=2, path=path, source=True, limit=1):
        losses = train(model, 1, before)
        states = list(returned)
    assert gap(losses[0], wanted[0]) == 0
    assert sys.gettrace() is tracer
    (trace,) = lstmtui.load(path).values()
    kinds = {layer.cell: number for number, layer in enumerate(trace.layers)}
    assert list(kinds) == ["gru", "Both", "OwnCell"]
    source = trace.layers[kinds["OwnCell"]].source
    assert source is not None
    assert any("new_c = forget_gate * memory + decay" in function.text for function in source.functions)
    for t, state in enumerate(states):
        assert gap(trace.values("new_c", kinds["OwnCell"])[t], state) == 0
        assert gap(trace.values("dnew_c", kinds["OwnCell"])[t], state.grad) <= EXACT
    assert np.any(trace.values("dh", kinds["gru"]))
    assert trace.header.loss_text == "the loss of the training loop"


@pytest.mark.parametrize("when", ["any(isnan(new_c))", "isnan(norm(dnew_c))", None])
def test_a_condition_on_the_names_of_the_code_is_found_and_training_is_the_same(
    tmp_path: Path, when: str | None
) -> None:
    reference, model = made(Both), made(Both)
    wanted = train(reference, 5, lambda step: spoil(reference) if step == 3 else None)
    with lstmtui.watch(model, when=when, keep=2, path=tmp_path / "w", source=OwnCell) as watch:
        losses = train(model, 5, lambda step: spoil(model) if step == 3 else None)
    assert torch.equal(torch.stack(losses).nan_to_num(7), torch.stack(wanted).nan_to_num(7))
    if when is None:
        assert not watch.written
        return
    assert watch.written == [f"{when} at t=0, layer 1 forward, batch 0 of step 3"]
    assert list(lstmtui.load(tmp_path / "w")) == ["step 2", "step 3"]


def test_each_step_has_the_derivatives_of_its_own_backward_passes(tmp_path: Path) -> None:
    model, gradients = made(Own), []

    def fails() -> None:
        with lstmtui.watch(model, keep=3, path=tmp_path / "w"):
            for _ in range(3):
                train(model, 1)
                gradients.append(model.start.grad.clone())
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fails()
    traces = lstmtui.load(tmp_path / "w")
    assert isinstance(traces, lstmtui.Traces)
    for number, gradient in enumerate(gradients):
        # The very parameter is the state that the first round begins with, in every step.
        assert gap(traces[f"step {number}"].initial("dnew_c", 1), gradient) <= EXACT
    assert not model.start._backward_hooks


def test_an_exception_in_the_code_is_where_the_last_step_ends(tmp_path: Path) -> None:
    model, calls = made(Own), []

    def fails(memory: Tensor) -> None:
        calls.append(1)
        if len(calls) == 8:
            raise ValueError("mine")

    model.seen = fails
    with (
        pytest.raises(ValueError, match="mine"),
        lstmtui.watch(model, keep=2, path=tmp_path / "w") as watch,
    ):
        train(model, 3)
    assert watch.written == ["ValueError was raised"]
    trace = lstmtui.load(tmp_path / "w")["step 1"]
    raised = trace.header.raised
    assert raised is not None
    assert (raised.t, raised.text) == (2, "ValueError: mine")
    assert trace.layers[raised.layer].absent == "no gradient came back to this call"


def test_a_name_that_begins_with_d_is_no_derivative_where_the_code_has_it(tmp_path: Path) -> None:
    model = made(Own)
    with (
        torch.no_grad(),
        lstmtui.watch(model, when="max(decay) > 0.5", path=tmp_path / "w", limit=1, keep=2) as watch,
    ):
        for _ in range(4):
            model(torch.randn(5, 1, 3, dtype=torch.float64))
    (why,) = watch.written
    assert why.startswith("max(decay) > 0.5 at t=")


def test_a_name_that_no_step_has_is_said_once_and_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_through(made(Own), tmp_path / "w", "any(forgt_gate > 0)")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "forgt_gate" in said[0]
    assert "the first step has" in said[0]
    assert "forget_gate" in said[0]


class Now(Own):
    """Binds a name in some rounds only."""

    def forward(self, x: Tensor) -> Tensor:
        memory = self.start
        for t, now in enumerate(x):
            memory = self.cell(now, memory)
            if t == 3:
                late = memory + 10
        return memory + late


def test_rounds_that_do_not_bind_a_name_are_passed_over(tmp_path: Path) -> None:
    assert not run_through(made(Now), tmp_path / "w", "max(late) < 1")
    (why,) = run_through(made(Now), tmp_path / "v", "min(late) > 1")
    assert "at t=3," in why


class Scan(nn.Module):
    """All timesteps at once."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(x)
        summed = mixed.cumsum(0)
        return summed  # noqa: RET504


def test_code_that_computes_all_timesteps_at_once_has_them_in_every_step(tmp_path: Path) -> None:
    written = run_through(made(Scan), tmp_path / "w", "t == 4 and norm(summed) > 0 and norm(dsummed) > 0")
    assert written[0].endswith("at t=4, layer 0 forward, batch 0 of step 0")
    (trace,) = lstmtui.load(tmp_path / "w").values()
    assert trace.steps == 5


def test_left_open_it_is_all_code_where_no_recurrent_layer_is_and_none_where_one_is(tmp_path: Path) -> None:
    model = made(Own)
    with lstmtui.watch(model, when="norm(new_c) > 0", path=tmp_path / "w", limit=1) as watch:
        train(model, 2)
    assert len(watch.written) == 1
    with pytest.raises(lstmtui.UserError, match="new_c"):
        lstmtui.watch(made(Both), when="norm(new_c) > 0", path=tmp_path / "v")
    with pytest.raises(TypeError, match="Own holds no LSTM"):
        lstmtui.watch(made(Own), source=False)
    with pytest.raises(TypeError, match="Linear holds no LSTM"):
        lstmtui.watch(nn.Linear(1, 1))
    with pytest.raises(TypeError, match="source: must be True, or name"):
        lstmtui.watch(made(Own), source=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time_axis: is for code"):
        lstmtui.watch(nn.GRU(1, 1), time_axis=0)
    with pytest.raises(lstmtui.UserError, match="loss is not known here"):
        lstmtui.watch(made(Own), when="loss > 3", path=tmp_path / "v")


def test_what_was_chosen_and_did_not_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = made(Own)
    with lstmtui.watch(model, when="norm(new_c) > 0", path=tmp_path / "w", source="nothing.here") as watch:
        train(model, 3)
    assert not watch.written
    (said,) = capsys.readouterr().err.splitlines()
    assert "source= names nothing that ran. What ran:" in said
    assert "OwnCell.forward" in said


def test_what_goes_wrong_in_the_watch_is_a_line_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = train(made(Own), 3)

    def broken(*_: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr(HookedRecorder, "layers_now", broken)
    model = made(Own)
    with lstmtui.watch(model, when="norm(new_c) > 0", path=tmp_path / "w", source=True):
        losses = train(model, 3)
    assert torch.equal(torch.stack(losses), torch.stack(wanted))
    assert capsys.readouterr().err == "lstmtui.watch: cannot go on: ours\n"


class Mark:
    """Lives as long as the node of a graph that it is put on."""


def test_the_graph_of_a_step_is_not_kept_by_its_code(tmp_path: Path) -> None:
    model, marks = made(Own), []

    def mark(memory: Tensor) -> None:
        own = memory.grad_fn.metadata["mark"] = Mark()  # type: ignore[union-attr]
        marks.append(weakref.ref(own))

    model.seen = mark
    with lstmtui.watch(model, when="norm(new_c) < 0", keep=8, path=tmp_path / "w"):
        model(torch.randn(5, 1, 3, dtype=torch.float64)).sum().backward()
        assert [own() for own in marks] == [None] * 5


def test_each_step_has_the_parameters_with_which_it_ran(tmp_path: Path) -> None:
    model = made(Own)
    before: list[dict[str, Any]] = []

    def note(step: int) -> None:
        before.append({name: value.detach().clone().numpy() for name, value in model.named_parameters()})
        if step == 2:
            raise ValueError("enough")

    with (
        pytest.raises(ValueError, match="enough"),
        lstmtui.watch(model, path=tmp_path / "w", source=True, keep=2),
    ):
        train(model, 4, note)
    traces = list(lstmtui.load(tmp_path / "w").values())
    assert len(traces) == 2
    for trace, own in zip(traces, before, strict=False):
        parameters = {key.partition("/")[2] for key in trace.arrays if key.startswith("parameters/")}
        assert parameters == own.keys()
        for name, value in own.items():
            assert np.array_equal(trace.arrays["parameters/" + name], value)
    names = [name for name in before[0] if not np.array_equal(before[0][name], before[1][name])]
    assert names

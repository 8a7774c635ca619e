"""A block of code recorded by source: the user's own modules, functions and the lines of the block."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.tracing import tensors

EXACT = 1e-12


class OwnCell(nn.Module):
    """Nothing of PyTorch's recurrent classes in it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.write = nn.Linear(7, 4), nn.Linear(7, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        both = torch.cat([x, h], -1)
        f = torch.sigmoid(self.gate(both))
        candidate = torch.tanh(self.write(both))
        h_next = f * h + (1 - f) * candidate
        return h_next  # noqa: RET504


def zeros() -> Tensor:
    return torch.zeros(2, 4, dtype=torch.float64)


def names(trace: lstmtui.Trace) -> dict[str, tuple[str, int]]:
    return {layer.cell: (layer.path, layer.calls) for layer in trace.layers}


def test_a_rollout_of_an_own_cell_is_recorded_with_its_names_and_derivatives() -> None:
    torch.manual_seed(0)
    policy, x = OwnCell().double(), noise(6, 2, 3, seed=40)
    states: list[Tensor] = []

    def rollout() -> None:
        h = zeros()
        for t in range(6):
            h = policy(x[t], h * (t != 3))
            h.retain_grad()
            states.append(h)
        torch.stack(states).square().sum().backward()

    with lstmtui.recording(source=OwnCell) as r:
        rollout()
    (layer,) = r.trace.layers
    assert (layer.cell, layer.path, layer.calls, r.trace.steps, r.trace.batch) == (
        "OwnCell",
        "policy",
        6,
        6,
        2,
    )
    assert {"f", "candidate", "h_next"} <= set(r.trace.quantities())
    for t, state in enumerate(states):
        assert gap(r.trace.values("h_next")[t], state) == 0
        assert gap(r.trace.values("dh_next")[t], state.grad) == 0
    assert not layer.absent
    values = {f"policy.{name}": parameter.detach() for name, parameter in policy.named_parameters()}
    assert r.trace.parameters.keys() == values.keys()
    assert all(gap(r.trace.parameters[name], value) == 0 for name, value in values.items())


def test_the_lines_of_the_block_itself_are_recorded(tmp_path: Path) -> None:
    x, w = noise(5, 2, 4, seed=41), noise(4, 4, seed=42)
    with lstmtui.recording(tmp_path / "r") as r:
        h = zeros()
        for t in range(5):
            mixed = h @ w
            h = torch.tanh(mixed + x[t])
    trace = lstmtui.load(tmp_path / "r")
    assert isinstance(trace, lstmtui.Trace)
    assert (trace.steps, trace.batch) == (5, 2)
    assert gap(trace.values("h")[-1], h) == 0
    assert {"mixed", "h"} <= set(trace.quantities())
    assert r.trace.layers[0].absent == "no backward pass of the block reached it"
    with pytest.raises(lstmtui.UserError, match="h has no gradient: requires none"):
        trace.values("dh")


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.own = nn.LSTMCell(3, 4), OwnCell()

    def forward(self, x: Tensor) -> Tensor:
        h, c = zeros(), zeros()
        memory = zeros()
        for now in x:
            h, c = self.lstm(now, (h, c))
            memory = self.own(now, memory + h)
        return memory


class OwnLoop(nn.Module):
    """A cell of that kind over a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.write = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = zeros()
        for v in x:
            h = 0.5 * h + torch.tanh(self.write(torch.cat([v, h], -1)))
        return h


@pytest.mark.parametrize("is_in_function", [False, True])
def test_each_step_of_a_training_loop_is_a_run_over_its_own_sequence(is_in_function: bool) -> None:
    net, batches = OwnLoop().double(), [noise(6, 2, 3, seed=seed) for seed in range(3)]

    def train() -> None:
        for x in batches:
            out = net(x)
            out.square().sum().backward()

    with lstmtui.recording() as r:
        if is_in_function:
            train()
        else:
            for x in batches:
                out = net(x)
                out.square().sum().backward()
    trace = r.trace
    assert [layer.path for layer in trace.layers[-3:]] == ["net", "net@2", "net@3"]
    assert (trace.steps, trace.batch) == (6, 2)
    for number, x in enumerate(batches, start=len(trace.layers) - 3):
        assert gap(trace.values("h", number)[-1], net(x)) < EXACT
        assert gap(trace.values("x", number), x) == 0


def test_recurrent_modules_and_code_by_source_share_one_time() -> None:
    torch.manual_seed(1)
    model, x = Both().double(), noise(5, 2, 3, seed=43)
    with lstmtui.recording(source=True) as r:
        model(x).square().sum().backward()
    wanted = lstmtui.record(model, x, source=True, loss=lambda y: y.square().sum())
    kinds = {layer.cell: n for n, layer in enumerate(r.trace.layers)}
    others = {layer.cell: n for n, layer in enumerate(wanted.layers)}
    assert r.trace.steps == 5
    assert {"lstm", "OwnCell", "Both"} <= set(kinds)
    for cell, name in (
        ("lstm", "dh"),
        ("lstm", "c"),
        ("OwnCell", "df"),
        ("OwnCell", "h_next"),
        ("Both", "dmemory"),
    ):
        mine, theirs = r.trace.values(name, kinds[cell]), wanted.values(name, others[cell])
        assert gap(mine, theirs) <= EXACT, name
    assert names(r.trace)["lstm"][0] == "lstm"
    assert names(r.trace)["OwnCell"][0] == "own"
    own = {name for name in r.trace.parameters if name.startswith("model.own.")}
    assert own == {"model.own." + name for name, _ in model.own.named_parameters()}
    assert {name for name in r.trace.parameters if "lstm" in name} == {
        "lstm." + name for name, _ in model.lstm.named_parameters()
    }


def test_left_open_a_recurrent_module_ends_recording_by_source() -> None:
    model, x, tracers = Both().double(), noise(5, 2, 3, seed=44), [sys.gettrace()]
    with lstmtui.recording() as r:
        tracers.append(sys.gettrace())
        model(x)
        tracers.append(sys.gettrace())
    assert [layer.cell for layer in r.trace.layers] == ["lstm"]
    assert tracers[0] is tracers[2] is sys.gettrace()
    assert tracers[1] is not tracers[0]


def test_where_the_code_raises_is_where_the_recording_ends() -> None:
    cell, x = OwnCell().double(), noise(6, 2, 3, seed=45)

    def rollout() -> None:
        h = zeros()
        with r:
            for t in range(6):
                h = cell(x[t] if t < 4 else x[t, :, :1], h)

    r = lstmtui.recording()
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        rollout()
    raised = r.trace.header.raised
    assert raised is not None
    assert raised.t == 4
    assert "mat1 and mat2" in raised.text
    assert r.trace.layers[raised.layer].cell == "OwnCell"


class Settles(nn.Module):
    """As many updates as it likes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.w = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 4)
        for _ in range(5):
            h = torch.tanh(self.w(torch.cat([x, h], -1)))
        return h


def test_a_loop_round_a_block_is_none_of_it() -> None:
    model, x = Settles(), torch.randn(2, 3)
    for number in range(2):
        with lstmtui.recording() as block:
            model(x + number).sum().backward()
        assert (block.trace.steps, block.trace.values("h").shape) == (5, (5, 2, 4))
        assert torch.equal(torch.tensor(block.trace.values("h")[-1]), model(x + number).detach())


class TwoLayers(nn.Module):
    """One layer after another; their last states are returned with the layers first."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 4) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        last = []
        for layer in self.layers:
            h, seen = x.new_zeros(x.shape[1], 4), []
            for v in x:
                h = torch.tanh(layer(torch.cat([v, h], -1)))
                seen.append(h)
            x = torch.stack(seen)
            last.append(h)
        return x, torch.stack(last)


def distance(output: Tensor, last: Tensor) -> Tensor:
    return (output**2).sum() + (last**2).sum()


def test_what_a_loss_is_given_says_nothing_about_the_input() -> None:
    torch.manual_seed(0)
    model, x = TwoLayers(), torch.randn(7, 3, 4)
    with lstmtui.recording() as block:
        distance(*model(x)).backward()
    layer = next(n for n, layer in enumerate(block.trace.layers) if layer.cell == "TwoLayers")
    assert (block.trace.steps, block.trace.batch) == (7, 3)
    assert torch.equal(torch.tensor(block.trace.values("h", layer)), model(x)[0].detach())


def test_what_cannot_be_recorded_by_source_is_said() -> None:
    with pytest.raises(TypeError, match="source: must be True, or name functions"):
        lstmtui.recording(source=3)  # type: ignore[arg-type]
    with lstmtui.recording(source="nothing.here") as r:
        OwnCell().double()(noise(2, 3, seed=46), zeros())
    with pytest.raises(lstmtui.UserError, match=r"source= names nothing that ran. What ran: .*OwnCell"):
        _ = r.trace
    with lstmtui.recording(source=False) as r:
        OwnCell().double()(noise(2, 3, seed=46), zeros())
    with pytest.raises(lstmtui.UserError, match=r"was called in the block$"):
        _ = r.trace


def test_a_loop_that_would_not_fit_into_memory_is_recorded_as_far_as_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell, x = OwnCell().double(), noise(6, 2, 3, seed=47)

    def too_much(numbers: int, dtype: torch.dtype) -> None:
        if numbers > 500:
            raise lstmtui.UserError("too much")

    monkeypatch.setattr(tensors, "check_memory", too_much)
    monkeypatch.setattr(tensors, "_CHECKED", 1)
    r = lstmtui.recording(source=OwnCell)

    def rollout() -> Tensor:
        h = zeros()
        with r:
            for t in range(6):
                h = cell(x[t], h)
        return h

    with pytest.warns(RuntimeWarning, match="ended early: too much; what ran after that is not recorded"):
        h = rollout()
    assert 1 < r.trace.steps < 6
    assert torch.isfinite(h).all()

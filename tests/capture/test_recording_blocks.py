"""Recording a block of code: a training step, a rollout, a stream, in which no model is named."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.equations import operands_at
from lstmtui.capture.blocks import block_calls
from lstmtui.capture.blocks.called_modules import Places
from lstmtui.capture.record import record
from lstmtui.cells.formula import equations

EXACT = 1e-12
ROUNDED = 1e-10
"""Where a stock kernel and the equations each round."""
States = tuple[Tensor, ...]


class Policy(nn.Module):
    """A recurrent policy that is called once for each step of its environments."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.cell, self.action = nn.Linear(3, 3), nn.LSTMCell(3, 4), nn.Linear(4, 2)

    def forward(self, observation: Tensor, states: States, starts: Tensor) -> tuple[Tensor, States]:
        states = tuple((1 - starts).unsqueeze(1) * state for state in states)
        h, c = self.cell(torch.tanh(self.body(observation)), states)
        return self.action(h), (h, c)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.3, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0])


def zeros(batch: int = 2) -> States:
    return tuple(torch.zeros(batch, 4, dtype=torch.float64) for _ in range(2))


def train(model: nn.Module, steps: int, record_it: bool) -> Any:
    """A hand-written training loop, and what it leaves."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    losses = []

    def loop() -> None:
        for number in range(steps):
            loss = model(noise(2, 5, 3, seed=number)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))

    if record_it:
        with lstmtui.recording() as r:
            loop()
    else:
        loop()
    left = [*model.parameters(), *(p.grad for p in model.parameters())], losses, torch.get_rng_state()
    return left, r.trace if record_it else None


def test_a_training_step_is_recorded_with_the_derivatives_of_its_backward_pass() -> None:
    torch.manual_seed(0)
    model, x = Tagger().double().eval(), noise(2, 5, 3, seed=30)
    wanted = record(model, x, loss=lambda y: y.square().mean())
    with lstmtui.recording() as r:
        model(x).square().mean().backward()
    for layer in (0, 1):
        for name in set(wanted.quantities(layer)) - {"y", "dy"}:
            assert gap(r.trace.values(name, layer), wanted.values(name, layer)) <= ROUNDED, name
    for name, gradient in r.trace.parameter_gradients.items():
        assert gap(gradient, model.get_parameter(name).grad) <= ROUNDED
    assert [layer.path for layer in r.trace.layers] == ["lstm", "lstm"]
    assert (r.trace.name, r.trace.loss) == ("Tagger", pytest.approx(wanted.loss, rel=EXACT))


def test_training_is_the_same_to_the_bit_and_everything_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = Tagger().double()
    other = copy.deepcopy(model)
    kinds = [type(module) for module in model.modules()]
    (tensors, losses, generator), _ = train(other, 3, record_it=False)
    (mine, own_losses, own_generator), trace = train(model, 3, record_it=True)
    assert all(torch.equal(a, b) for a, b in zip(mine, tensors, strict=True))
    assert (own_losses, own_generator.tolist()) == (losses, generator.tolist())
    assert [type(module) for module in model.modules()] == kinds
    assert "__call__" not in vars(nn.RNNBase)
    assert "__call__" not in vars(nn.RNNCellBase)
    # Each batch begins anew, with the parameters that the optimizer has made.
    assert [layer.path for layer in trace.layers] == ["lstm"] * 2 + ["lstm@2"] * 2 + ["lstm@3"] * 2
    weights = [trace.layer_parameters(layer, "forward")["weight_hh"] for layer in (0, 2, 4)]
    assert not np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[1], weights[2])


def test_several_backward_passes_add_up() -> None:
    torch.manual_seed(0)
    model, x = Tagger().double().eval(), noise(2, 5, 3, seed=31)
    wanted = record(model, x, loss=lambda y: y.square().sum() + y[:, 2].sum())
    with lstmtui.recording() as r:
        y = model(x)
        y.square().sum().backward(retain_graph=True)
        y[:, 2].sum().backward()
    for name in ("dh", "dc", "df_pre", "dx"):
        assert gap(r.trace.values(name, 0), wanted.values(name, 0)) <= ROUNDED, name


def test_a_rollout_and_the_update_after_it_are_a_run_each() -> None:
    torch.manual_seed(2)
    policy, x = Policy().double(), noise(6, 2, 3, seed=32)
    starts = torch.zeros(6, 2, dtype=torch.float64)
    starts[0], starts[3, 1], starts[4] = 1, 1, 1

    def unroll() -> tuple[list[Tensor], list[States]]:
        states, actions, left = zeros(), [], []
        for t in range(6):
            action, states = policy(x[t], states, starts[t])
            for state in states if torch.is_grad_enabled() else ():
                state.retain_grad()
            actions.append(action)
            left.append(states)
        return actions, left

    optimizer = torch.optim.SGD(policy.parameters(), 0.1)
    with lstmtui.recording() as r:
        with torch.no_grad():
            _, seen = unroll()
        actions, left = unroll()
        torch.stack(actions).square().sum().backward()
        optimizer.step()
    trace = r.trace
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("cell", 6), ("cell@2", 6)]
    assert "without a graph" in trace.layers[0].absent
    assert not trace.layers[1].absent
    for t in range(6):
        keep = (1 - starts[t])[:, None]
        for position, state in enumerate("hc"):
            assert gap(trace.values(state, 0)[t], seen[t][position]) <= EXACT
            if t:
                before = trace.arrays[f"1/forward/before/{state}"][t]
                assert gap(before, keep * left[t - 1][position]) <= EXACT
            # On a CPU h is made of the very c that the cell returns.
            assert gap(trace.values("d" + state, 1)[t], left[t][position].grad) <= EXACT
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        wanted = policy.get_parameter("cell." + name).grad
        assert gap(trace.parameter_gradients["cell." + name], wanted) <= EXACT


def test_truncated_backpropagation_with_an_optimizer_is_one_run() -> None:
    torch.manual_seed(3)
    model, x = nn.GRU(3, 4).double(), noise(9, 2, 3, seed=33)
    optimizer, outputs, total = torch.optim.SGD(model.parameters(), 0.1), [], 0
    with lstmtui.recording(name="tbptt") as r:
        state = None
        for chunk in x.split(3):
            output, state = model(chunk, state)
            optimizer.zero_grad()
            output.square().sum().backward()
            total = total + model.weight_hh_l0.grad
            optimizer.step()
            state = state.detach()
            outputs.append(output)
    (layer,) = r.trace.layers
    assert (layer.path, layer.calls, r.trace.steps, r.trace.name) == ("model", 3, 9, "tbptt")
    assert gap(r.trace.values("h"), torch.cat(outputs)) <= ROUNDED
    assert not [key for key in r.trace.arrays if "before" in key]
    assert gap(r.trace.parameter_gradients["model.weight_hh_l0"], total) <= ROUNDED


@pytest.mark.parametrize("size", [1, 3])
def test_numbers_are_not_computed_with_the_parameters_from_before_an_optimizer_stepped(size: int) -> None:
    torch.manual_seed(3)
    model, x = nn.GRU(3, 4).double(), noise(9, 2, 3, seed=33)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with lstmtui.recording() as r:
        state = None
        for number, part in enumerate(x.split(size)):
            output, state = model(part, state)
            if number == 1:
                output.square().sum().backward()
                optimizer.step()
                state = state.detach()
    (layer,) = r.trace.layers
    assert layer.parameters_until == 2 * size
    for t in range(9):
        operands = operands_at(r.trace, 0, "forward", 0, 0, t)
        for equation in equations(r.trace.cell(), operands):
            if t < 2 * size:
                assert equation.computed == pytest.approx(equation.value, rel=ROUNDED)
            else:
                assert "NaN" not in str(equation.numbers)
                assert len(equation.numbers) == 1


def test_a_stream_without_a_graph_is_written_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(4)
    rnn, x = nn.LSTM(3, 4).double().eval(), noise(8, 1, 3, seed=34)
    with lstmtui.recording(tmp_path / "r") as r, torch.inference_mode():
        state, outputs = None, []
        for chunk in x.split(3):
            output, state = rnn(chunk, state)
            outputs.append(output.clone())
    trace = lstmtui.load(tmp_path / "r")
    assert isinstance(trace, lstmtui.Trace)
    assert r.path == tmp_path / "r"
    assert (trace.steps, trace.layers[0].calls, trace.layers[0].path) == (8, 3, "rnn")
    assert gap(trace.values("h"), torch.cat(outputs)) <= ROUNDED
    with pytest.raises(lstmtui.UserError, match="without a graph"):
        trace.values("dh")


def test_calls_that_would_not_fit_into_memory_are_left_out_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_much(numbers: int, dtype: torch.dtype) -> None:
        if numbers > 1_000:
            raise lstmtui.UserError("too much")

    monkeypatch.setattr(block_calls, "check_memory", too_much)
    cell, x = nn.LSTMCell(3, 4).double(), noise(9, 2, 3, seed=35)
    state = zeros()
    with lstmtui.recording() as r:
        for now in x:
            state = cell(now, state)
    # 2 · 2 sequences · (3 of x + 10 quantities of 4 units) for each, after 136 + 16 numbers of parameters
    assert r.trace.steps == (1_000 - 144) // 172
    assert capsys.readouterr().err == "lstmtui.recording: a call is left out: UserError: too much\n"


def test_what_was_recorded_before_an_exception_is_there(tmp_path: Path) -> None:
    policy = Policy().double()
    r = lstmtui.recording(tmp_path / "r")

    def rollout() -> None:
        states = zeros()
        with r:
            for t in range(4):
                _, states = policy(noise(2, 3, seed=t), states, torch.zeros(2))
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        rollout()
    assert r.trace.steps == 4
    assert r.trace.layers[0].absent == "no backward pass of the block reached it"
    assert lstmtui.load(tmp_path / "r").steps == 4


@pytest.mark.parametrize("error", [None, KeyError("mine")])
def test_a_block_in_which_nothing_recurrent_is_called_has_no_trace(
    error: Exception | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    r = lstmtui.recording(tmp_path / "r")
    with pytest.raises(lstmtui.UserError, match="the block has not ended"):
        _ = r.trace
    with pytest.raises(KeyError, match="mine") if error else nullcontext(), r:
        nn.Linear(3, 4)(torch.ones(3))
        if error is not None:
            raise error
    with pytest.raises(lstmtui.UserError, match=r"no LSTM, GRU, RNN, .* was called in the block"):
        _ = r.trace
    assert "nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    with pytest.raises(lstmtui.UserError, match="used already"), r:
        pass


def test_a_path_that_holds_something_else_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("text")
    with pytest.raises(lstmtui.UserError, match="mine"):
        lstmtui.recording(tmp_path / "mine")


# Within one another


def test_within_a_recording_a_block_is_refused_in_a_sentence() -> None:
    class Model(Tagger):
        def forward(self, x: Tensor) -> Tensor:
            with lstmtui.recording():
                return super().forward(x)

    with pytest.raises(lstmtui.UserError, match=r"this thread is inside lstmtui\.record"):
        record(Model(), torch.ones(2, 3, 3))


def test_blocks_watches_and_recordings_within_a_block_work(tmp_path: Path) -> None:
    model, x = Tagger(), torch.randn(2, 5, 3)
    with lstmtui.recording() as outer, lstmtui.watch(model, "len(dh) > 0", path=tmp_path / "w"):
        model(x).sum().backward()
        with lstmtui.recording() as inner:
            record(model, x)
            model(x).sum().backward()
    assert [layer.path for layer in outer.trace.layers] == ["lstm"] * 2 + ["lstm@2"] * 2
    assert [layer.path for layer in inner.trace.layers] == ["lstm"] * 2
    assert gap(inner.trace.values("dh", 1), outer.trace.values("dh", 3)) == 0
    assert set(lstmtui.load(tmp_path / "w")) == {"step 0"}  # type: ignore[arg-type]
    assert type(model.lstm) is nn.LSTM


def test_threads_within_a_block_have_runs_of_their_own() -> None:
    policies = [Policy().double(), Policy().double()]
    policies.append(policies[0])
    barrier = threading.Barrier(3)

    def roll(policy: Policy, seed: int) -> None:
        states = zeros()
        for t in range(5):
            barrier.wait()
            with torch.no_grad():
                _, states = policy(noise(2, 3, seed=seed + t), states, torch.zeros(2))

    threads = [threading.Thread(target=roll, args=(p, 10 * n)) for n, p in enumerate(policies)]
    before = sys.gettrace()
    with lstmtui.recording() as r:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sys.gettrace() is before
    assert [layer.calls for layer in r.trace.layers] == [5] * 3
    assert sorted(layer.path.partition("@")[0] for layer in r.trace.layers)[0] == "cell"
    assert len({layer.path for layer in r.trace.layers}) == 3


def test_a_module_that_another_thread_has_just_begun_to_call_is_recorded_in_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell, is_begun, add = nn.GRUCell(3, 4), threading.Event(), Places.add

    def slowly(places: Places, module: nn.Module) -> str:
        is_begun.set()
        other.join(0.2)  # it is to wait for what goes on here
        return add(places, module)

    def second() -> None:
        is_begun.wait(60)
        cell(torch.ones(2, 3))

    monkeypatch.setattr(Places, "add", slowly)
    other = threading.Thread(target=second)
    with lstmtui.recording() as r:
        other.start()
        cell(torch.zeros(2, 3))
        other.join()
    assert sum(layer.calls for layer in r.trace.layers) == 2


# Where modules sit


class Agent:
    """An object of the user's that is no module."""

    def __init__(self) -> None:
        self.memory, self.net = nn.GRU(3, 4), Tagger()


def through_a_method() -> None:
    class Actor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleDict({"rnn": nn.GRU(3, 4)})

        def act(self, x: Tensor) -> Tensor:
            output: Tensor = self.inner["rnn"](x)[0]
            return output

    Actor().act(torch.ones(2, 1, 3))


def by_a_variable() -> None:
    encoder = nn.GRU(3, 4)
    encoder(torch.ones(2, 1, 3))


def by_an_attribute() -> None:
    agent = Agent()
    type("Runner", (), {"run": lambda self: self.memory(torch.ones(2, 1, 3))}).run(agent)  # type: ignore[attr-defined]


def of_an_outermost_module() -> None:
    Agent().net(torch.ones(2, 4, 3))


def two_of_one_kind() -> None:
    first, second = Tagger(), Tagger()
    first(torch.ones(2, 4, 3))
    second(torch.ones(2, 4, 3))


def of_a_subclass() -> None:
    class Doubled(nn.GRU):
        def forward(self, x: Tensor) -> Any:  # type: ignore[override]
            return super().forward(2 * x)

    doubled = Doubled(3, 4)
    doubled(torch.ones(2, 1, 3))


@pytest.mark.parametrize(("code", "wanted"), [
    (through_a_method, ["inner.rnn"]),
    (by_a_variable, ["encoder"]),
    (by_an_attribute, ["memory"]),
    (of_an_outermost_module, ["lstm"]),
    (two_of_one_kind, ["lstm", "second.lstm"]),
    (of_a_subclass, ["doubled"]),
])  # fmt: skip
def test_a_module_has_the_path_that_the_code_reaches_it_by(
    code: Callable[[], None], wanted: list[str]
) -> None:
    with lstmtui.recording() as r:
        code()
    assert list(dict.fromkeys(layer.path for layer in r.trace.layers)) == wanted
    if code is of_a_subclass:
        assert (r.trace.values("x") == 2).all()


# Somebody else's policy


def test_a_recurrent_policy_of_sb3_contrib_is_one_run_for_actor_and_critic_each() -> None:
    pytest.importorskip("sb3_contrib")
    gymnasium = pytest.importorskip("gymnasium")
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from sb3_contrib.common.recurrent.type_aliases import RNNStates

    torch.manual_seed(5)
    box = gymnasium.spaces.Box(-1, 1, (3,))
    policy = RecurrentActorCriticPolicy(box, gymnasium.spaces.Discrete(2), lambda _: 1e-3, lstm_hidden_size=4)
    states = RNNStates(*((torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)) for _ in range(2)))
    starts = torch.zeros(6, 2)
    starts[0], starts[3, 1], starts[4] = 1, 1, 1
    with lstmtui.recording() as r:
        for t in range(6):
            with torch.no_grad():
                _, _, _, states = policy(noise(2, 3, seed=t).float(), states, starts[t])
    assert [(layer.path, layer.calls) for layer in r.trace.layers] == [("lstm_actor", 6), ("lstm_critic", 6)]
    h = r.trace.values("h")
    before = r.trace.arrays["0/forward/before/h"]
    assert gap(before[1:], h[:-1] * (1 - starts[1:, :, None].numpy())) <= 1e-6
    assert gap(h[-1:], states.pi[0]) <= 1e-5

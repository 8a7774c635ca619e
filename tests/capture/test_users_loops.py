"""In other people's models and loops: no failure of ours is theirs, and the modules are left as they were."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import lstmtui
from lstmtui.capture.record import record
from lstmtui.capture.steps import call_keeper, watched_calls
from lstmtui.capture.watching import watched_model
from lstmtui.trace import Trace

NEVER = "norm(dh) < -1"


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(3, 4, 2), nn.GRU(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)[0])[0]


class Nested(nn.LSTM):
    """A recurrent layer that holds another one."""

    def __init__(self) -> None:
        super().__init__(3, 4)
        self.inner = nn.GRU(4, 4)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        output, _ = super().forward(2 * x)
        return self.inner(output)[0] + 1


def state_of(model: nn.Module) -> list[Any]:
    """Everything about the modules of a model that a user could see."""
    return [
        (type(m), dict(vars(m)), [dict(v) for v in vars(m).values() if isinstance(v, dict)], m.training)
        for m in model.modules()
    ]


def assert_untouched(model: nn.Module, before: list[Any]) -> None:
    for now, was in zip(state_of(model), before, strict=True):
        assert now[0] is was[0]
        assert now[3] == was[3]
        for mine, theirs in zip([now[1], *now[2]], [was[1], *was[2]], strict=True):
            assert list(mine) == list(theirs)
            assert all(mine[key] is theirs[key] for key in theirs)


def assert_same_gradients(model: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad)


def shape_of(model: nn.Module) -> list[Any]:
    """The classes of the modules and the names of all they hold."""
    parts = [(type(m), vars(m)) for m in model.modules()]
    return [(k, list(own), [list(v) for v in own.values() if isinstance(v, dict)]) for k, own in parts]


def step(model: nn.Module, x: Tensor) -> None:
    model(x).sum().backward()


def in_threads(work: Callable[[], None], count: int = 2) -> list[BaseException]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def load(path: Path, name: str) -> Trace:
    found = lstmtui.load(path)
    return found[name]  # type: ignore[index,return-value]


# Threads


def test_threads_train_a_watched_model_each_in_steps_of_its_own(tmp_path: Path) -> None:
    model = Pair()
    before = state_of(model)

    def work() -> None:
        for _ in range(5):
            step(model, torch.randn(5, 2, 3))

    with lstmtui.watch(model, when=NEVER, path=tmp_path / "w", keep=10) as watch:
        assert in_threads(work, 3) == []
        paths = [[call.path for call in s.calls] for s in watch._watched.steps]
        assert len({s.thread for s in watch._watched.steps}) > 1
    assert paths == [["first", "second"]] * 10
    assert_untouched(model, before)


def test_threads_that_a_forward_starts_belong_to_its_step() -> None:
    class Parallel(Pair):
        def forward(self, x: Tensor) -> Tensor:
            with ThreadPoolExecutor(2) as pool:
                parts = list(pool.map(super().forward, x.chunk(2, 1)))
            return torch.cat(parts, 1)

    model, x = Parallel().double(), noise(5, 4, 3, seed=1)
    with lstmtui.watch(model) as watch:
        step(model, x)
        (only,) = watch._watched.steps
    assert sorted(call.path for call in only.calls) == ["first", "first", "second", "second"]
    trace = record(model, x, loss=lambda y: y.square().sum())
    assert sorted(layer.path for layer in trace.layers) == [
        *["first"] * 2, *["first@2"] * 2, "second", "second@2"
    ]  # fmt: skip


def test_threads_that_record_one_model_take_turns_and_leave_it_as_it_was() -> None:
    model, x, traces = Pair().double(), noise(30, 2, 3, seed=2), []
    before, wanted = state_of(model), record(model, x)
    assert in_threads(lambda: traces.append(record(model, x)), 4) == []
    assert len(traces) == 4
    for trace in traces:
        assert all((trace.arrays[key] == array).all() for key, array in wanted.arrays.items())
    assert_untouched(model, before)
    pickle.dumps(model)


def test_calls_of_other_threads_are_no_part_of_a_recording() -> None:
    model, x, go, stop = Pair(), torch.randn(40, 2, 3), threading.Event(), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            assert model(x).shape == (40, 2, 4)
            go.set()

    thread = threading.Thread(target=serve)
    thread.start()
    go.wait()
    try:
        traces = [record(model, x) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert [[layer.path for layer in trace.layers] for trace in traces] == [["first", "first", "second"]] * 3


@pytest.mark.parametrize("stage", ["forward", "backward"])
@pytest.mark.parametrize("kind", [Pair, lambda: nn.LSTM(3, 4)], ids=["a model", "a layer"])
def test_a_thread_that_comes_while_a_model_is_recorded_trains_it_by_itself(
    kind: Callable[[], nn.Module], stage: str
) -> None:
    model, x, failures, gradients = kind().double(), noise(5, 2, 3, seed=4), [], []
    other = noise(9, 1, 3, seed=5).requires_grad_()

    def output_of(result: Any) -> Tensor:
        return result if isinstance(result, Tensor) else result[0]

    def train() -> None:
        gradients.append(torch.autograd.grad(output_of(model(other)).sum(), other)[0])

    def begin(*_: Any) -> None:
        if len(gradients) < 2:
            gradients.append(None)
            failures.extend(in_threads(train, 1))

    def loss(result: Any) -> Tensor:
        if stage == "backward":
            output_of(result).register_hook(begin)
        return output_of(result).square().sum()

    train()
    wanted = record(model, x, loss=lambda result: output_of(result).square().sum())
    hook = model.register_forward_pre_hook(begin) if stage == "forward" else None
    trace = record(model, x, loss=loss)
    if hook is not None:
        hook.remove()
    assert failures == []
    assert gradients[1] is None
    assert torch.equal(gradients[0], gradients[2])
    assert [layer.path for layer in trace.layers] == [layer.path for layer in wanted.layers]
    assert all(np.array_equal(trace.arrays[key], array) for key, array in wanted.arrays.items())


# Within one another


def test_a_recurrent_layer_inside_a_subclass_of_one_is_watched_as_it_is_recorded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Nested().double(), noise(6, 2, 3, seed=3)
    wanted = record(model, x, loss=lambda y: y.square().sum())
    with lstmtui.watch(model, when="len(dh) > 0", path=tmp_path / "w"):
        model(x).square().sum().backward()
    trace = load(tmp_path / "w", "step 0")
    for layer, own in enumerate(wanted.layers):
        (at,) = (n for n, other in enumerate(trace.layers) if other.path == (own.path or "lstm"))
        for name in ("x", "h", "dh", "dx"):
            assert gap(torch.tensor(trace.values(name, at)), wanted.values(name, layer)) <= 1e-12, name


def test_recording_inside_a_watch_is_no_step_of_it() -> None:
    model, x = Pair(), torch.randn(5, 2, 3)
    before, alone = state_of(model), record(model, x)
    with lstmtui.watch(model) as watch:
        step(model, x)
        trace = record(model, x)
        assert len(watch._watched.steps) == 1
        step(model, x)
        assert len(watch._watched.steps) == 2
    assert all((trace.arrays[key] == array).all() for key, array in alone.arrays.items())
    assert_untouched(model, before)


@pytest.mark.parametrize("in_order", [True, False])
def test_watches_of_one_model_end_in_any_order(in_order: bool) -> None:
    model = Pair()
    before = state_of(model)
    a, b = lstmtui.watch(model), lstmtui.watch(model.first)
    a.__enter__()
    b.__enter__()
    step(model, torch.randn(5, 2, 3))
    first, second = (b, a) if in_order else (a, b)
    first.__exit__(None, None, None)
    step(model, torch.randn(5, 2, 3))
    second.__exit__(None, None, None)
    assert [len(w._watched.steps) for w in (first, second)] == [1, 2]
    assert_untouched(model, before)


def test_a_class_that_changes_within_the_block_is_kept() -> None:
    model = nn.Sequential(nn.LSTM(3, 4), nn.Identity())
    layer = model[0]
    with lstmtui.watch(layer) as watch:
        weight_norm(layer, "weight_hh_l0")
        layer(torch.randn(4, 1, 3))
        assert len(watch._watched.steps) == 1
    assert parametrize.is_parametrized(layer)
    kind = type(layer)
    with lstmtui.watch(layer):
        parametrize.remove_parametrizations(layer, "weight_hh_l0")
        layer(torch.randn(4, 1, 3))
    assert type(layer) is nn.LSTM
    assert kind.__bases__ == (nn.LSTM,)


# What a user does with a module meanwhile


def test_copies_and_files_of_a_watched_model_are_as_without() -> None:
    model, x = Pair(), torch.randn(5, 2, 3)
    bare = pickle.dumps(model)
    with lstmtui.watch(model) as watch:
        assert pickle.dumps(model) == bare
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model.first)]
        assert isinstance(model.first, nn.LSTM)
        assert model.first.__class__ is nn.LSTM
        assert str(model) == str(copies[0])
        step(copies[0], x)
        assert watch._watched.steps == []
        step(model, x)
        assert len(watch._watched.steps) == 1
        assert model.state_dict().keys() == copies[1].state_dict().keys()
        model.load_state_dict(copies[1].state_dict())
    for other in copies:
        assert all(type(m) in (Pair, nn.LSTM, nn.GRU) for m in other.modules())


def test_a_class_that_counts_its_subclasses_hears_of_none() -> None:
    heard = []

    class Counting(nn.LSTM):
        def __init_subclass__(cls, **_: Any) -> None:
            heard.append(cls)

    layer = Counting(3, 4)
    with lstmtui.watch(layer):
        layer(torch.randn(4, 1, 3))
    record(layer, torch.randn(4, 1, 3))
    assert heard == []


def recurrent(*sizes: int) -> lstmtui.Recurrent:
    return lstmtui.Recurrent("gru", *sizes)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, recurrent])
@pytest.mark.parametrize("call", [
    lambda m: m(), lambda m: m(torch.ones(4, 1, 3), bad=1), lambda m: m(1, 2, 3, 4, 5), lambda m: m("text"),
    lambda m: m(torch.ones(4, 3), "text"),
])  # fmt: skip
def test_a_wrong_call_raises_the_users_own_error(kind: Any, call: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(3, 4)

        def forward(self, x: Tensor) -> Any:
            call(self.rnn)

    def raised(work: Callable[[], Any]) -> tuple[type[BaseException], str]:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            work()
        return caught.type, str(caught.value)

    model, x = Model(), torch.ones(4, 1, 3)
    wanted = raised(lambda: model(x))
    assert raised(lambda: record(model, x)) == wanted
    with lstmtui.watch(model):
        assert raised(lambda: model(x)) == wanted
        assert raised(lambda: call(model.rnn)) == wanted
    assert type(model.rnn) is type(kind(3, 4))


class Stop(BaseException):
    pass


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, Stop])
def test_an_exception_in_the_middle_of_a_forward_leaves_nothing_behind(kind: Any) -> None:
    class Failing(Pair):
        fails = True

        def forward(self, x: Tensor) -> Tensor:
            output = self.first(x)[0]
            if self.fails:
                raise kind("mine")
            return self.second(output)[0]

    model, x = Failing(), torch.randn(5, 2, 3)
    before = state_of(model)
    with lstmtui.watch(model) as watch:
        with pytest.raises(kind, match="mine"):
            model(x)
        model.fails = False
        step(model, x)
        assert [[c.path for c in s.calls] for s in watch._watched.steps] == [["first"], ["first", "second"]]
        assert not watch._watched._open
    del model.fails
    with pytest.raises(kind, match="mine"):
        record(model, x)
    assert_untouched(model, before)


def test_a_loop_that_is_a_generator_may_go_on_in_another_thread() -> None:
    model, x = Pair(), torch.randn(5, 2, 3)
    before = state_of(model)

    def loop() -> Iterator[int]:
        with lstmtui.watch(model) as watch:
            while True:
                step(model, x)
                yield len(watch._watched.steps)

    steps = loop()
    assert next(steps) == 1
    assert in_threads(lambda: next(steps), 1) == []
    assert next(steps) == 3
    assert in_threads(steps.close, 1) == []
    assert_untouched(model, before)


# Hooks of ours that fail


@pytest.mark.parametrize("place", ["watched_call", "ended", "keep", "_next"])
def test_what_fails_inside_a_hook_of_ours_is_said_once_and_stays_there(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("ours\x1b[2J")

    if place == "watched_call":
        monkeypatch.setattr(call_keeper, "watched_call", fail)
    elif place == "ended":
        monkeypatch.setattr(watched_calls, "weights_at_rest", fail)
    elif place == "keep":
        monkeypatch.setattr(watched_calls.WatchedCall, "reached", fail)
    else:
        monkeypatch.setattr(watched_model.WatchedModel, "_next", fail)
    torch.manual_seed(0)
    model, x = Pair(), torch.randn(5, 2, 3)
    other, before = copy.deepcopy(model), state_of(model)
    with lstmtui.watch(model, when=NEVER):
        for _ in range(3):
            step(model, x)
            step(other, x)
    assert_same_gradients(model, other)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lstmtui.watch: a call is left out: RuntimeError: ours")
    assert "\x1b" not in line
    assert_untouched(model, before)


# What autograd does


class Half(torch.autograd.Function):
    """Gives no gradient for its second argument."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        return a.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, recurrent])
def test_an_undefined_gradient_is_one_of_0(kind: Any, tmp_path: Path) -> None:
    layer = kind(3, 4).double()
    with lstmtui.watch(layer, when="len(dh) > 0", path=tmp_path / "w"):
        output, state = layer(noise(5, 2, 3, seed=4))
        Half.apply(output.sum(), (state[0] if isinstance(state, tuple) else state).sum()).backward()
    trace = load(tmp_path / "w", "step 0")
    (found,) = (g for name, g in trace.parameter_gradients.items() if name.endswith("weight_ih_l0"))
    assert gap(np.array(found), layer.weight_ih_l0.grad) <= 1e-12


def test_a_gradient_of_a_gradient_is_said_to_be_none_that_can_be_shown(tmp_path: Path) -> None:
    layer, other = (copy.deepcopy(nn.LSTM(3, 4).double()) for _ in range(2))
    other.load_state_dict(layer.state_dict())

    def penalty(module: nn.LSTM) -> None:
        x = noise(5, 2, 3, seed=5).requires_grad_()
        (gradient,) = torch.autograd.grad(module(x)[0].sum(), x, create_graph=True)
        gradient.square().sum().backward()

    penalty(other)
    with lstmtui.watch(layer, when="any(h > -9)", path=tmp_path / "w"):
        penalty(layer)
    assert_same_gradients(layer, other)
    with pytest.raises(
        lstmtui.UserError, match=r"dh: not in this trace; a gradient of its gradient .*create_graph"
    ):
        load(tmp_path / "w", "step 0").values("dh")


def test_results_that_are_written_into_are_judged_as_they_were_returned(tmp_path: Path) -> None:
    layer = nn.RNN(1, 1, nonlinearity="relu")
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 1.0)
    with lstmtui.watch(layer, when="h[0] > 100", path=tmp_path / "w") as watch:
        for _ in range(2):
            output, _ = layer(torch.ones(3, 1, 1))
            output[1:] += 1000
            output.view(-1).mul_(2)
            output.sum().backward()
    assert watch.written == []


def test_a_layer_that_no_gradient_reaches_has_none_beside_one_that_has(tmp_path: Path) -> None:
    model = Pair()
    with lstmtui.watch(model, when="norm(dh) >= 0", path=tmp_path / "w"):
        with torch.no_grad():
            middle, _ = model.first(torch.randn(5, 2, 3))
        model.second(middle)[0].sum().backward()
    trace = load(tmp_path / "w", "step 0")
    with pytest.raises(lstmtui.UserError, match="dh: not in this trace; no gradient came back to this call"):
        trace.values("dh", 1)
    assert trace.values("dh", 2).any()


def test_transforms_of_functions_run_as_without_and_are_said_to_be_passed_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    layer = lstmtui.Recurrent("lstm", 3, 4)
    parameters = dict(layer.named_parameters())

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, weights, (x,))[0].sum()

    x = torch.randn(5, 2, 3)
    wanted = torch.func.grad(loss)(parameters, x)
    with lstmtui.watch(layer, when=NEVER) as watch:
        found = torch.func.grad(loss)(parameters, x)
        assert watch._watched.steps == []
        loss(parameters, x).backward()
        assert len(watch._watched.steps) == 1
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert "lstmtui.watch: calls of the model inside torch.func" in capsys.readouterr().err


def test_calls_while_a_cuda_graph_is_captured_are_passed_over_and_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with lstmtui.watch(layer, when=NEVER) as watch:
        for is_capturing in (True, False, True):
            monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda answer=is_capturing: answer)
            layer(x)[0].sum().backward()
        assert len(watch._watched.steps) == 1
    assert capsys.readouterr().err.count("a CUDA graph") == 1


@pytest.mark.parametrize("when", [None, NEVER])
def test_modes_and_hooks_round_the_loop_see_what_they_see_without(when: str | None) -> None:
    class Functions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append("function")
            return func(*args, **(kwargs or {}))

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append("operation")
            return func(*args, **(kwargs or {}))

    def saved(tensor: Tensor) -> Tensor:
        seen.append("saved")
        return tensor

    def train() -> list[str]:
        seen.clear()
        with (
            Functions(),
            Operations(),
            torch.autograd.graph.saved_tensors_hooks(saved, lambda tensor: tensor),
        ):
            for _ in range(3):
                step(model, x)
        return list(seen)

    seen: list[str] = []
    model, x = Pair(), torch.randn(5, 2, 3)
    train()  # the first gradients are put there, those after them are added
    wanted = train()
    with lstmtui.watch(model, when=when):
        assert train() == wanted


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_hook_on_the_way_back_may_record(use_reentrant: bool) -> None:
    class Checkpointed(Pair):
        def forward(self, x: Tensor) -> Tensor:
            return torch.utils.checkpoint.checkpoint(super().forward, x, use_reentrant=use_reentrant)

    model, x, traces = Checkpointed().double(), noise(5, 2, 3, seed=6).requires_grad_(), []

    def keep(_: Tensor) -> None:
        traces.append(record(model, x, loss=torch.sum))

    between = 2 * x
    between.register_hook(keep)
    between.sum().backward()
    wanted = record(model, x, loss=torch.sum)
    (trace,) = traces
    assert all(np.array_equal(trace.values("dh", n), wanted.values("dh", n)) for n in range(3))
    assert trace.values("dh", 0).any()


def test_a_model_without_numbers_is_refused() -> None:
    with pytest.raises(TypeError, match="GRU: has parameters on the meta device"):
        record(nn.GRU(3, 4, device="meta"), torch.zeros(5, 2, 3))


@pytest.mark.parametrize("place", ["fake", "meta", "empty"])
def test_calls_without_numbers_are_passed_over_and_the_others_judged(place: str, tmp_path: Path) -> None:
    model, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    with lstmtui.watch(model, when="norm(dh) >= 0", path=tmp_path / "w") as watch:
        if place == "fake":
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                model(mode.from_tensor(x))
        elif place == "meta":
            with suppress(NotImplementedError, RuntimeError):
                model(x.to("meta"))
        else:
            model(x[:, :0])
        model(x)[0].sum().backward()
    assert len(watch.written) == 1


class Sparse(nn.Module):
    """Gives each of two layers the sequences that are its own, which may be none."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.GRU(3, 4), nn.GRU(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.low(x)[0], self.high(x[:, :0])[0]], dim=1)


def test_a_layer_that_is_given_no_sequence_is_no_obstacle_to_the_others() -> None:
    trace = record(Sparse(), torch.randn(5, 2, 3), loss=lambda result: result.sum())
    assert [layer.path for layer in trace.layers] == ["low"]
    assert trace.values("dh").any()


@pytest.mark.parametrize("frozen", [True, False])
def test_a_condition_on_derivatives_that_nobody_takes_is_said_to_be_none(
    frozen: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, head = nn.GRU(3, 4).requires_grad_(not frozen), nn.Linear(4, 1)
    with lstmtui.watch(layer, when=NEVER):
        for _ in range(2):
            x = torch.randn(5, 2, 3, requires_grad=not frozen)
            loss = head(layer(x)[0]).sum()
            if not frozen:
                (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
                loss = gradient.square().sum()
            loss.backward()
    (line,) = capsys.readouterr().err.splitlines()
    why = "no gradient came back to any call" if frozen else "a gradient of its gradient"
    assert line.startswith(f"lstmtui.watch: the condition could not be judged: {why}")


class Mixed(nn.Module):
    """Layers that torch.compile takes into its graphs, and one that it takes only where it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.cell = nn.LSTM(3, 4), nn.GRUCell(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for now in self.rnn(x)[0]:
            state = self.cell(now, state)
        assert state is not None
        return state


@pytest.mark.parametrize("allow", [False, True])
def test_what_was_compiled_before_the_block_is_seen_inside_it(allow: bool, tmp_path: Path) -> None:
    import torch._dynamo

    model, x = Mixed(), torch.randn(3, 2, 3)
    compiled = torch.compile(model, backend="eager")
    with torch._dynamo.config.patch(allow_rnn=allow):
        compiled(x).sum().backward()
        before = state_of(model)
        with lstmtui.watch(compiled, when="len(dh) > 0", path=tmp_path / "w"):  # type: ignore[arg-type]
            compiled(x).sum().backward()
        assert [layer.path for layer in load(tmp_path / "w", "step 0").layers] == ["rnn", "cell"]
        assert record(compiled, x).values("dh").any()  # type: ignore[arg-type]
        assert_untouched(model, before)


LATE = """
import sys, torch, lstmtui
from test_users_loops import Mixed
model, x = Mixed(), torch.randn(3, 2, 3)
wanted = model(x)
with lstmtui.watch(model, when="norm(dh) < -1", path=sys.argv[1]):
    assert "torch._dynamo" not in sys.modules
    torch._dynamo.config.allow_rnn = True
    found = torch.compile(model, backend="eager", fullgraph=True)(x)
    found.sum().backward()
assert torch.allclose(found, wanted)
"""


def test_what_is_first_compiled_inside_the_block_runs_and_is_said_not_to_be_seen(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    ended = subprocess.run(
        [sys.executable, "-c", LATE, str(tmp_path / "w")],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("were passed over") == 1


# A campaign


def random_model(rng: random.Random) -> nn.Module:
    """Recurrent layers of any kind, in any mixture, some of them normed, nested, repeated or in a loop."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList()
            for _ in range(rng.randint(1, 3)):
                kind = rng.choice([nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, lstmtui.Recurrent])
                if kind in (nn.LSTMCell, nn.GRUCell):
                    part = kind(4, 4)
                elif kind is lstmtui.Recurrent:
                    part = kind(rng.choice(["lstm", "gru", "lstm_peephole"]), 4, 4)
                else:
                    layers = rng.randint(1, 2)
                    part = kind(4, 4, layers, dropout=rng.choice([0, 0.3]) if layers > 1 else 0)
                    if rng.random() < 0.4:
                        rng.choice([spectral_norm, weight_norm])(part, "weight_hh_l0")
                self.parts.append(part)
            self.order = [rng.randrange(len(self.parts)) for _ in range(rng.randint(1, 4))]
            self.how = [rng.choice(["plain", "checkpoint", "reentrant", "no_grad"]) for _ in self.order]
            self.norm, self.hidden, self.calls = nn.BatchNorm1d(4), None, 0

        def run(self, part: nn.Module, x: Tensor) -> Tensor:
            if not isinstance(part, nn.RNNCellBase):
                return part(x)[0]
            state, outputs = None, []
            for now in x:
                state = part(now, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
            return torch.stack(outputs)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            for at, how in zip(self.order, self.how, strict=True):
                part, residual = self.parts[at], x
                if how in ("checkpoint", "reentrant"):
                    x = torch.utils.checkpoint.checkpoint(self.run, part, x, use_reentrant=how == "reentrant")
                else:
                    with torch.no_grad() if how == "no_grad" else nullcontext():
                        x = self.run(part, x)
                x = x + residual
            self.hidden = x.detach()
            return self.norm(x.flatten(0, 1))

    return Model()


def train(model: nn.Module, seed: int, meanwhile: Callable[[], None]) -> list[Tensor]:
    torch.manual_seed(seed)
    optimizer, losses = torch.optim.SGD(model.parameters(), 0.1), []
    for _ in range(3):
        x = torch.randn(5, 3, 4, requires_grad=True)
        optimizer.zero_grad()
        with torch.autocast("cpu", enabled=seed % 3 == 0):
            loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        losses += [loss.detach(), x.grad]
        meanwhile()
    return losses


@pytest.mark.parametrize("seed", range(24))
def test_random_models_train_the_same_to_the_bit_and_are_left_as_they_were(seed: int, tmp_path: Path) -> None:
    made = [(torch.manual_seed(seed), random_model(random.Random(seed)))[1] for _ in range(2)]
    bare, model = made
    wanted = train(bare, seed, lambda: None)

    def meanwhile() -> None:
        before = state_of(model)
        with torch.random.fork_rng(devices=[]), suppress(lstmtui.UserError):
            record(model, torch.randn(4, 2, 4, requires_grad=True), loss=lambda y: y.sum())
        assert_untouched(model, before)

    shape = shape_of(model)
    when = random.Random(seed).choice([NEVER, "norm(dh) >= 0", "any(h > 0.2)", None])
    with lstmtui.watch(model, when=when, keep=2, path=tmp_path / "w") as watch:
        losses = train(model, seed, meanwhile)
    assert all(torch.equal(a, b) for a, b in zip(losses, wanted, strict=True))
    for (name, value), other in zip(model.state_dict().items(), bare.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    assert shape_of(model) == shape
    # Of some all layers are called without a graph.
    assert all("no gradient came back to any call" in sentence for sentence in watch._said)

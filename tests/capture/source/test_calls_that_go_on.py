"""Calls of a model that each loop over timesteps: one run where they go on from one another, or one each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.trace.edits import Edit

EXACT = 1e-12
States = tuple[Tensor, Tensor]


class Own(nn.Module):
    """An LSTM written by hand, which keeps what autograd says of its states for the test."""

    def __init__(self, reads: int = 3, units: int = 4, *, batch_first: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.inner, self.cells = nn.Linear(reads, units), nn.Linear(2 * units, 4 * units)
        self.units, self.batch_first = units, batch_first
        self.kept: list[dict[str, Tensor]] = []
        self.wholes: list[tuple[Tensor, Tensor]] = []
        self.double()

    def forward(self, x: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        read = self.inner(x)
        batch = x.shape[0 if self.batch_first else 1]
        h, c = (x.new_zeros(batch, self.units),) * 2 if state is None else state
        out = []
        for t in range(x.shape[1 if self.batch_first else 0]):
            i, f, g, o = self.cells(torch.cat([read[:, t] if self.batch_first else read[t], h], -1)).chunk(
                4, -1
            )
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
            self.keep({"f": f, "c": c, "h": h})
        y = torch.stack(out, int(self.batch_first))
        self.wholes.append((read, y))
        if y.requires_grad:
            read.retain_grad()
            y.retain_grad()
        return y, (h, c)

    def keep(self, names: dict[str, Tensor]) -> None:
        self.kept.append(names)
        for tensor in names.values():
            if tensor.requires_grad:
                tensor.retain_grad()


def paths(trace: lstmtui.Trace) -> list[tuple[str, int]]:
    return [(layer.path, layer.calls) for layer in trace.layers]


def is_as_kept(trace: lstmtui.Trace, layer: int, kept: list[dict[str, Tensor]]) -> None:
    for name in kept[0]:
        values = trace.values(name, layer)
        assert len(values) >= len(kept)
        for t, own in enumerate(kept):
            assert gap(values[t], own[name]) <= EXACT, (name, t)
            if own[name].grad is not None:
                assert gap(trace.values("d" + name, layer)[t], own[name].grad) <= EXACT, (name, t)


@pytest.mark.parametrize("batch_first", [False, True])
def test_truncated_backpropagation_is_one_run_whose_derivatives_are_cut_where_the_chunks_are(
    batch_first: bool,
) -> None:
    net, x = Own(batch_first=batch_first), noise(11, 2, 3, seed=1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def train() -> None:
        state: States | None = None
        for chunk in x.split(4):
            y, state = net(chunk.transpose(0, 1) if batch_first else chunk, state)
            y.square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            state = (state[0].detach(), state[1].detach())

    with lstmtui.recording(source=Own) as r:
        train()
    trace = r.trace
    assert paths(trace) == [("net", 3)]
    assert (trace.steps, trace.batch) == (11, 2)
    is_as_kept(trace, 0, net.kept)
    for name, number in (("read", 0), ("y_", 1)):
        whole = torch.cat([own[number] for own in net.wholes], int(batch_first))
        derivative = torch.cat([own[number].grad for own in net.wholes], int(batch_first))
        for values, wanted in ((trace.values(name), whole), (trace.values("d" + name), derivative)):
            assert gap(values, wanted.transpose(0, 1) if batch_first else wanted) <= EXACT, name
    origin = trace.layers[0].states_from["forward"]
    assert origin.sentence(3) == "begins from zeros; detached before each of 3 calls"
    source = trace.layers[0].source
    assert source is not None
    assert source.states == ("c", "h")
    stages = [stage.variable for stage in source.stages]
    assert (stages.index("read") < stages.index("f"), stages[-1]) == (True, "y_")


def ended(state: States) -> States:
    """One of the sequences has ended, and begins anew."""
    mask = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    return state[0] * mask, state[1] * mask


@pytest.mark.parametrize(
    ("changed", "says"), [(lambda s: s, "begins from zeros"), (ended, "begins from zeros; reset before t=4")]
)
def test_a_stream_is_one_run_though_sequences_are_reset(
    changed: Callable[[States], States], says: str
) -> None:
    net, x = Own(), noise(8, 2, 3, seed=2)
    with lstmtui.recording(source=Own) as r, torch.no_grad():
        _, state = net(x[:4])
        net(x[4:], changed(state))
        net(x[:4])
    assert paths(r.trace) == [("net", 2), ("net@2", 1)]
    is_as_kept(r.trace, 0, net.kept[:8])
    is_as_kept(r.trace, 1, net.kept[8:])
    assert r.trace.layers[0].states_from["forward"].sentence(2) == says


def checked(steps: int) -> bool:
    return steps > 0


def test_a_stream_is_one_run_though_some_of_it_is_nan_and_its_loop_does_more_than_call_the_model() -> None:
    net, x = Own(), noise(12, 2, 3, seed=15)
    x[9, 1, 2] = torch.nan
    with lstmtui.recording() as r:
        state = None
        for chunk in x.split(4):
            _, state = net(chunk, state)
            for size in chunk.shape[1:]:
                checked(size)
    assert paths(r.trace)[-1] == ("net", 3)
    assert (r.trace.steps, r.trace.batch) == (12, 2)
    assert int(r.trace.lengths.max()) == 12
    for t, own in enumerate(net.kept):
        assert np.array_equal(r.trace.values("h", -1)[t], own["h"].detach().numpy(), equal_nan=True)
    assert np.isnan(r.trace.values("h", -1)[9, 1]).all()
    assert np.isfinite(r.trace.values("h", -1)[:9]).all()


class Keeps(nn.Module):
    """Keeps its state on itself from call to call."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.both = nn.Linear(7, 4).double()
        self.h = torch.zeros(2, 4, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        self.h = self.h.detach()
        for v in x:
            self.h = torch.tanh(self.both(torch.cat([v, self.h], -1)))
        return self.h


def test_a_state_that_a_module_keeps_on_itself_makes_its_calls_one_run() -> None:
    net, x, ends = Keeps(), noise(9, 2, 3, seed=5), []
    with lstmtui.recording() as r:
        for chunk in x.split(3):
            ends.append(net(chunk))
            ends[-1].sum().backward()
    layer = [layer.path for layer in r.trace.layers].index("net")
    assert (r.trace.steps, r.trace.layers[layer].calls) == (9, 3)
    for t, end in zip((2, 5, 8), ends, strict=True):
        assert gap(r.trace.values("h", layer)[t], end) == 0
        assert np.array_equal(r.trace.values("dh", layer)[t], np.ones((2, 4)))


def test_layers_that_share_a_module_are_a_run_each() -> None:
    net, x = Own(4, 4), noise(5, 2, 4, seed=6)
    with lstmtui.recording(source=Own) as r:
        y = x
        for _ in range(3):
            y, _ = net(y)
    assert [path for path, _ in paths(r.trace)] == ["net", "net@2", "net@3"]
    for layer in range(3):
        is_as_kept(r.trace, layer, net.kept[5 * layer : 5 * layer + 5])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_sequence_that_a_model_is_trained_on_again_and_again_is_a_run_each_time(count: int) -> None:
    net, x = Own(), noise(5, 2, 3, seed=12)
    with lstmtui.recording(source=Own) as r:
        for _ in range(count):
            y, _ = net(x)
            y.sum().backward()
    assert [calls for _, calls in paths(r.trace)] == [1] * count
    for layer in range(count):
        is_as_kept(r.trace, layer, net.kept[5 * layer : 5 * layer + 5])


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("is_carried", [False, True])
def test_a_function_that_loops_over_a_sequence_is_as_a_module_that_does(count: int, is_carried: bool) -> None:
    w, x, ends = noise(7, 4, seed=13).requires_grad_(), noise(count, 4, 2, 3, seed=14), []

    def rnn(chunk: Tensor, h: Tensor) -> Tensor:
        for v in chunk:
            h = torch.tanh(torch.cat([v, h], -1) @ w)
        return h

    with lstmtui.recording() as r:
        state = torch.zeros(2, 4, dtype=torch.float64)
        for chunk in x:
            h = rnn(chunk, state)
            h.retain_grad()
            h.sum().backward()
            ends.append(h)
            if is_carried:
                state = h.detach()
    own = [n for n, layer in enumerate(r.trace.layers) if layer.cell.endswith("rnn")]
    assert len(own) == (1 if is_carried else count)
    assert (r.trace.steps, r.trace.batch) == (4 * count if is_carried else 4, 2)
    for number, end in enumerate(ends):
        layer, t = (own[0], 4 * number + 3) if is_carried else (own[number], 3)
        assert gap(r.trace.values("h", layer)[t], end) == 0
        assert gap(r.trace.values("dh", layer)[t], end.grad) == 0


class Layered(nn.Module):
    """A cell of two layers, which it loops over."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.layers = nn.ModuleList(nn.Linear(8, 4) for _ in range(2))
        self.double()

    def forward(self, x: Tensor, states: Tensor) -> Tensor:
        new = []
        for number, layer in enumerate(self.layers):
            x = torch.tanh(layer(torch.cat([x, states[number]], -1)))
            new.append(x)
        stacked = torch.stack(new)
        return stacked  # noqa: RET504


@pytest.mark.parametrize("batch", [3, 4])
@pytest.mark.parametrize("steps", [2, 3, 5])
def test_a_loop_over_layers_is_within_each_timestep_whatever_is_as_long(batch: int, steps: int) -> None:
    net, x = Layered(), noise(steps, batch, 4, seed=8)

    def rollout() -> list[Tensor]:
        states, every = torch.zeros(2, batch, 4, dtype=torch.float64), []
        for v in x:
            states = net(v, states)
            every.append(states)
        return every

    with lstmtui.recording(source=Layered) as r:
        every = rollout()
    assert paths(r.trace) == [("net", steps)]
    assert (r.trace.steps, r.trace.batch) == (steps, batch)
    for t, states in enumerate(every):
        assert gap(r.trace.values("stacked")[t], states.transpose(0, 1).reshape(batch, 8)) == 0


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("is_carried", [False, True])
def test_chunks_are_told_from_timesteps_whatever_is_as_long(count: int, is_carried: bool) -> None:
    for steps, batch, units, batch_first in itertools.product([2, 3], [2, 3], [3, 4], [False, True]):
        net, x = Own(3, units, batch_first=batch_first), noise(count, steps, batch, 3, seed=9)

        def run() -> None:
            state = None
            for chunk in x:  # noqa: B023
                _, state = net(chunk.transpose(0, 1) if batch_first else chunk, state if is_carried else None)  # noqa: B023

        with lstmtui.recording() as r:
            run()
        where = (steps, batch, units, batch_first)
        own = [n for n, layer in enumerate(r.trace.layers) if layer.cell == "Own"]
        assert len(own) == (1 if is_carried else count), where
        assert r.trace.batch == batch, where
        for layer, kept in enumerate(zip(*[iter(net.kept)] * (len(net.kept) // len(own)), strict=True)):
            is_as_kept(r.trace, own[layer], [*kept])


class Matrix(nn.Module):
    """A linear attention: its state is (sequences, units, units)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(10)
        self.keys = nn.Linear(3, 2).double()

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        k = self.keys(x)
        h = 0.9 * h + k[..., None] * k[..., None, :]
        return h  # noqa: RET504


@pytest.mark.parametrize("shape", [(2,), (3,), ()])
@pytest.mark.parametrize("steps", [2, 3])
def test_the_sequences_of_a_matrix_state_are_the_axis_that_no_parameter_has_given_it(
    shape: tuple[int, ...], steps: int
) -> None:
    net, x = Matrix(), noise(steps, *shape, 3, seed=11)

    def rollout() -> Tensor:
        h = torch.zeros(*shape, 2, 2, dtype=torch.float64)
        for v in x:
            h = net(v, h)
        h.sum().backward()
        return h

    with lstmtui.recording() as r:
        h = rollout()
    batch = shape[0] if shape else 1
    for layer, name in ((0, "rollout_h"), (1, "h")):
        assert (r.trace.batch, r.trace.values(name, layer).shape) == (batch, (steps, batch, 4))
        assert gap(r.trace.values(name, layer)[-1], h.reshape(batch, 4)) == 0


class Chunked(nn.Module):
    """Reads its input in chunks; `change` is the change that is written by hand: a name, and a timestep."""

    def __init__(self, change: tuple[str, int] = ("", 0)) -> None:
        super().__init__()
        torch.manual_seed(16)
        self.core = Core(change)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h, out, first = x.new_zeros(x.shape[1], 4), [], 0
        for chunk in x.split(4):
            y, h = self.core(chunk, h, first)
            out.append(y)
            first += len(chunk)
        return torch.cat(out)


class Core(nn.Module):
    def __init__(self, change: tuple[str, int]) -> None:
        super().__init__()
        self.inner, self.both, self.change = nn.Linear(3, 4), nn.Linear(8, 4), change

    def forward(self, x: Tensor, h: Tensor, first: int) -> tuple[Tensor, Tensor]:
        read = self.inner(x)
        if self.change[0] == "read" and first <= self.change[1] < first + len(x):
            read = read.index_put(
                [torch.tensor(n) for n in (self.change[1] - first, 0, 1)], x.new_tensor(0.5)
            )
        out = []
        for t in range(len(x)):
            h = torch.tanh(self.both(torch.cat([read[t], h], -1)))
            if self.change == ("h", first + t):
                h = h.index_put([torch.tensor(n) for n in (0, 1)], x.new_tensor(0.5))
            out.append(h)
        y = torch.stack(out)
        return y, h


@pytest.mark.parametrize("name", ["read", "h"])
@pytest.mark.parametrize("t", [2, 5, 9])
def test_chunks_that_a_model_reads_its_input_in_are_one_run_and_can_be_set(name: str, t: int) -> None:
    x = noise(11, 2, 3, seed=17)
    trace = lstmtui.record(Chunked(), x, loss=lambda y: y.square().sum())
    layer = [layer.path for layer in trace.layers].index("core")
    assert (trace.layers[layer].calls, trace.values(name, layer).shape) == (3, (11, 2, 4))
    changed = rerun_source(trace, [Edit(1, "m", layer, "forward", 0, name, 1, 0.5, t, t)])
    by_hand = Chunked((name, t))(x)
    assert changed.loss == pytest.approx(by_hand.square().sum().item(), rel=EXACT)
    assert gap(changed.values("h", layer), by_hand) <= EXACT

"""Which states a timestep leaves to the next, in code as it is written in public repositories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace import Trace

T, B, H = 5, 3, 4


def carried(trace: Trace, layer: int = -1) -> dict[str, tuple[str, ...]]:
    source = trace.layers[layer].source
    assert source is not None
    return {v.name: v.carried_to for v in source.variables if v.carried_to}


def inputs() -> Tensor:
    return torch.randn(T, B, H, requires_grad=True)


@dataclass
class State:
    h: Tensor
    c: Tensor


class Cell(nn.Module):
    def forward(self, x: Tensor, state: State) -> State:
        c = 0.5 * state.c + x
        h = torch.tanh(c + state.h)
        return replace(state, h=h, c=c)


class OfDataclass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell()

    def forward(self, x: Tensor) -> Tensor:
        state = State(torch.zeros_like(x[0]), torch.zeros_like(x[0]))
        for v in x:
            state = self.cell(v, state)
        return state.h


def test_what_an_argument_has_is_carried_on_by_no_other_name_than_that_of_the_state() -> None:
    assert carried(lstmtui.record(OfDataclass(), inputs())) == {"h": ("state_h",), "c": ("state_c",)}


class Decayed(nn.Module):
    """RWKV's time mixing: the next state has no names, but places in a tuple."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        a, b = state
        w = torch.sigmoid(x)
        r = (a + x.exp()) / (b + 1)
        state = (w * a + x, w * b + 1)
        return r, state


class Mixing(nn.Module):
    def __init__(self, *, inline: bool) -> None:
        super().__init__()
        self.att, self.inline = Decayed(), inline

    def forward(self, x: Tensor) -> Tensor:
        state, out = (torch.zeros_like(x[0]), torch.zeros_like(x[0])), []
        for v in x:
            if self.inline:
                r = v * state[0]
                state = (state[0] * 0.5 + v, state[1] + 1)
            else:
                r, state = self.att(v, state)
            out.append(r)
        return torch.stack(out)


@pytest.mark.parametrize("inline", [False, True])
def test_the_places_of_a_tuple_that_is_handed_on_are_states(inline: bool) -> None:
    x = inputs()
    trace = lstmtui.record(Mixing(inline=inline), x, loss=lambda y: y.square().sum())
    if inline:
        assert carried(trace) == {"state_0": ("state_0",), "state_1": ("state_1",)}
        return
    assert carried(trace) == {"state_0": ("a",), "state_1": ("b",)}
    a = torch.zeros(B, H)
    states = []
    for v in x.detach():
        a = torch.sigmoid(v) * a + v
        states.append(a.numpy())
    assert np.allclose(trace.values("state_0", 1), np.stack(states), rtol=1e-6)
    # What a round reads is what the one before has left, its derivative too.
    assert np.array_equal(trace.values("a", 1)[1:], trace.values("state_0", 1)[:-1])
    assert np.array_equal(trace.values("da", 1)[1:], trace.values("dstate_0", 1)[:-1])


class Leaky(nn.Module):
    """A spiking neuron as snntorch has it: its state fits itself to the input when it is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.mem = torch.zeros(0)

    def forward(self, current: Tensor) -> Tensor:
        if self.mem.shape != current.shape:
            self.mem = torch.zeros_like(current)
        self.reset = (self.mem > 1).float()
        self.mem = 0.9 * self.mem + current - self.reset
        return torch.sigmoid(self.mem)


class Spiking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = Leaky()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.lif(v) for v in x])


def test_a_state_that_is_made_anew_in_the_first_timestep_is_carried_from_there() -> None:
    trace = lstmtui.record(Spiking(), inputs())
    own = carried(trace)
    assert own["mem"] == ("mem",)
    # What is bound last in a timestep has the plain name, also where only later ones begin with it.
    assert own["reset"] == ("reset_1",)
    reset, reset_1 = trace.values("reset", -1), trace.values("reset_1", -1)
    assert np.array_equal(reset_1[1:], reset[:-1])


class Both(nn.Module):
    def run_over(self, x: Tensor) -> list[Tensor]:
        h, out = torch.zeros_like(x[0]), []
        for v in x:
            h = torch.tanh(0.5 * h + v)
            out.append(h)
        return out

    def forward(self, x: Tensor) -> Tensor:
        there = self.run_over(x)
        back = self.run_over(x.flip(0))
        return torch.stack(there) + torch.stack(back).flip(0)


def test_a_loop_of_a_function_that_is_called_for_either_direction_has_the_state_of_each() -> None:
    x = inputs()
    trace = lstmtui.record(Both(), x)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("", 1), ("@2", 1)]
    for layer, own in enumerate((x.detach(), x.detach().flip(0))):
        assert carried(trace, layer) == {"h": ("h",)}
        assert np.array_equal(trace.values(("run_over_x", "x")[layer], layer), own.numpy())
        values = torch.from_numpy(trace.values("h", layer))
        assert all(
            torch.equal(after, torch.tanh(0.5 * before + v))
            for (before, after), v in zip(pairwise(values), own[1:], strict=True)
        )


def test_a_vector_that_a_loop_begins_with_is_no_series_though_it_is_as_long_as_the_run() -> None:
    class Settles(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x
            for _ in range(4):
                h = torch.tanh(h + x)
            return h

    trace = lstmtui.record(Settles(), torch.randn(6, 4, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert [(v.name, v.shape) for v in source.variables] == [("h", (4,))]
    assert [constant.name for constant in source.constants] == ["x"]


class Stepped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(H, H)

    def forward(self, x: Tensor, kept: list[Tensor] | None = None) -> Tensor:
        h = c = torch.zeros_like(x[0])
        for v in x:
            h, c = self.cell(v, (h, c))
            if kept is not None:
                c.retain_grad()
                kept.append(c)
        return h + c


def test_the_derivative_by_what_a_cell_of_pytorchs_returned_is_that_of_retain_grad() -> None:
    model, x, kept = Stepped().double(), inputs().double(), list[Tensor]()
    model(x, kept).square().sum().backward()
    trace = lstmtui.record(model, x, loss=lambda y: y.square().sum(), source=True)
    wanted = np.stack([c.grad.numpy() for c in kept if c.grad is not None])
    assert np.allclose(trace.values("dc", -1), wanted, rtol=1e-12, atol=0)
    assert np.array_equal(trace.values("dc", -1), trace.values("dc", 0))
    with lstmtui.recording(source=True) as recording:
        model(x).square().sum().backward()
    layer = next(n for n, own in enumerate(recording.trace.layers) if own.cell == "Stepped")
    assert np.allclose(recording.trace.values("dc", layer), wanted, rtol=1e-12, atol=0)


class Switched(nn.Module):
    """A recurrence whose state is read in a branch only.

    Args:
        reads: in which timesteps it is: "never", "once" or "always".
        place: where the state is kept.
    """

    def __init__(self, reads: str, place: str) -> None:
        super().__init__()
        self.reads, self.place = reads, place
        self.hidden = torch.zeros(B, H)

    def forward(self, x: Tensor) -> Tensor:
        kept: Tensor = getattr(self, self.place)(x)
        return kept

    def is_read(self, t: int) -> bool:
        return self.reads == "always" or (self.reads == "once" and t == 2)

    def in_a_local(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[0])
        for t, v in enumerate(x):
            z = 2 * v
            if self.is_read(t):
                z = z + h
            h = torch.tanh(z)
        return h

    def in_an_attribute(self, x: Tensor) -> Tensor:
        self.hidden = torch.zeros_like(x[0])
        for t, v in enumerate(x):
            z = 2 * v
            if self.is_read(t):
                z = z + self.hidden
            self.hidden = torch.tanh(z)
        return self.hidden

    def in_a_dict(self, x: Tensor) -> Tensor:
        state = {"h": torch.zeros_like(x[0])}
        for t, v in enumerate(x):
            z = 2 * v
            if self.is_read(t):
                z = z + state["h"]
            state["h"] = torch.tanh(z)
        return state["h"]

    def in_a_list(self, x: Tensor) -> Tensor:
        states = [torch.zeros_like(x[0])]
        for t, v in enumerate(x):
            z = 2 * v
            if self.is_read(t):
                z = z + states[0]
            states[0] = torch.tanh(z)
        return states[0]


@pytest.mark.parametrize("place", ["in_a_local", "in_an_attribute", "in_a_dict", "in_a_list"])
def test_a_state_that_is_read_only_in_a_branch_is_carried_where_that_branch_has_run(place: str) -> None:
    for reads, states in (("never", 0), ("once", 1), ("always", 1)):
        trace = lstmtui.record(Switched(reads, place), inputs(), source=True)
        assert len(carried(trace)) == states, (reads, carried(trace))


@pytest.mark.parametrize("place", ["in_a_local", "in_an_attribute", "in_a_dict", "in_a_list"])
def test_a_branch_that_another_module_of_its_class_has_taken_makes_no_state_of_it(place: str) -> None:
    both = nn.ModuleList([Switched("never", place), Switched("always", place)])

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = both

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.both[0](x) + self.both[1](x)
            return result

    trace = lstmtui.record(Both(), inputs(), source=True)
    states = {layer.path: len(carried(trace, number)) for number, layer in enumerate(trace.layers)}
    assert (states["both.0"], states["both.1"]) == (0, 1)


def test_a_local_that_an_attribute_is_called_as_goes_with_its_call() -> None:
    class Mixes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            # As a function of PyTorch's is called that writes nothing.
            self.concat, self.gated = nn.Linear(2 * H, H), True

        def forward(self, x: Tensor, states: list[Tensor]) -> Tensor:
            before = states[-1]
            concat = self.concat(torch.cat([x, before], 1))
            state = concat
            if self.gated:
                gate = torch.sigmoid(state)
                state = gate * before + (1 - gate) * concat
            return state

    class OverTime(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = Mixes()

        def forward(self, x: Tensor) -> Tensor:
            states = [torch.zeros_like(x[0])]
            for v in x:
                state = self.cell(v, states)
                states.append(state)
            return states[-1]

    trace = lstmtui.record(OverTime(), inputs())
    assert "concat" not in carried(trace)
    assert "before" in carried(trace)["state"]


def test_a_statement_of_several_lines_reads_what_it_binds() -> None:
    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = c = x.new_zeros(x.shape[1], 3)
            kept = [x.new_zeros(x.shape[1], 3)]
            for t in range(len(x)):
                h, c = lstm(
                    x[t],
                    state=(h, c),
                )
                kept[0] = torch.add(
                    h,
                    kept[0],
                )
            return h + kept[0]

    def lstm(v: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return torch.tanh(state[1] + v), state[0] * v

    trace = lstmtui.record(Wrapped(), torch.randn(5, 2, 3, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert {"h", "c", "kept_0"} <= {*source.states}


def test_a_sum_is_carried_whatever_the_line_before_it_makes() -> None:
    class Hooked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            loss = torch.zeros(x.shape[1])
            for v in x:
                current = v.square().mean(1)
                current.register_hook(lambda grad: grad / 4)
                loss = loss + current
            return loss

    trace = lstmtui.record(Hooked(), torch.randn(5, 2, 3, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert source.states == ("loss_",)

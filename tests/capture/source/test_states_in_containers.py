"""States that are kept in a list, a dict, a deque, a tuple or a global name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.errors import UserError
from lstmtui.trace.edits import Edit

T, B, H = 6, 2, 4
KEPT: Tensor | None = None


class Kept(nn.Module):
    def __init__(self, loop: Callable[[Kept, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.loop, self.linear = loop, nn.Linear(2 * H, H)
        self.history: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.loop(self, x, x.new_zeros(x.shape[1:]))

    def next(self, read: Tensor, before: Tensor) -> Tensor:
        return torch.tanh(self.linear(torch.cat([read, before], -1)))


def appended(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = [h]
    for v in x:
        states.append(own.next(v, states[-1]))
    return states[-1]


def of_self(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    own.history = [h]
    for v in x:
        own.history.append(own.next(v, own.history[-1]))
    return own.history[-1]


def by_timestep(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = [h] * (T + 1)
    for t in range(T):
        states[t + 1] = own.next(x[t], states[t])
    return states[T]


def by_number(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = [h, h]
    for v in x:
        states[1] = own.next(v, states[1])
    return states[1]


def in_a_dict(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = {-1: h}
    for t, v in enumerate(x):
        states[t] = own.next(v, states[t - 1])
    return states[T - 1]


def in_a_deque(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = deque([h], maxlen=2)
    for v in x:
        states.append(own.next(v, states[-1]))
    return states[-1]


def in_a_tuple(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = (h, h)
    for v in x:
        states = (own.next(v, states[0]), states[0])
    return states[0]


def in_a_global_name(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    global KEPT
    KEPT = h
    for v in x:
        KEPT = own.next(v, KEPT)
    return KEPT


def in_a_comprehension(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    return [h := own.next(v, h) for v in x][-1]


LOOPS = {
    appended: "states",
    of_self: "own_history",
    by_timestep: "states",
    by_number: "states_1",
    in_a_dict: "states",
    in_a_deque: "states",
    in_a_tuple: "states_0",
    in_a_global_name: "KEPT",
    in_a_comprehension: "h",
}


def by_hand(model: Kept, x: Tensor, replaced: int = -1) -> tuple[list[Tensor], Tensor]:
    """The states of a loop, one unit of one of them replaced if so, and the loss."""
    h, states = x.new_zeros(x.shape[1:]), []
    for t, v in enumerate(x):
        h = model.next(v, h)
        if t == replaced:
            h = torch.where(torch.arange(H) == 1, torch.tensor(0.5, dtype=h.dtype), h)
        h.retain_grad()
        states.append(h)
    loss = h.square().sum()
    loss.backward()
    return states, loss


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_put_into_it_is_a_quantity_that_is_carried_on(
    loop: Callable[[Kept, Tensor, Tensor], Tensor],
) -> None:
    model, name = Kept(loop).double(), LOOPS[loop]
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(1)).double()
    trace = lstmtui.record(model, x, loss=lambda out: out.square().sum())
    states, _ = by_hand(model, x)
    assert trace.steps == T
    assert np.array_equal(trace.values(name), np.stack([h.detach() for h in states]))
    assert np.allclose(trace.values("d" + name), np.stack([h.grad for h in states]), rtol=1e-12)
    source = trace.layers[0].source
    assert source is not None
    variable = source.variable(name)
    assert variable is not None
    assert variable.carried_to
    assert variable.inner_steps == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_it_is_set_as_the_code_would(loop: Callable[[Kept, Tensor, Tensor], Tensor]) -> None:
    model, name = Kept(loop).double(), LOOPS[loop]
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(1)).double()
    trace = lstmtui.record(model, x, loss=lambda out: out.square().sum())
    edits = [Edit(row, "", 0, "forward", row, name, 1, 0.5, 2, 2) for row in range(B)]
    if loop is in_a_tuple:
        with pytest.raises(UserError, match="states_0 cannot be set: it is part of a tuple"):
            rerun(trace, edits)
        return
    changed = rerun(trace, edits)
    states, loss = by_hand(model, x, replaced=2)
    assert np.array_equal(changed.values(name), np.stack([h.detach() for h in states]))
    assert changed.loss == float(loss.detach())


def test_what_has_a_name_before_it_is_appended_is_no_other_quantity() -> None:
    def named(own: Kept, x: Tensor, h: Tensor) -> Tensor:
        out, layers = [], [h]
        for v in x:
            h = own.next(v, layers[0])
            layers[0] = h
            out.append(h)
        return out[-1]

    trace = lstmtui.record(Kept(named), torch.randn(T, B, H))
    source = trace.layers[0].source
    assert source is not None
    assert not {"out", "layers", "layers_0"} & {variable.name for variable in source.variables}


@dataclass
class Inner:
    """Two of the states of a cell."""

    c: Tensor
    n: Tensor


class Outer(NamedTuple):
    """All of them."""

    h: Tensor
    inner: Inner


class Nested(nn.Module):
    """A cell whose states are in a dataclass in a tuple, and then those of two layers in tuples in a list."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.both = nn.Linear(7, 8).double()

    def cell(self, v: Tensor, state: Outer) -> Outer:
        a, b = self.both(torch.cat([v, state.h], -1)).chunk(2, -1)
        c = state.inner.c * a.sigmoid() + b.tanh()
        n = state.inner.n + a.sigmoid()
        h = torch.tanh(c / (n + 1))
        return Outer(h, Inner(c, n))

    def layers(self, v: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        (p, q), (r, s) = pairs
        q = 0.5 * q + v.sum(-1, keepdim=True)
        p = torch.tanh(p + q)
        s = 0.5 * s + p
        r = torch.tanh(r + s)
        return [(p, q), (r, s)]

    def forward(self, x: Tensor) -> Tensor:
        zero = x.new_zeros(x.shape[1], 4)
        state, pairs = Outer(zero, Inner(zero, zero)), [(zero, zero), (zero, zero)]
        for v in x:
            state = self.cell(v, state)
            pairs = self.layers(v, pairs)
        return state.h + pairs[1][0]


def test_states_in_containers_within_containers_are_known_from_round_to_round() -> None:
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    trace = lstmtui.record(Nested(), x, loss=torch.sum)
    source = trace.layers[0].source
    assert source is not None
    carried = {v.name: v.carried_to for v in source.variables if v.carried_to}
    places = {"c": "state_inner_c", "n": "state_inner_n", "h": "state_h"}
    places |= {name: f"{name}_1" for name in "pqrs"}
    assert {name: to for name, (to, *_) in carried.items()} == places
    for name, place in places.items():
        assert np.array_equal(trace.values(place)[1:], trace.values(name)[:-1]), name
    for name in "cnh":
        assert np.array_equal(trace.values("d" + places[name])[1:], trace.values("d" + name)[:-1]), name


class Apart(nn.Module):
    """Takes its states out of what it is given."""

    def forward(self, v: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, m = state
        m = torch.tanh(m + v)
        return torch.sin(h + m), m


@pytest.mark.parametrize("keeps", [tuple, dict])
def test_states_that_are_put_together_for_a_module_are_carried(keeps: type) -> None:
    class Together(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = Apart()

        def forward(self, x: Tensor) -> Tensor:
            state = (x.new_zeros(B, H), x.new_zeros(B, H))
            kept = {"h": state[0], "m": state[1]}
            for v in x:
                if keeps is tuple:
                    h_t, m_t = self.cell(v, state)
                    state = (h_t, m_t)
                else:
                    h_t, m_t = self.cell(v, tuple(kept.values()))
                    kept = {"h": h_t, "m": m_t}
            return h_t + m_t

    trace = lstmtui.record(Together(), torch.randn(T, B, H, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert source.states == ("h_t", "m_t")


@dataclass(frozen=True)
class Frozen:
    h: Tensor
    count: int = 0


class Pair(NamedTuple):
    h: Tensor
    c: Tensor


def as_dataclass(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    state = Frozen(h)
    for v in x:
        new_h = torch.tanh(own.linear(torch.cat([v, state.h], -1)))
        state = Frozen(new_h, state.count + 1)
    return state.h


def replaced(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    state = Frozen(h)
    for v in x:
        new_h = torch.tanh(own.linear(torch.cat([v, state.h], -1)))
        state = replace(state, h=new_h)
    return state.h


def as_named_tuple(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    state = Pair(h, h)
    for v in x:
        new_h = torch.tanh(own.linear(torch.cat([v, state.h + state.c], -1)))
        state = Pair(new_h, state.c)
    return state.h


def as_list_of_layers(own: Kept, x: Tensor, h: Tensor) -> Tensor:
    states = [h, h]
    for v in x:
        new = []
        for layer in range(2):
            new_h = torch.tanh(own.linear(torch.cat([v, states[layer]], -1)))
            new.append(new_h)
        states = new
    return states[1]


@pytest.mark.parametrize("loop", [as_dataclass, replaced, as_named_tuple, as_list_of_layers])
def test_a_state_that_something_is_made_of_for_the_next_timestep_is_carried(
    loop: Callable[[Kept, Tensor, Tensor], Tensor],
) -> None:
    trace = lstmtui.record(Kept(loop), torch.randn(T, B, H), loss=torch.sum)
    assert [layer.source.states for layer in trace.layers if layer.source] == [("new_h",)]


def test_what_is_put_into_something_that_no_timestep_reads_again_is_no_state() -> None:
    def loop(own: Kept, x: Tensor, h: Tensor) -> Tensor:
        out = []
        for v in x:
            mean = own.next(v, h)
            h = torch.tanh(mean)
            spread = Pair(mean, h)
            out.append(spread.h)
        return torch.stack(out)

    trace = lstmtui.record(Kept(loop), torch.randn(T, B, H), loss=torch.sum)
    assert [layer.source.states for layer in trace.layers if layer.source] == [("h",)]

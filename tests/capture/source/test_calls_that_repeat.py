"""Recurrences without a loop: recursion, functools.reduce, itertools.accumulate, map, lambdas."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.trace.edits import Edit

T, B, H = 6, 2, 4


class Own(nn.Module):
    """Calls `walk` on itself, the input and the first state."""

    def __init__(self, walk: Callable[[Own, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.walk, self.linear = walk, nn.Linear(2 * H, H)

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x, x.new_zeros(x.shape[1:]))

    def step(self, h: Tensor, v: Tensor) -> Tensor:
        pre = self.linear(torch.cat([v, h], -1))
        return torch.tanh(pre)

    def ahead(self, x: Tensor, h: Tensor, t: int) -> Tensor:
        if t == len(x):
            return h
        new_h = self.step(h, x[t])
        return self.ahead(x, new_h, t + 1)

    def back(self, x: Tensor, t: int) -> Tensor:
        if t < 0:
            return x.new_zeros(x.shape[1:])
        h = self.back(x, t - 1)
        new_h = self.step(h, x[t])
        return new_h  # noqa: RET504


def nested(own: Own, x: Tensor, h: Tensor) -> Tensor:
    def go(state: Tensor, t: int) -> Tensor:
        new_h = torch.tanh(own.linear(torch.cat([x[t], state], -1)))
        return new_h if t == len(x) - 1 else go(new_h, t + 1)

    return go(h, 0)


def mapped(own: Own, x: Tensor, h: Tensor) -> Tensor:
    def advance(v: Tensor) -> Tensor:
        nonlocal h
        h = own.step(h, v)
        return h

    return torch.stack([*map(advance, x)])[-1]


def reduced(own: Own, x: Tensor, h: Tensor) -> Tensor:
    return functools.reduce(lambda h, v: torch.tanh(own.linear(torch.cat([v, h], -1))), x, h)


WALKS: dict[str, tuple[Callable[[Own, Tensor, Tensor], Tensor], str]] = {
    "recursion": (lambda own, x, h: own.ahead(x, h, 0), "new_h"),
    "recursion that computes on its way back": (lambda own, x, _: own.back(x, len(x) - 1), "new_h"),
    "a recursive closure": (nested, "new_h"),
    "reduce with a method": (lambda own, x, h: functools.reduce(own.step, x, h), "return_"),
    "reduce with a lambda": (reduced, "return_"),
    "accumulate": (lambda own, x, h: [*itertools.accumulate(x, own.step, initial=h)][-1], "return_"),
    "map with a closure": (mapped, "h"),
}


def expected(model: Own, x: Tensor) -> list[Tensor]:
    """The states of a loop written by hand, with their gradients."""
    h, states = x.new_zeros(x.shape[1:]), []
    for v in x:
        h = torch.tanh(model.linear(torch.cat([v, h], -1)))
        h.retain_grad()
        states.append(h)
    states[-1].square().sum().backward()
    return states


@pytest.mark.parametrize("name", WALKS)
def test_each_call_is_a_timestep_in_the_order_of_time(name: str) -> None:
    walk, state = WALKS[name]
    model = Own(walk).double()
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(1)).double()
    trace = lstmtui.record(model, x, loss=lambda out: out.square().sum())
    states = expected(model, x)
    assert trace.steps == T
    assert np.array_equal(trace.values(state), np.stack([h.detach() for h in states]))
    derivatives = np.stack([h.grad for h in states])
    assert np.allclose(trace.values("d" + state), derivatives, rtol=1e-12, atol=1e-15)
    source = trace.layers[0].source
    assert source is not None
    assert len(source.states) == 1
    if name != "map with a closure":
        assert source.states == (state,)
        (arrived,) = source.variable(state).carried_to  # type: ignore[union-attr]
        assert np.array_equal(trace.values(arrived)[1:], trace.values(state)[:-1])


def test_a_function_is_a_run_of_its_own_by_the_end_of_its_name() -> None:
    for source in (Own.step, "Own.step", "step", f"{__name__}.Own"):
        trace = lstmtui.record(Own(WALKS["recursion"][0]), torch.randn(T, B, H), source=source)
        assert trace.steps == T
    assert [layer.cell for layer in trace.layers] == ["Own"]


def test_a_recursion_that_is_named_is_recorded_in_the_order_of_time() -> None:
    x = torch.randn(T, B, H)
    for name in ("ahead", "back"):
        walk = WALKS["recursion" if name == "ahead" else "recursion that computes on its way back"][0]
        model = Own(walk)
        states = np.stack([h.detach() for h in expected(model, x)])
        for source in (getattr(Own, name), f"Own.{name}", name):
            trace = lstmtui.record(model, x, source=source)
            assert np.array_equal(trace.values("new_h"), states)


class Parallel(nn.Module):
    """Computes all timesteps at once, with a helper that runs as often as there are timesteps."""

    def forward(self, x: Tensor) -> Tensor:
        for_all = x
        for_all = self.mix(for_all)
        for_all = self.mix(for_all)
        return self.mix(for_all).cumsum(0)

    def mix(self, all_of_it: Tensor) -> Tensor:
        mixed = torch.tanh(all_of_it)
        return mixed + 1


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 3, 4), (5, 2, 3)])
def test_a_helper_that_is_given_all_timesteps_is_no_timestep(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, requires_grad=True)
    trace = lstmtui.record(Parallel(), x, time_axis=0)
    assert trace.steps == shape[0]
    assert np.array_equal(trace.values("x"), x.detach().numpy())


class Logs(nn.Module):
    """A loop that leaves out the first timestep, beside as many calls of a helper as there are sequences."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(2 * H, H)

    def forward(self, x: Tensor) -> Tensor:
        self.say("begins")
        h = x.new_zeros(x.shape[1:])
        for t in range(1, len(x)):
            h = torch.tanh(self.linear(torch.cat([x[t], h], -1)))
        self.say("ends")
        return h

    def say(self, what: str) -> str:
        return what.upper()


def test_a_helper_that_is_given_no_tensor_is_no_timestep() -> None:
    model = Logs()
    x = torch.randn(T, B, H)
    trace = lstmtui.record(model, x)
    assert trace.steps == T - 1
    h, own = trace.values("h"), torch.zeros(B, H)
    for t in range(1, T):
        own = torch.tanh(model.linear(torch.cat([x[t], own], -1)))
        assert np.allclose(h[t - 1], own.detach().numpy(), atol=1e-6)


def test_the_refusal_names_what_repeats() -> None:
    class Other(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return self.look(x[0]) + self.look(x[1]) * self.look(x[2])

        def look(self, part: Tensor) -> Tensor:
            seen = part.exp()
            return seen.sum()

    with pytest.raises(TypeError, match=r"Other\.look 3 times.*source=\"[\w.<>]+Other\.look\"") as caught:
        lstmtui.record(Other(), torch.randn(T, B, H))
    name = str(caught.value).partition('source="')[2].partition('"')[0]
    trace = lstmtui.record(Other(), torch.randn(T, B, H, requires_grad=True), source=name)
    assert (trace.steps, trace.values("seen").shape) == (3, (3, B, H))


class Tree(NamedTuple):
    """A node of a sentence's tree."""

    x: Tensor
    children: tuple[Tree, ...] = ()


class OverTree(nn.Module):
    """A recursion over the nodes of a tree, that goes through the children in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how, self.w, self.u = how, nn.Linear(3, 4), nn.Linear(4, 4)
        self.kept: list[Tensor] = []

    def by_loop(self, node: Tree) -> Tensor:
        total = torch.zeros(1, 4)
        for child in node.children:
            state = self.by_loop(child)
            total = total + state
        return self.made(node, total)

    def by_name(self, node: Tree) -> Tensor:
        total = torch.zeros(1, 4)
        if node.children:
            left = self.by_name(node.children[0])
            right = self.by_name(node.children[1])
            total = left + right
        return self.made(node, total)

    def by_comprehension(self, node: Tree) -> Tensor:
        states = [self.by_comprehension(child) for child in node.children]
        return self.made(node, sum(states, torch.zeros(1, 4)))

    def made(self, node: Tree, total: Tensor) -> Tensor:
        h = torch.tanh(self.w(node.x) + self.u(total))
        self.kept.append(h)
        return h

    def by_itself(self, node: Tree) -> Tensor:
        states = [self(child) for child in node.children]
        return self.made(node, sum(states, torch.zeros(1, 4)))

    def forward(self, tree: Tree) -> Tensor:
        return getattr(self, self.how)(tree)  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["by_loop", "by_name", "by_comprehension", "by_itself"])
def test_the_nodes_of_a_tree_are_timesteps_each_after_those_below_it(how: str) -> None:
    torch.manual_seed(1)
    xs = iter(torch.randn(7, 1, 3, requires_grad=True))
    pairs = [Tree(next(xs), (Tree(next(xs)), Tree(next(xs)))) for _ in range(2)]
    model, tree = OverTree(how), Tree(next(xs), tuple(pairs))
    trace = lstmtui.record(model, (tree,), loss=torch.sum)
    assert (trace.steps, trace.batch) == (7, 1)
    model.kept.clear()
    result = model(tree)
    for h in model.kept:
        h.retain_grad()
    result.sum().backward()
    for t, h in enumerate(model.kept):
        assert h.grad is not None
        assert np.array_equal(trace.values("h")[t], h.detach().numpy())
        assert np.array_equal(trace.values("dh")[t], h.grad.numpy())


class OverNumbers(nn.Module):
    """The same where the nodes are numbers, and each call is given the vectors of all."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.w, self.u = nn.Linear(3, 4), nn.Linear(4, 4)

    def node(self, x: Tensor, number: int) -> Tensor:
        total = torch.zeros(x.shape[1], 4)
        for child in range(2 * number + 1, min(2 * number + 3, len(x))):
            total = total + self.node(x, child)
        h = torch.tanh(self.w(x[number]) + self.u(total))
        return h  # noqa: RET504

    def forward(self, x: Tensor) -> Tensor:
        return self.node(x, 0)


def test_a_tree_may_be_numbers_of_what_every_call_is_given() -> None:
    x = torch.randn(7, 2, 3)
    trace = lstmtui.record(OverNumbers(), x)
    assert (trace.steps, trace.batch) == (7, 2)
    model = OverNumbers()
    for t, number in enumerate((3, 4, 1, 5, 6, 2, 0)):
        assert np.array_equal(trace.values("h")[t], model.node(x, number).detach().numpy())
    changed = rerun_source(trace, [Edit(1, "m", 0, "forward", 1, "h", 2, 0.5, 2, 2)])
    assert changed.values("h")[2, 1, 2] == 0.5
    assert [t for t in range(7) if (changed.values("h")[t] != trace.values("h")[t]).any()] == [2, 6]


def test_a_scan_that_halves_its_sequence_is_no_tree() -> None:
    class Halves(nn.Module):
        def scan(self, x: Tensor) -> Tensor:
            if len(x) == 1:
                return x
            first, last = self.scan(x[: len(x) // 2]), self.scan(x[len(x) // 2 :])
            total = torch.cat([first, last + first[-1]])
            return total  # noqa: RET504

        def forward(self, x: Tensor) -> Tensor:
            h = self.scan(x)
            return h  # noqa: RET504

    x = torch.randn(8, 2, 3, requires_grad=True)
    trace = lstmtui.record(Halves(), x, time_axis=0)
    assert trace.steps == 8
    np.testing.assert_allclose(trace.values("h"), x.cumsum(0).detach().numpy(), rtol=1e-5, atol=1e-6)

"""Timesteps in which a loop, or a module that it calls, binds nothing: they are there, nothing is shifted."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui

T, B, H = 6, 2, 4


def step(read: Tensor, before: Tensor) -> Tensor:
    return torch.tanh(read + 0.5 * before)


def passed_over(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    for t in range(T):
        if t in (0, 2, T - 1):
            continue
        h = step(x[t], h)
        out.append(h)


def ended(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    for t in range(T):
        if t == T - 1:
            break
        h = step(x[t], h)
        out.append(h)


def returned(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    for t in range(T):
        if t == T - 1:
            return
        h = step(x[t], h)
        out.append(h)


def looked_at_last(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    for t in itertools.count():
        if t == len(x):
            break
        h = step(x[t], h)
        out.append(h)


def ended_at_a_word(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    tokens = [*x, None]
    while True:
        v = tokens.pop(0)
        if v is None:
            break
        h = step(v, h)
        out.append(h)


def in_groups(x: Tensor, h: Tensor, out: list[Tensor]) -> None:
    for t in range(T):
        for part in (0, 1):
            if t % 3 == 2:
                break
            h = step(x[t] + part, h)
        else:
            out.append(h)


class Loop(nn.Module):
    def __init__(self, loop: Callable[[Tensor, Tensor, list[Tensor]], None]) -> None:
        super().__init__()
        self.loop, self.scale = loop, nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        out: list[Tensor] = []
        self.loop(x * self.scale, x.new_zeros(x.shape[1:]), out)
        return torch.stack(out)


@pytest.mark.parametrize(
    ("loop", "bound"),
    [
        (passed_over, "010110"),
        (ended, "111110"),
        (returned, "111110"),
        (looked_at_last, "111111"),
        (ended_at_a_word, "111111"),
        (in_groups, "110110"),
    ],
)
def test_every_pass_is_a_timestep_but_one_that_sees_that_there_is_no_other(
    loop: Callable[[Tensor, Tensor, list[Tensor]], None], bound: str
) -> None:
    x, model = torch.randn(T, B, H, generator=torch.Generator().manual_seed(0)), Loop(loop)
    trace = lstmtui.record(model, x)
    assert trace.steps == T
    assert [layer.source.states for layer in trace.layers if layer.source] == [("h",)]
    is_bound = np.array([char == "1" for char in bound])
    kept = trace.arrays.get("0/forward/bound/h")
    assert np.array_equal(np.ones(T, bool) if kept is None else kept, is_bound)
    values = trace.values("h")
    assert np.array_equal(values[is_bound], model(x).detach().numpy())
    assert not values[~is_bound].any()
    assert not np.isnan(values).any()


class Sometimes(nn.Module):
    """A cell that the loop of another module calls in some of its passes."""

    def __init__(self, *at: int) -> None:
        super().__init__()
        self.at, self.cell = at, Own()

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1:])
        for t, v in enumerate(x):
            if t in self.at:
                h = self.cell(v, h)
        return h


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, v: Tensor, h: Tensor) -> Tensor:
        new_h = step(v * self.scale, h)
        return new_h  # noqa: RET504


@pytest.mark.parametrize("at", [(0, 1, 2, 3, 4), (1, 4), (2,)])
def test_a_cell_that_is_called_in_some_passes_is_on_the_time_of_the_loop(at: tuple[int, ...]) -> None:
    trace = lstmtui.record(Sometimes(*at), torch.randn(T, B, H))
    assert [layer.path for layer in trace.layers] == ["", "cell"]
    assert trace.steps == T
    assert "1/lengths" not in trace.arrays
    is_bound = np.isin(np.arange(T), at)
    assert np.array_equal(trace.arrays["1/forward/bound/new_h"], is_bound)
    assert trace.values("new_h", 1).any((1, 2)).tolist() == is_bound.tolist()
    source = trace.layers[1].source
    assert source is not None
    assert source.states == (("new_h",) if len(at) > 1 else ()), "the arguments of one call are gone with it"


@pytest.mark.parametrize("is_for", [True, False])
def test_an_exception_in_a_pass_that_has_bound_nothing_is_at_the_timestep_of_that_pass(is_for: bool) -> None:
    class Raises(Loop):
        def forward(self, x: Tensor) -> Tensor:
            h, t = x.new_zeros(x.shape[1:]), 0
            for t in range(T if is_for else 0):
                if t == 3:
                    raise ValueError("gone")
                h = step(x[t], h)
            while t < T:
                if t == 3:
                    raise ValueError("gone")
                h = step(x[t], h)
                t += 1
            return h

    with pytest.raises(ValueError, match="gone") as caught:
        lstmtui.record(Raises(ended), torch.randn(T, B, H))
    trace = caught.value.lstmtui_trace  # type: ignore[attr-defined]
    assert trace.header.raised.t == 3
    assert trace.steps == 4
    assert trace.arrays["0/forward/bound/h"].tolist() == [True, True, True, False]


def test_what_the_test_of_a_while_loop_binds_is_of_the_pass_that_it_lets_begin() -> None:
    class Reads(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h, items = x.new_zeros(x.shape[1:]), iter(x)
            while (read := next(items, None)) is not None:
                h = step(read, h)
            return h

    x = torch.randn(T, B, H, requires_grad=True)
    trace = lstmtui.record(Reads(), x)
    assert trace.steps == T
    assert np.array_equal(trace.values("read"), x.detach().numpy())


def test_the_test_that_ends_a_while_loop_makes_no_timestep_of_its_own() -> None:
    seen: list[Tensor] = []

    class Converges(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x
            while (far := (h - 1).abs().amax(-1)).amax() > 0.1:
                seen.append(far)
                h = (h + 1) / 2
            return h

    trace = lstmtui.record(Converges(), torch.full((2, 3), 9.0, requires_grad=True))
    assert trace.steps == len(seen) == 7
    # The last timestep holds what let it begin, and as its last inner step what ended the loop.
    assert trace.values("far")[:, 0, 0].tolist() == [8, 4, 2, 1, 0.5, 0.25, 0.0625]
    assert trace.arrays["0/forward/inner/far"][-1, :, 0, 0].tolist() == [0.125, 0.0625]


def test_the_lines_of_a_test_of_several_are_of_one_pass() -> None:
    class Halts(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h, n = x, 0
            while (
                n < 9
                and (p := torch.sigmoid(h.sum(-1) - 2 * n)) is not None
                and (still := (p > 0.01).float()).any()
            ):
                h = torch.tanh(h + still[:, None])
                n += 1
            return h

    trace = lstmtui.record(Halts(), torch.full((2, 3), 1.0, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert trace.steps == 4
    assert {v.name: v.inner_steps for v in source.variables} == {"h": 0, "p": 2, "still": 2}
    assert trace.arrays["0/forward/inner/still"][-1, :, 0, 0].tolist() == [1.0, 0.0]

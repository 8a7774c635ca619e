"""A loop over time that runs several times in one call: one run where that goes on, else a run each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.trace.edits import Edit

EXACT = 1e-12
T = 10


class Own(nn.Module):
    """Has a function with a loop over time, which `walk` calls.

    Args:
        walk: says how its input is read.
        change: a timestep, the state of which is changed by hand.
    """

    def __init__(self, walk: Callable[[Own, Tensor, Tensor], Tensor], change: int = -1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.walk, self.change, self.kept = walk, change, list[Tensor]()
        self.linear, self.other = nn.Linear(7, 4), nn.Linear(7, 4)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x, x.new_zeros(x.shape[1], 4))

    def unroll(self, x: Tensor, h: Tensor, layer: nn.Module | None = None) -> Tensor:
        for v in x:
            h = torch.tanh((layer or self.linear)(torch.cat([v, h], -1)))
            if len(self.kept) == self.change:
                h = h.index_put([torch.tensor(n) for n in (0, 1)], x.new_tensor(0.5))
            self.kept.append(h)
        return h

    def doubled(self, x: Tensor, h: Tensor) -> Tensor:
        twice = 2 * x
        return self.unroll(twice, h)

    def states(self, x: Tensor, h: Tensor) -> Iterator[Tensor]:
        for v in x:
            h = torch.tanh(self.linear(torch.cat([v, h], -1)))
            self.kept.append(h)
            yield h


def burn_in(own: Own, x: Tensor, h: Tensor) -> Tensor:
    h = own.unroll(x[:4], h)
    h = own.unroll(x[4:], h)
    return h  # noqa: RET504


def burn_in_without_gradient(own: Own, x: Tensor, h: Tensor) -> Tensor:
    with torch.no_grad():
        h = own.unroll(x[:4], h)
    return own.unroll(x[4:], h)


def anew(own: Own, x: Tensor, h: Tensor) -> Tensor:
    return own.unroll(x[:4], h) + own.unroll(x[4:], h)


def thrice(own: Own, x: Tensor, h: Tensor) -> Tensor:
    h = own.unroll(x[:3], h)
    h = own.unroll(x[3:6], h * torch.sigmoid(h))
    return h + own.doubled(x[6:], h.detach())


def generated(own: Own, x: Tensor, h: Tensor) -> Tensor:
    *_, h = own.states(x[:4], h)
    *_, h = own.states(x[4:], h)
    return h


def in_chunks(own: Own, x: Tensor, h: Tensor) -> Tensor:
    for chunk in x.split(5):
        h = own.unroll(chunk, h.detach())
    return h


def in_a_loop_of_chunks(own: Own, x: Tensor, h: Tensor) -> Tensor:
    for chunk in x.split(4):
        for v in chunk:
            h = torch.tanh(own.linear(torch.cat([v, h], -1)))
            own.kept.append(h)
    return h


def by_numbers(own: Own, x: Tensor, h: Tensor) -> Tensor:
    for first in range(0, len(x), 5):
        for t in range(first, first + 5):
            h = torch.tanh(own.linear(torch.cat([x[t], h], -1)))
            own.kept.append(h)
    return h


def recorded(walk: Callable[[Own, Tensor, Tensor], Tensor], x: Tensor) -> tuple[lstmtui.Trace, list[Tensor]]:
    trace = lstmtui.record(Own(walk), x, loss=lambda y: y.square().sum())
    by_hand = Own(walk)
    loss = by_hand(x).square().sum()
    for h in by_hand.kept:
        if h.requires_grad:
            h.retain_grad()
    loss.backward()
    return trace, by_hand.kept


def is_as_kept(trace: lstmtui.Trace, name: str, layer: int, kept: list[Tensor]) -> None:
    for t, h in enumerate(kept):
        assert gap(trace.values(name, layer)[t], h) <= EXACT, t
        if h.grad is not None:
            assert gap(trace.values("d" + name, layer)[t], h.grad) <= EXACT, t


@pytest.mark.parametrize("batch", [2, 3, 5])
@pytest.mark.parametrize(
    "walk",
    [
        burn_in,
        burn_in_without_gradient,
        anew,
        thrice,
        generated,
        in_chunks,
        in_a_loop_of_chunks,
        by_numbers,
    ],
)
def test_what_reads_one_sequence_after_another_is_one_run(
    walk: Callable[[Own, Tensor, Tensor], Tensor], batch: int
) -> None:
    trace, kept = recorded(walk, noise(T, batch, 3, seed=1))
    assert (trace.steps, trace.batch, len(trace.layers)) == (T, batch, 1)
    source = trace.layers[0].source
    assert source is not None
    (name,) = (v.name for v in source.variables if v.written == "h" and v.name in source.states)
    is_as_kept(trace, name, 0, kept)


def test_it_is_said_what_is_done_to_the_state_in_between() -> None:
    for walk, says in (
        (burn_in, "begins from zeros"),
        (anew, "begins from zeros; reset before t=4"),
        (thrice, "begins from zeros; changed before t=3; detached before t=6"),
    ):
        trace, _ = recorded(walk, noise(T, 2, 3, seed=1))
        origin = trace.layers[0].states_from["forward"]
        assert origin.sentence(trace.layers[0].calls) == says


def test_sequences_of_their_own_are_runs_of_their_own() -> None:
    def both_ways(own: Own, x: Tensor, h: Tensor) -> Tensor:
        return own.unroll(x, h) + own.unroll(x.flip(0), h)

    def layers(own: Own, x: Tensor, h: Tensor) -> Tensor:
        h = own.unroll(x[:6], h, own.linear)
        return own.unroll(x[:3], h, own.other)

    for walk, first in ((both_ways, T), (layers, 6)):
        trace, kept = recorded(walk, noise(T, 2, 3, seed=2))
        assert [layer.path for layer in trace.layers] == ["", "@2"]
        assert trace.steps == first
        is_as_kept(trace, "unroll_h", 0, kept[:first])
        is_as_kept(trace, "h", 1, kept[first:])


@pytest.mark.parametrize("batch", [2, 3, 4])
def test_what_reads_no_sequence_is_within_each_timestep(batch: int) -> None:
    def solve(own: Own, v: Tensor, h: Tensor) -> Tensor:
        for _ in range(3):
            h = h + 0.1 * torch.tanh(own.linear(torch.cat([v, h], -1)))
        return h

    def twice(own: Own, x: Tensor, h: Tensor) -> Tensor:
        for v in x:
            h = solve(own, v, solve(own, v, h))
            own.kept.append(h)
        return h

    trace, kept = recorded(twice, noise(T, batch, 3, seed=3))
    assert (trace.steps, trace.batch) == (T, batch)
    is_as_kept(trace, "h", 0, kept)


@pytest.mark.parametrize("batch", [2, 3, 5])
@pytest.mark.parametrize("parts", [2, 3, 4, 5])
def test_a_solver_is_within_each_timestep_of_a_model_that_reads_no_sequence(batch: int, parts: int) -> None:
    def solved(own: Own, x: Tensor, h: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 4)
        for _ in range(7):
            for _ in range(parts):
                h = h + torch.tanh(own.linear(torch.cat([x, h], -1))) / parts
            own.kept.append(h)
        return h

    trace, kept = recorded(solved, noise(batch, 3, seed=6))
    assert (trace.steps, trace.batch) == (7, batch)
    is_as_kept(trace, "h", 0, kept)


@pytest.mark.parametrize("t", [2, 4, 9])
def test_a_state_can_be_set_in_either_call(t: int) -> None:
    x = noise(T, 2, 3, seed=4)
    trace, _ = recorded(burn_in, x)
    changed = rerun_source(trace, [Edit(1, "m", 0, "forward", 0, "unroll_h", 1, 0.5, t, t)])
    by_hand = Own(burn_in, t)
    loss = by_hand(x).square().sum()
    assert changed.loss == pytest.approx(loss.item(), rel=EXACT)
    for n, h in enumerate(by_hand.kept):
        assert gap(changed.values("unroll_h")[n], h) <= EXACT


class Core(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        for v in x:
            h = torch.tanh(self.linear(torch.cat([v, h], -1)))
            if v.isnan().any():
                raise ValueError("the sensor is gone")
        return h


class Reads(nn.Module):
    """Calls its core for one chunk after another.

    Args:
        is_module: whether it calls the module, or the function that it has.
    """

    def __init__(self, *, is_module: bool) -> None:
        super().__init__()
        self.core = Core()
        self.call = self.core if is_module else self.core.forward
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h = self.call(x[:4], x.new_zeros(x.shape[1], 4))
        return self.call(x[4:], h)


@pytest.mark.parametrize("batch", [2, 3])
@pytest.mark.parametrize("is_module", [False, True])
def test_an_exception_of_a_later_call_is_at_its_timestep(batch: int, is_module: bool) -> None:
    x = noise(T, batch, 3, seed=5)
    x[7, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="the sensor is gone") as caught:
        lstmtui.record(Reads(is_module=is_module), x)
    trace = caught.value.lstmtui_trace  # type: ignore[attr-defined]
    assert (trace.steps, trace.batch, trace.header.raised.t) == (8, batch, 7)


def test_a_loop_of_which_nothing_can_be_shown_leaves_no_gap_in_the_numbers_of_runs() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = x[..., ::2]
            h = x.new_zeros(len(x), 4)
            for _ in range(5):
                h = torch.tanh(self.linear(h) + x)
            return h

    trace = lstmtui.record(nn.Sequential(Pyramid()), torch.randn(2, 8))
    assert [(layer.path, layer.cell) for layer in trace.layers] == [("0", "Pyramid")]
    assert trace.values("h").shape == (5, 2, 4)

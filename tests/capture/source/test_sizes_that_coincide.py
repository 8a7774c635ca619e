"""As many sequences as timesteps, units, inputs or layers: found right all the same, or refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui


class Own(nn.Module):
    """A recurrence of a given kind.

    Args:
        kind: says what its forward does.
        sizes: of the input and of the state.
        count: of layers, or of timesteps that no input has.
    """

    def __init__(self, kind: Callable[[Own, Tensor], Tensor], sizes: tuple[int, int], count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        reads, self.units = sizes
        self.kind, self.count = kind, count
        self.embedding, self.keys = nn.Embedding(5, reads), nn.Linear(reads, self.units)
        inner = [reads, *[self.units] * count]
        self.layers = nn.ModuleList(nn.Linear(n + self.units, self.units) for n in inner[:count])

    def forward(self, x: Tensor) -> Tensor:
        return self.kind(self, x)

    def step(self, read: Tensor, before: Tensor, layer: int = 0) -> Tensor:
        return torch.tanh(self.layers[layer](torch.cat([read, before], -1)))


def first(own: Own, x: Tensor) -> Tensor:
    h, out = x.new_zeros(x.shape[1], own.units), []
    for v in x:
        h = own.step(v, h)
        out.append(h)
    return torch.stack(out)


def second(own: Own, x: Tensor) -> Tensor:
    h, out = x.new_zeros(len(x), own.units), []
    for t in range(x.shape[1]):
        h = own.step(x[:, t], h)
        out.append(h)
    return torch.stack(out)


def ids(own: Own, x: Tensor) -> Tensor:
    h, out = torch.zeros(x.shape[1], own.units), []
    for t in range(len(x)):
        h = own.step(own.embedding(x[t]), h)
        out.append(h)
    return torch.stack(out)


def alone(own: Own, x: Tensor) -> Tensor:
    h, out = x.new_zeros(own.units), []
    for v in x:
        h = own.step(v, h)
        out.append(h)
    return torch.stack(out)


def matrix(own: Own, x: Tensor) -> Tensor:
    h, out = x.new_zeros(own.units, own.units), []
    for v in x:
        k = own.keys(v)
        h = 0.9 * h + k[:, None] * k
        out.append(h)
    return torch.stack(out)


def decoder(own: Own, x: Tensor) -> Tensor:
    h, out = x.new_zeros(len(x), own.units), []
    for _ in range(own.count):
        h = own.step(x, h)
        out.append(h)
    return torch.stack(out)


def layers_within(own: Own, x: Tensor) -> Tensor:
    states = [x.new_zeros(x.shape[1], own.units) for _ in own.layers]
    out = []
    for v in x:
        for number in range(own.count):
            h = own.step(v, states[number], number)
            states[number] = v = h
        out.append(v)
    return torch.stack(out)


def layers_around(own: Own, x: Tensor) -> Tensor:
    for number in range(own.count):
        h, out = x.new_zeros(x.shape[1], own.units), []
        for v in x:
            h = own.step(v, h, number)
            out.append(h)
        x = torch.stack(out)
    return x


def cases(times: int, batch: int, reads: int, units: int) -> Iterator[tuple[Own, Tensor, int, int]]:
    """Models, with what they read, and how many timesteps and sequences that is."""
    x, sizes = torch.randn(times, batch, reads), (reads, units)
    yield Own(first, sizes, 1), x, times, batch
    yield Own(second, sizes, 1), x.transpose(0, 1).contiguous(), times, batch
    yield Own(ids, sizes, 1), torch.randint(0, 5, (times, batch)), times, batch
    yield Own(alone, sizes, 1), x[:, 0], times, 1
    yield Own(matrix, sizes, 1), x[:, 0], times, 1
    for count in (2, 3):
        yield Own(layers_within, sizes, count), x, times, batch
        yield Own(layers_around, sizes, count), x, times, batch
    decoding = Own(decoder, sizes, times)
    decoding.layers = decoding.layers[:1]
    yield decoding, x[0], times, batch


@pytest.mark.filterwarnings("ignore:lstmtui.record. the loss has no gradient")
@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("batch", [2, 3, 5])
def test_a_loop_is_found_whatever_is_as_long(times: int, batch: int) -> None:
    for reads, units in itertools.product([2, 3], [2, 3]):
        for model, x, steps, sequences in cases(times, batch, reads, units):
            trace = lstmtui.record(model, x)
            where = (model.kind.__name__, model.count, times, batch, reads, units)
            assert (trace.steps, trace.batch) == (steps, sequences), where
            states = model(x).detach().numpy().reshape(steps, sequences, -1)
            assert np.array_equal(trace.values("h"), states), where


class Adds(nn.Module):
    """One number for each sequence, added up."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.both = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1])
        for v in x:
            h = 0.9 * h + self.both(v).squeeze(-1)
        return h


@pytest.mark.parametrize("batch", [2, 3, 4, 5, 7])
def test_a_number_for_each_sequence_is_no_units_though_a_parameter_has_as_many(batch: int) -> None:
    x = torch.randn(5, batch, 3)
    trace = lstmtui.record(Adds(), x)
    assert (trace.steps, trace.batch, trace.values("h").shape) == (5, batch, (5, batch, 1))
    assert np.array_equal(trace.values("h")[-1, :, 0], Adds()(x).detach().numpy())


class Falls(nn.Module):
    """A simulation of some bodies, which no parameter counts."""

    def forward(self, x: Tensor) -> Tensor:
        v = torch.zeros_like(x)
        for _ in range(6):
            v = v - 0.1 * x
            x = x + 0.1 * v
        return x


@pytest.mark.parametrize(("shape", "batch"), [((3,), 1), ((2, 3), 2)])
def test_a_vector_alone_is_of_one_sequence(shape: tuple[int, ...], batch: int) -> None:
    x = torch.randn(shape, requires_grad=True)
    trace = lstmtui.record(Falls(), x)
    assert (trace.steps, trace.batch, trace.values("v").shape) == (6, batch, (6, batch, 3))
    assert np.array_equal(trace.values("x")[-1], Falls()(x).detach().numpy().reshape(batch, 3))
    assert batch > 1 or lstmtui.record(Falls(), x, batch_axis=0).batch == 3


class Transposed(nn.Module):
    """A state of (units, sequences)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.reads, self.keeps = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(4, 4) / 4)

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(4, x.shape[1]), []
        for v in x:
            z = self.reads @ v.t() + self.keeps @ h
            h = torch.tanh(z)
            out.append(h.t())
        return torch.stack(out)


class Heads(nn.Module):
    """A linear attention whose state leads with its heads: (heads, sequences, 2, 2)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.both = nn.Linear(3, 3 * 2 * 2)

    def forward(self, x: Tensor) -> Tensor:
        keys, values = self.both(x).view(*x.shape[:2], 2, 3, 2).permute(2, 0, 3, 1, 4)
        h, out = x.new_zeros(3, x.shape[1], 2, 2), []
        for k, v in zip(keys, values, strict=True):
            h = 0.9 * h + k[..., None] * v[..., None, :]
            out.append(h.transpose(0, 1))
        return torch.stack(out)


@pytest.mark.parametrize("model", [Transposed(), Heads()])
@pytest.mark.parametrize("batch", [2, 3, 4])
def test_an_axis_of_a_parameter_is_units_though_there_are_as_many_sequences(
    model: nn.Module, batch: int
) -> None:
    x = torch.randn(5, batch, 3)
    trace = lstmtui.record(model, x)
    assert (trace.steps, trace.batch) == (5, batch)
    for name in ("h", "z") if isinstance(model, Transposed) else ("h", "k"):
        assert trace.values(name).shape == (5, batch, trace.values(name).shape[2])
    assert np.array_equal(trace.values("h"), model(x).detach().numpy().reshape(5, batch, -1))
    if isinstance(model, Transposed):
        assert np.allclose(np.tanh(trace.values("z")), trace.values("h"), rtol=1e-5)


class Settles(nn.Module):
    """Three passes over one vector for each sequence, in which no parameter says which axis is its units."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.linspace(0, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x)
        for level in self.levels[:3]:
            h = torch.tanh(h + x * level)
        return h


def test_where_sizes_leave_open_what_the_sequences_are_it_is_said_and_can_be_told() -> None:
    x = torch.randn(4, 2)
    with pytest.warns(RuntimeWarning, match=r"taken to be of 4 sequences, and might be of 2: .* batch_axis="):
        trace = lstmtui.record(Settles(), x)
    assert (trace.steps, trace.batch) == (3, 4)
    for axis, values in ((0, lambda h: h), (1, lambda h: h.T), (-2, lambda h: h)):
        told = lstmtui.record(Settles(), x, batch_axis=axis)
        assert np.allclose(told.values("h")[-1], values(Settles()(x).detach().numpy()))
    with pytest.raises(ValueError, match="batch_axis: no tensor of the input has an axis 2"):
        lstmtui.record(Settles(), x, batch_axis=2)
    with pytest.raises(ValueError, match="batch_axis: is for code that is recorded by source"):
        lstmtui.record(nn.LSTM(2, 3), x, batch_axis=0)


def test_a_state_that_leads_with_the_sequences_tells_them_where_most_names_lead_with_something_else() -> None:
    class OnAGraph(nn.Module):
        """A cell on a graph, most lines of which have the nodes first."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.links, self.w = torch.rand(4, 4), nn.Linear(3, 2)

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            of_nodes = torch.cat([x.view(-1, 4, 1), h.view(-1, 4, 2)], 2).permute(1, 2, 0)
            flat = of_nodes.reshape(4, -1)
            near = self.links @ flat
            far = self.links @ near
            mixed = (flat + near + far).view(4, 3, -1)
            new_h = torch.tanh(self.w(mixed.permute(2, 0, 1))).reshape(-1, 8)
            return new_h  # noqa: RET504

    class OverTime(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = OnAGraph()

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 8)
            for part in x:
                h = self.cell(part, h)
            return h

    model, x = OverTime(), torch.randn(7, 6, 4)
    trace = lstmtui.record(model, x)
    layer = next(n for n, layer in enumerate(trace.layers) if layer.path == "cell")
    assert (trace.steps, trace.batch, trace.values("new_h", layer).shape) == (7, 6, (7, 6, 8))
    assert np.array_equal(trace.values("new_h", layer)[-1], model(x).detach().numpy())


def test_a_loop_that_refines_is_over_time_though_one_in_it_has_about_as_many_passes_as_there_are_colors() -> (
    None
):
    class Refines(nn.Module):
        """An update that looks at an image in four sizes, none of which goes on from another."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.look, self.update = nn.Linear(9, 5), nn.Linear(10, 5)

        def sizes(self, image: Tensor) -> Tensor:
            seen = []
            for n in range(4):
                view = image[:, :, n::4, :3].mean(2)
                view = torch.relu(self.look(view.flatten(1)))
                seen.append(view)
            return torch.stack(seen).sum(0)

        def forward(self, image: Tensor) -> Tensor:
            guess = image.new_zeros(len(image), 5)
            done = image.new_zeros(1)
            for _ in range(6):
                context = self.sizes(image)
                guess = guess + torch.tanh(self.update(torch.cat([context, guess], 1)))
                done = torch.cat([done, guess.detach().mean().view(1)])
            return guess

    trace = lstmtui.record(Refines(), torch.rand(2, 3, 8, 7))
    source = trace.layers[0].source
    assert source is not None
    guess, view = source.variable("guess"), source.variable("view")
    assert guess is not None
    assert view is not None
    assert (trace.steps, trace.batch, guess.carried_to, view.inner_steps) == (6, 2, ("guess",), 4)
    assert trace.values("guess").shape == (6, 2, 5)


def test_a_loop_over_the_sequences_is_no_reason_for_more_of_them() -> None:
    class CutsThem(nn.Module):
        """Every sequence is cut by itself once all timesteps are there."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.w = nn.Linear(9, 5)

        def step(self, x: Tensor, h: Tensor) -> Tensor:
            h_new = torch.tanh(self.w(torch.cat([x, h], 1)))
            return h_new  # noqa: RET504

        def forward(self, x: Tensor) -> Tensor:
            out, h = [], x.new_zeros(x.shape[1], 5)
            for part in x:
                h = self.step(part, h)
                out.append(h)
            whole = torch.stack(out)
            for b in range(whole.shape[1]):
                rest = whole[2:, b].clone()
                whole[:-2, b] = rest
            return whole

    trace = lstmtui.record(CutsThem(), torch.randn(8, 3, 4))
    assert (trace.steps, trace.batch, trace.values("h_new").shape) == (8, 3, (8, 3, 5))


def test_a_scan_over_one_of_two_axes_as_long_is_refused_with_what_to_say() -> None:
    class Scan(nn.Module):
        def __init__(self, axis: int) -> None:
            super().__init__()
            self.axis = axis

        def forward(self, x: Tensor) -> Tensor:
            h = torch.cumsum(x, self.axis)
            return h  # noqa: RET504

    for axis in (0, 1):
        x = torch.randn(3, 3, 3, requires_grad=True)
        with pytest.raises(TypeError, match=r"time_axis=0 \(3 timesteps\) or time_axis=1 \(3 timesteps\)"):
            lstmtui.record(Scan(axis), x)
        trace = lstmtui.record(Scan(axis), x, time_axis=axis)
        assert np.array_equal(trace.values("h"), torch.cumsum(x, axis).transpose(0, axis).detach().numpy())


def test_a_name_that_a_conditional_expression_is_bound_to_is_recorded() -> None:
    class Chooses(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x[0] / 2
            for t, v in enumerate(x):
                h = torch.tanh(v + h) if t % 2 else v - h
                z = torch.cat([h, v], -1 if t % 2 else 1); y = z.sum(-1)  # fmt: skip  # noqa: E702
            return h + y[:, None]

    trace = lstmtui.record(Chooses(), torch.randn(4, 3, 2, requires_grad=True))
    source = trace.layers[0].source
    assert source is not None
    assert source.states == ("h",)
    assert trace.values("h").all((1, 2)).all()
    assert np.allclose(trace.values("y_")[..., 0], trace.values("z").sum(-1))

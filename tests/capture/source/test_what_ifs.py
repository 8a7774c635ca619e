"""What-ifs of recorded code, against the same code with the change written into it by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lstmtui
from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.source.what_ifs.rerun import rerun_source
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt

Change = Callable[[str, int, Tensor], Tensor]


def unchanged(name: str, t: int, value: Tensor) -> Tensor:
    return value


class ByHand(nn.Module):
    """An LSTM with dropout that keeps a state on itself; `change` is the change that is written by hand."""

    def __init__(self, change: Change = unchanged) -> None:
        super().__init__()
        self.pre, self.change = nn.Linear(3 + 5, 20), change
        self.register_buffer("seen", torch.zeros(2, 5))

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], 5)
        self.seen = torch.zeros(2, 5)
        for t in range(x.shape[0]):
            z = nn.functional.dropout(self.pre(torch.cat([x[t], h], 1)), 0.2)
            i, f, g, o = z.chunk(4, 1)
            f = torch.sigmoid(f)
            if self.change is not unchanged:
                f = self.change("f", t, f)
            c = f * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            self.seen = self.seen + h
            if self.change is not unchanged:
                self.seen = self.change("seen", t, self.seen)
            h = h + 0.1 * self.seen
        return h


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Linear(3 + 5, 10)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z, n = self.pre(torch.cat([x, h], 1)).chunk(2, 1)
        z = z.sigmoid()
        return torch.lerp(n.tanh(), h, z)


class Called(nn.Module):
    """A cell that is called in a loop, and ends early where a sum is large."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell()

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 5)
        for x_t in x:
            h = self.cell(x_t, h)
        return h


def edit(quantity: str, value: float, start: int, stop: int, **places: Any) -> Edit:
    places = {"batch": 0, "unit": None, "layer": 0} | places
    return Edit(1, "m", direction="forward", quantity=quantity, value=value, start=start, stop=stop, **places)


def recorded(model: nn.Module, seed: int = 1) -> Trace:
    torch.manual_seed(seed)
    x = torch.randn(7, 2, 3)
    return lstmtui.record(model, x, loss=lambda y: y.square().sum())


def assert_same(trace: Trace, other: Trace, *names: str) -> None:
    assert trace.loss == other.loss
    for name in names:
        for quantity in (name, "d" + name):
            np.testing.assert_array_equal(trace.values(quantity), other.values(quantity), quantity)
    for name, gradient in trace.parameter_gradients.items():
        np.testing.assert_array_equal(gradient, other.parameter_gradients[name], name)


def test_a_replaced_variable_gives_what_the_code_gives_with_the_change_written_into_it() -> None:
    def change(name: str, t: int, value: Tensor) -> Tensor:
        if name == "f" and 2 <= t <= 4:
            mask = torch.zeros(2, 5, dtype=torch.bool)
            mask[1, 3] = True
            return torch.where(mask, torch.tensor(1.0), value)
        if name == "seen" and t == 5:
            mask = torch.zeros(2, 5, dtype=torch.bool)
            mask[0] = True
            return torch.where(mask, torch.tensor(-0.5), value)
        return value

    torch.manual_seed(0)
    model = ByHand()
    hand = ByHand(change)
    hand.load_state_dict(model.state_dict())
    trace, expected = recorded(model), recorded(hand)
    edits = [edit("f", 1.0, 2, 4, batch=1, unit=3), edit("seen", -0.5, 5, 5)]
    variant = RerunEngine().rerun(trace, edits)
    assert_same(variant, expected, "c", "h", "seen")
    np.testing.assert_array_equal(variant.values("f")[2:5, 1, 3], 1.0)
    assert variant.loss != trace.loss
    assert variant.header.what_ifs == tuple(map(str, edits))
    torch.testing.assert_close(model.seen, torch.zeros(2, 5))


def test_a_variable_of_a_cell_that_is_called_again_and_again_is_replaced_in_its_calls() -> None:
    torch.manual_seed(0)
    trace = recorded(Called())
    variant = RerunEngine().rerun(trace, [edit("z", 1.0, 3, 6, layer=1)])
    h = trace.values("h")
    np.testing.assert_array_equal(variant.values("h")[:3], h[:3])
    for t in range(3, 7):
        np.testing.assert_array_equal(variant.values("h")[t, 0], h[2, 0])
        np.testing.assert_array_equal(variant.values("h")[t, 1], h[t, 1])


class Checkpointed(Called):
    """The same with each timestep in an activation checkpoint of some kind; None: in none."""

    def __init__(self, is_reentrant: bool | None) -> None:
        super().__init__()
        self.is_reentrant = is_reentrant

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 5).requires_grad_()
        for x_t in x:
            if self.is_reentrant is None:
                h = self.cell(x_t, h)
            else:
                h = checkpoint(self.cell, x_t, h, use_reentrant=self.is_reentrant)
        return h


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_what_an_activation_checkpoint_holds_is_recorded_and_set_as_if_it_were_in_none(
    is_reentrant: bool,
) -> None:
    models = [Checkpointed(None), Checkpointed(is_reentrant)]
    models[1].load_state_dict(models[0].state_dict())
    plain, held = map(recorded, models)
    edits = [edit("z", 1.0, 1, 3, unit=2, layer=1), edit("n", 0.0, 5, 5, batch=1, layer=1)]
    for one, other in ((plain, held), (rerun_source(plain, edits), rerun_source(held, edits))):
        assert one.values("dz", layer=1).any()
        assert one.arrays.keys() == other.arrays.keys()
        for key, values in one.arrays.items():
            np.testing.assert_array_equal(values, other.arrays[key], key)
    assert other.loss != held.loss


def test_a_change_to_what_is_there_already_cuts_off_what_it_was_made_of_and_nothing_else() -> None:
    torch.manual_seed(0)
    trace = recorded(Called())
    value = float(trace.values("z", 1)[3, 0, 2])
    variant = RerunEngine().rerun(trace, [edit("z", value, 3, 3, unit=2, layer=1)])
    np.testing.assert_array_equal(variant.values("h"), trace.values("h"))
    np.testing.assert_array_equal(variant.values("dz", 1)[3:], trace.values("dz", 1)[3:])
    np.testing.assert_array_equal(variant.values("dh")[3:], trace.values("dh")[3:])
    np.testing.assert_array_equal(variant.values("dh")[:, 1], trace.values("dh")[:, 1])
    assert not np.array_equal(variant.values("dh")[2, 0], trace.values("dh")[2, 0])


def test_a_model_that_was_trained_since_is_not_run_again() -> None:
    model = Called()
    trace = recorded(model)
    with torch.no_grad():
        model.cell.pre.bias += 1
    with pytest.raises(lstmtui.UserError, match="does not run as it did when it was recorded"):
        RerunEngine().rerun(trace, [edit("z", 1.0, 3, 3, layer=1)])


def test_what_cannot_be_had_is_refused_in_a_sentence(tmp_path: Any) -> None:
    trace = recorded(Called())
    trace.save(tmp_path / "t")
    with pytest.raises(lstmtui.UserError, match="the process that recorded it"):
        RerunEngine().rerun(lstmtui.load(tmp_path / "t"), [edit("z", 1.0, 3, 3, layer=1)])
    with pytest.raises(lstmtui.UserError, match="only the variables of that code"):
        RerunEngine().rerun(trace, [edit("nothing", 1.0, 3, 3)])


class Adds(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(x.shape[1:]), []
        for v in x:
            h = torch.tanh(h + v)
            out.append(h)
        return torch.stack(out)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"batch": 2}, "h has no sequence 2: it has 2 sequences, from 0"),
        ({"batch": -1}, "h has no sequence -1"),
        ({"unit": 9}, "h has no unit 9: it has 3 units"),
        ({"start": 5, "stop": 7}, "h has no timestep 5: it has 5 timesteps"),
        ({"start": 3, "stop": 2}, "h: no timestep is from 3 to 2"),
        ({"layer": 7}, "there is no layer 7: the trace has 1 layer, from 0"),
    ],
)
def test_a_place_that_a_variable_does_not_have_is_refused_in_a_sentence(
    place: dict[str, int], why: str
) -> None:
    trace = lstmtui.record(Adds(), torch.randn(5, 2, 3, requires_grad=True))
    at = {"layer": 0, "batch": 0, "unit": 0, "start": 0, "stop": 0} | place
    own = Edit(1, "m", at["layer"], "forward", at["batch"], "h", at["unit"], 0.5, at["start"], at["stop"])
    with pytest.raises(lstmtui.UserError, match=why):
        rerun_source(trace, [own])
    if at["stop"] >= at["start"]:
        with pytest.raises(lstmtui.UserError, match=why):
            rerun_source(trace, [], LossAt(at["start"], at["batch"], at["unit"], at["layer"], "h"))
    with pytest.raises(lstmtui.UserError, match="y has no sequence 2: it has 2 sequences, from 0"):
        rerun_source(trace, [], LossAt(0, 2))
    read_on = Edit(1, "m", 0, "forward", 0, "h", 0, 0.5, 3, 99)
    assert rerun_source(trace, [read_on]).values("h")[3:, 0, 0].tolist() == [0.5, 0.5]


class Lines(nn.Module):
    """Several statements of a line."""

    # fmt: off
    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(x.shape[1:]), []
        for v in x:
            a = 0.5 * h; a = a + v; h = torch.tanh(a); out.append(h)  # noqa: E702
        for v in x: h = h * v; out.append(h)  # noqa: E701, E702
        return torch.stack(out)
    # fmt: on


def test_each_statement_of_a_line_has_its_bindings_and_what_is_set_is_read_by_the_next() -> None:
    x = torch.randn(5, 2, 3, requires_grad=True)
    trace = lstmtui.record(Lines(), x, loss=torch.sum)
    assert trace.arrays["0/forward/inner/a"].shape[1] == 2
    assert np.array_equal(trace.values("h", 1)[-1], Lines()(x)[-1].detach().numpy())
    changed = rerun_source(trace, [Edit(1, "m", 0, "forward", 1, "h", 2, 0.25, 2, 2)])
    h, out = torch.zeros(2, 3), []
    for t, v in enumerate(x):
        h = torch.tanh(0.5 * h + v)
        if t == 2:
            h = torch.where(torch.arange(6).view(2, 3) == 5, torch.tensor(0.25), h)
        out.append(h)
    for v in x:
        h = h * v
        out.append(h)
    assert changed.loss == pytest.approx(torch.stack(out).sum().item(), rel=1e-6)


def test_a_model_that_writes_into_its_input_is_run_again_with_what_that_was() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.linspace(0.5, 1, 3))

        def forward(self, x: Tensor, at: int = -1) -> Tensor:
            h = x.new_zeros(x.shape[1], 3)
            for t, v in enumerate(x):
                v *= 0.5
                h = torch.tanh(self.scale * h + v)
                if t == at:
                    h[1, 2] = 0.25
            return h

    x = torch.randn(5, 2, 3)
    given = x.clone()
    trace = lstmtui.record(Halves(), x, loss=torch.sum, name="m")
    assert torch.equal(x, given / 2)  # as without a recording
    for _ in range(2):
        changed = rerun_source(trace, [Edit(1, "m", 0, "forward", 1, "h", 2, 0.25, 2, 2)])
        assert np.array_equal(changed.values("h")[-1], Halves()(given.clone(), 2).detach().numpy())


def test_a_name_is_set_where_it_is_bound_and_refused_where_it_is_not() -> None:
    class State(NamedTuple):
        h: Tensor

    class Every(nn.Module):
        # fmt: off
        def forward(self, x: Tensor) -> Tensor:
            s = State(x.new_zeros(x.shape[1:]))
            for t, v in enumerate(x):
                z = torch.sigmoid(v)
                if t % 2 == 0: s = State(z * s.h + 1)  # noqa: E701
                if t == 3: extra = z * 2; s = State(s.h + extra)  # noqa: E701, E702
            return s.h
        # fmt: on

    trace = lstmtui.record(Every(), torch.randn(6, 2, 3, requires_grad=True), loss=torch.sum, name="m")
    source = trace.layers[0].source
    assert source is not None
    assert trace.arrays["0/forward/bound/s_h"].tolist() == [True, False, True, True, True, False]
    with pytest.raises(UserError, match="s_h is not bound at t=1, so it cannot be set there"):
        rerun_source(trace, [Edit(1, "m", 0, "forward", 1, "s_h", 2, 0.25, 1, 1)])

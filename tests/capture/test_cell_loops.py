"""Cells called in the user's own loop: every call a timestep, every derivative that of plain autograd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.trace import Trace, load

EXACT = 1e-12
KINDS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)


class Loop(nn.Module):
    """A cell over time, as everybody writes it; what it returned is kept for the oracle."""

    def __init__(self, kind: Any = nn.LSTMCell, resets: Any = None, **options: Any) -> None:
        super().__init__()
        self.cell = kind(3, 4, **options)
        self.head = nn.Linear(4, 2)
        self.resets = resets
        self.seen: list[Any] = []

    def forward(self, x: Tensor, state: Any = None) -> Any:
        outputs = []
        for t, step in enumerate(x):
            if self.resets is not None and state is not None:
                keep = self.resets[t][:, None]
                state = tuple(s * keep for s in state) if isinstance(state, tuple) else state * keep
            state = self.cell(step, state)
            self.seen.append(state if isinstance(state, tuple) else (state,))
            outputs.append(self.head(self.seen[-1][0]))
        return torch.stack(outputs)


def squares(result: Tensor) -> Tensor:
    return (result**2).sum()


def with_retained_gradients(model: Loop, x: Tensor, *state: Any) -> list[tuple[Tensor, ...]]:
    """The states of a plain run whose `.grad` holds their total derivatives."""
    model.seen = []
    result = model(x, *state)
    for step in model.seen:
        for s in step:
            s.retain_grad()
    squares(result).backward()
    return model.seen


@pytest.mark.parametrize("resets", [None, torch.tensor([[1, 1], [1, 0], [1, 1], [0, 1], [1, 1]]).double()])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_total_derivatives_are_those_of_the_loop_itself(kind: Any, resets: Any) -> None:
    torch.manual_seed(1)
    model, x = Loop(kind, resets).double(), noise(5, 2, 3, seed=1)
    trace = record(model, x, loss=squares)
    assert not model.seen
    assert (trace.steps, trace.batch, trace.layers[0].path, trace.layers[0].calls) == (5, 2, "cell", 5)
    assert trace.parity is not None
    assert trace.parity <= EXACT
    states = with_retained_gradients(model, x)
    for position, name in enumerate(trace.cell(0).states):
        assert gap(trace.values(name), torch.stack([s[position] for s in states])) == 0
    assert gap(trace.values("dh"), torch.stack([s[0].grad for s in states])) <= EXACT  # type: ignore[misc]
    for name, parameter in model.named_parameters():
        assert gap(trace.parameter_gradients[name], parameter.grad) <= EXACT, name


def test_every_quantity_of_a_loop_is_that_of_the_module_over_time() -> None:
    """The cell state's derivative too, which PyTorch's own cell shows only in part."""
    torch.manual_seed(1)
    model, x = Loop().double(), noise(5, 2, 3, seed=2)
    layer = nn.LSTM(3, 4).double()
    layer.load_state_dict({name + "_l0": p for name, p in model.cell.state_dict().items()})
    trace = record(model, x, loss=squares)
    other = record(layer, x, loss=lambda result: squares(model.head(result[0])))
    for name in trace.quantities():
        if name not in ("y", "dy"):
            assert gap(trace.values(name), other.values(name)) <= EXACT, name
    for name in ("h", "c", "dh", "dc"):
        assert gap(trace.initial(name), other.initial(name)) <= EXACT
    assert gap(trace.values("y"), model(x)) <= EXACT


def test_states_the_loop_changed_are_what_the_next_timestep_began_from() -> None:
    resets = torch.ones(5, 2).double()
    resets[3, 1] = 0
    trace = record(Loop(resets=resets).double(), noise(5, 2, 3, seed=3), loss=squares)
    before = trace.arrays["0/forward/before/c"]
    assert not before[3, 1].any()
    assert gap(before[3, 0], trace.values("c")[2, 0]) == 0
    f, i, g = (trace.values(name) for name in "fig")
    assert gap(f * before + i * g, trace.values("c")) <= EXACT
    # Nothing of the second sequence's past is felt after its reset, in either direction of time.
    assert trace.values("dc")[2, 1].any()
    later = record(
        Loop(resets=resets).double(), noise(5, 2, 3, seed=3), loss=lambda result: squares(result[3:, 1])
    )
    assert not later.values("dh")[:3, 1].any()
    assert later.values("dh")[3, 1].any()


def test_the_step_shown_begins_from_the_states_it_was_really_given(tmp_path: Path) -> None:
    resets = torch.ones(5, 2).double()
    resets[3, 1] = 0
    record(Loop(resets=resets).double(), noise(5, 2, 3, seed=3), loss=squares).save(tmp_path / "t")
    trace = load(tmp_path / "t")
    assert isinstance(trace, Trace)
    session = Session(trace)
    session.select_batch(1)
    for t in range(5):
        session.goto(t)
        for equation in equations_at(session.view):
            expected = trace.values(equation.quantity)[t, 1, 0]
            assert equation.computed == pytest.approx(expected, abs=1e-9)
    session.goto(2)
    assert routes_at(session.view)
    session.goto(3)
    with pytest.raises(UserError, match="the model's own loop changed h between t=2 and t=3"):
        routes_at(session.view)


def test_past_its_end_a_shorter_layer_has_no_step_to_show() -> None:
    class Both(Loop):
        def forward(self, x: Tensor, state: Any = None) -> Any:
            return super().forward(x).sum() + super().forward(x[:2, :1]).sum()

    session = Session(record(Both().double(), noise(4, 3, 3, seed=9), loss=lambda result: result))
    session.select_layer(1)
    session.goto(1)
    assert equations_at(session.view)
    assert routes_at(session.view)
    assert session.goto(2).text == "t=2: layer 1 has t=0 to t=1"
    session.cursor = replace(session.cursor, t=2)
    assert not equations_at(session.view)
    with pytest.raises(UserError, match="t=2: this layer has t=0 to t=1"):
        routes_at(session.view)


def test_a_loop_without_changes_keeps_no_second_copy_of_its_states() -> None:
    trace = record(Loop().double(), noise(4, 2, 3, seed=4), loss=squares)
    assert not [key for key in trace.arrays if "before" in key]


def test_changes_in_place_do_not_reach_what_was_recorded() -> None:
    class InPlace(Loop):
        def forward(self, x: Tensor, state: Any = None) -> Any:
            state = (x.new_zeros(2, 4), x.new_zeros(2, 4))
            for t in range(len(x)):
                h, c = self.cell(x[t], state)
                h[0] = 0
                state = h, c
            return h

    trace = record(InPlace().double(), noise(4, 2, 3, seed=5), loss=squares)
    assert trace.values("h")[:, 0].any()
    assert not trace.values("dh")[:, 0].any()
    assert not trace.arrays["0/forward/before/h"][1:, 0].any()


def test_initial_states_and_their_derivatives_are_those_of_the_first_call() -> None:
    model, x = Loop().double(), noise(4, 2, 3, seed=6)
    state = tuple(noise(2, 4, seed=7 + n).requires_grad_() for n in (0, 1))
    trace = record(model, x, hx=state, loss=squares)
    squares(model(x, state)).backward()
    for name, leaf in zip("hc", state, strict=True):
        assert gap(trace.initial(name), leaf) == 0
        assert gap(trace.initial("d" + name), leaf.grad) <= EXACT


def test_frozen_cells_and_callers_without_gradients_have_the_same_derivatives() -> None:
    torch.manual_seed(1)
    model, x = Loop().double(), noise(4, 2, 3, seed=8)
    free = record(model, x, loss=squares)
    with torch.inference_mode():
        inside = record(model, x * 1, loss=squares)
    frozen = record(model.requires_grad_(False), x, loss=squares)
    for trace in (inside, frozen):
        for name in free.quantities():
            assert gap(trace.values(name), free.values(name)) == 0, name
    for name in ("cell.weight_hh", "cell.bias_ih"):
        assert gap(frozen.parameter_gradients[name], free.parameter_gradients[name]) <= EXACT


def test_another_batch_begins_a_run_of_its_own() -> None:
    class Narrowing(Loop):
        def forward(self, x: Tensor, state: Any = None) -> Any:
            return super().forward(x).sum() + super().forward(x[:2, :1]).sum()

    trace = record(Narrowing().double(), noise(4, 3, 3, seed=9), loss=lambda result: result)
    assert [layer.path for layer in trace.layers] == ["cell", "cell@2"]
    assert trace.arrays["1/lengths"].tolist() == [2, 0, 0]
    assert trace.lengths.tolist() == [4, 4, 4]
    assert not trace.values("h", 1)[2:].any()
    assert not trace.values("h", 1)[:, 1:].any()


def test_cells_stacked_by_hand_are_layers_each() -> None:
    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells = nn.ModuleList([nn.GRUCell(3, 4), nn.GRUCell(4, 4)])

        def forward(self, x: Tensor) -> Tensor:
            states = [x.new_zeros(x.shape[1], 4)] * 2
            for step in x:
                for n, cell in enumerate(self.cells):
                    step = states[n] = cell(step, states[n])
            return states[-1]

    model, x = Stack().double(), noise(5, 2, 3, seed=10)
    trace = record(model, x)
    stock = nn.GRU(3, 4, num_layers=2).double()
    stock.load_state_dict(
        {f"{k}_l{n}": p for n in (0, 1) for k, p in model.cells[n].state_dict().items()}  # type: ignore[index]
    )
    other = record(stock, x)
    assert [layer.path for layer in trace.layers] == ["cells.0", "cells.1"]
    assert trace.loss == pytest.approx(other.loss, abs=EXACT)
    for layer in (0, 1):
        for name in ("x", "h", "r", "z_pre", "dh", "dn", "dx"):
            assert gap(trace.values(name, layer), other.values(name, layer)) <= EXACT, name


def test_an_unbatched_loop_is_a_batch_of_one() -> None:
    torch.manual_seed(2)
    model, x = Loop(bias=False).double(), noise(4, 3, seed=11)
    alone, batched = record(model, x, loss=squares), record(model, x[:, None], loss=squares)
    for name in ("h", "dc", "df_pre", "y"):
        assert gap(alone.values(name), batched.values(name)) <= EXACT


def test_a_decoder_called_a_step_at_a_time_is_one_run() -> None:
    class Stepwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4, num_layers=2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            state, outputs = None, []
            for t in range(x.shape[1]):
                output, state = self.rnn(x[:, t : t + 1], state)
                outputs.append(output)
            return torch.cat(outputs, 1)

    torch.manual_seed(3)
    model, x = Stepwise().double(), noise(2, 6, 3, seed=12)
    trace = record(model, x, loss=squares)
    whole = record(model.rnn, x, loss=lambda result: squares(result[0]))
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("rnn", 6)] * 2
    assert trace.steps == 6
    for layer in (0, 1):
        for name in whole.quantities(layer):
            assert gap(trace.values(name, layer), whole.values(name, layer)) <= EXACT, name
        assert gap(trace.initial("dc", layer), whole.initial("dc", layer)) <= EXACT
    for name, gradient in whole.parameter_gradients.items():
        assert gap(trace.parameter_gradients["rnn." + name], gradient) <= EXACT


def test_a_what_if_in_the_users_own_loop_is_refused_in_a_sentence() -> None:
    trace = record(Loop().double(), noise(4, 2, 3, seed=13))
    with pytest.raises(UserError, match="cell is called in a loop of the model's own"):
        rerun(trace, [])


def test_a_loop_that_the_loss_does_not_see_has_derivatives_of_zero() -> None:
    steps: list[tuple[int, int]] = []
    free = torch.ones((), requires_grad=True)
    trace = record(Loop(), torch.ones(3, 2, 3), loss=lambda _: 2 * free, progress=lambda *n: steps.append(n))
    assert not any(trace.values(name).any() for name in ("dh", "dc", "df_pre", "dx"))
    assert trace.values("f").all()
    assert steps[-1] == (6, 6)

"""What-ifs of scenario models and of modules of the user's own: heads, embeddings, losses, refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles.clamped_loops import ClampedLoop
from oracles.recurrents import gap, noise, random_recurrent
from torch import Tensor, nn
from torch.nn import functional

import lstmtui
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.errors import Cancelled, UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt

NUMBERS = "[input]\nvalues = [[0.1], [0.4], [-0.3], [0.8], [0.2], [0.5]]\n"
TOKENS = '[input]\ntext = "abcab"\n'
RUN = '\n[run]\ndtype = "float64"\ndevice = "cpu"\n'
MSE = '[objective]\nloss = "mse"\ntarget = [[0.5], [1.0], [0.2], [0.0], [0.3], [0.1]]\nat = "every"\n'
BCE = '[objective]\nloss = "bce"\ntarget = [[1], [0], [1], [1], [0], [0]]\nat = "every"\n'
NEXT = '[objective]\nloss = "cross_entropy"\ntarget = "next"\nat = "every"\n'


def edit(quantity: str, value: float, start: int, stop: int, unit: int | None = None) -> Edit:
    return Edit(1, "m", 0, "forward", 0, quantity, unit, value, start, stop)


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Trace]:
    def write(text: str, model: str) -> Trace:
        file = tmp_path / "scenario.toml"
        start = '[[model]]\nname = "m"\nhidden_size = 4\nseed = 3\n'
        file.write_text(text + start + model + RUN, encoding="utf-8")
        return lstmtui.run(file)["m"]

    return write


def objective(trace: Trace, y: Tensor) -> Tensor:
    """The loss of the one sequence, written out once more."""
    mask = torch.tensor(trace.arrays["mask"][: len(y), 0])
    y, kind = y[mask], trace.header.loss_kind
    if kind == "sum":
        return y.sum()
    target = torch.tensor(trace.arrays["target"][:, 0])[mask]
    if kind == "cross_entropy":
        return -torch.log_softmax(y, -1)[range(len(y)), target].mean()
    if kind == "bce":
        p = torch.sigmoid(y)
        return -(target * p.log() + (1 - target) * (1 - p).log()).mean()
    return ((y - target) ** 2).mean()


def check(trace: Trace, *edits: Edit) -> Trace:
    variant, loop = rerun(trace, edits), ClampedLoop(trace, edits)
    loop.y[0].retain_grad()
    loss = objective(trace, loop.y[0])
    loss.backward()  # type: ignore[no-untyped-call]
    assert gap(np.float64(variant.loss), loss) < 1e-12
    assert gap(variant.values("y")[:, 0], loop.y[0]) < 1e-12
    assert gap(variant.values("dy")[:, 0], loop.y[0].grad) < 1e-12
    for name, parameter in loop.parameters.items():
        if name != "embedding.weight":
            wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert gap(variant.parameter_gradients[name], wanted) < 1e-12, name
    for place, kept in loop.kept[0].items():
        for name, tensors in kept.items():
            grads = torch.stack([torch.zeros_like(v) if v.grad is None else v.grad for v in tensors])
            assert gap(variant.values("d" + name, *place)[:, 0], grads) < 1e-12, name
    return variant


@pytest.mark.parametrize(
    ("text", "model", "kind"),
    [
        (NUMBERS + MSE, 'cell = "lstm"\nhead = 1\n', "mse"),
        (NUMBERS + BCE, 'cell = "gru"\nhead = 1\nnum_layers = 2\nbidirectional = true\n', "bce"),
        (TOKENS + NEXT, 'cell = "lstm_peephole"\nhead = 3\nembedding = 2\n', "cross_entropy"),
        (TOKENS + NEXT, 'cell = "rnn_tanh"\n', "cross_entropy"),
        (NUMBERS + '[objective]\nloss = "sum"\nat = 3\n', 'cell = "lstm"\n', "sum"),
        (NUMBERS + '[objective]\nloss = "sum"\nat = "last"\n', 'cell = "lstm"\nhead = 2\n', "sum"),
    ],
)
def test_the_loss_and_the_gradients_are_the_variants_own(
    scenario: Callable[..., Trace], text: str, model: str, kind: str
) -> None:
    trace = scenario(text, model)
    assert trace.header.loss_kind == kind
    variant = check(trace, edit("h", 0.7, 1, 2, unit=1), edit("x", 0.3, 3, 3))
    assert variant.loss != trace.loss
    assert variant.parity is None
    again = rerun(trace)
    assert (again.loss, again.parity) == (trace.loss, trace.parity)
    for key in trace.arrays:
        assert gap(again.arrays[key], trace.arrays[key]) < 1e-12, key


def test_the_output_can_be_put_in_place(scenario: Callable[..., Trace]) -> None:
    trace = scenario(NUMBERS + MSE, 'cell = "lstm"\nhead = 1\n')
    variant = check(trace, edit("y", 0.25, 2, 3))
    assert (variant.values("y")[2:4] == 0.25).all()
    assert np.array_equal(variant.values("h"), trace.values("h"))


def test_the_sum_of_the_last_h_is_known_by_name(scenario: Callable[..., Trace]) -> None:
    trace = scenario(NUMBERS, 'cell = "lstm"\n')
    assert (trace.header.loss_kind, trace.header.output_kind) == ("last_hidden", "hidden")
    assert rerun(trace, [edit("h", 0.5, 5, 5)]).loss == pytest.approx(2.0, abs=0)


def test_an_embedding_gets_no_gradient_through_an_x_that_was_put_in_place(
    scenario: Callable[..., Trace],
) -> None:
    trace = scenario(TOKENS + NEXT, 'cell = "lstm"\nhead = 3\nembedding = 2\n')
    variant = rerun(trace, [edit("x", 0.3, 3, 3, unit=1)])
    wanted = np.zeros((3, 2))
    for t, token in enumerate(trace.arrays["tokens"][:, 0]):
        wanted[token] += variant.values("dx")[t, 0] * [1, t != 3]
    assert gap(variant.parameter_gradients["embedding.weight"], wanted) < 1e-12
    assert variant.values("dx")[3, 0, 1] != 0


@pytest.mark.parametrize("unit", [None, 1])
def test_gradients_of_a_timestep_are_of_y_where_there_is_a_head(
    scenario: Callable[..., Trace], unit: int | None
) -> None:
    trace = scenario(TOKENS + NEXT, 'cell = "gru"\nhead = 3\n')
    variant, loop = rerun(trace, (), LossAt(2, 0, unit)), ClampedLoop(trace, ())
    loss = loop.y[0][2].sum() if unit is None else loop.y[0][2, unit]
    loss.backward()  # type: ignore[no-untyped-call]
    dh = torch.stack([torch.zeros(4) if h.grad is None else h.grad for h in loop.kept[0][0, "forward"]["h"]])
    assert gap(variant.values("dh")[:, 0], dh.double()) < 1e-12
    assert gap(np.float64(variant.loss), loss) < 1e-12
    assert variant.header.loss_text == f"{'sum of y' if unit is None else 'y[1]'} at t=2, sequence 0"
    assert variant.values("h") is trace.values("h")


class Reader(nn.Module):
    """A model whose output is made by code no trace holds."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = random_recurrent("lstm")

    def forward(self, x: Tensor) -> Tensor:
        return self.cells(x * 2)[0] ** 2  # type: ignore[no-any-return]


def test_a_users_own_loss_leaves_values_and_says_what_is_missing() -> None:
    trace = record(Reader(), noise(6, 1, 3, seed=2), loss=lambda y: functional.relu(y).sum())
    variant = rerun(trace, [edit("c", 0.5, 2, 2)])
    assert (variant.values("c")[2] == 0.5).all()
    assert np.isnan(variant.loss)
    assert "dh" not in variant.quantities()
    assert not variant.parameter_gradients
    for quantity in ("dh", "df", "y"):
        with pytest.raises(UserError, match=rf"{quantity}: .* a function that the trace does not hold"):
            variant.values(quantity)
    chosen = rerun(trace, [edit("c", 0.5, 2, 2)], LossAt(4, 0, 1))
    loop = ClampedLoop(trace, [edit("c", 0.5, 2, 2)])
    loop.h[0][4, 1].backward()  # type: ignore[no-untyped-call]
    assert gap(chosen.values("dc")[2, 0], loop.kept[0][0, "forward"]["c"][2].grad) < 1e-12
    with pytest.raises(UserError, match="y was made by code"):
        chosen.values("y")


def test_a_users_module_with_the_default_loss_has_derivatives_of_its_cells() -> None:
    trace = record(Reader(), noise(6, 1, 3, seed=2))
    again = rerun(trace)
    for quantity in ("dx", "dh", "dc", "df_pre"):
        assert gap(again.values(quantity), trace.values(quantity)) < 1e-12
    assert again.loss == trace.loss


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = random_recurrent("gru"), random_recurrent("gru", input_size=4)

    def forward(self, x: Tensor) -> Any:
        return self.second(self.first(x)[0])


class Twice(nn.Module):
    """One layer, called on what it has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(3, 3, dtype=torch.float64)

    def forward(self, x: Tensor) -> Any:
        return self.layer(self.layer(x)[0])


def without(trace: Trace, *keys: str) -> Trace:
    return Trace(trace.header, {k: a for k, a in trace.arrays.items() if k not in keys})


def test_what_cannot_be_run_again_says_why() -> None:
    x = noise(6, 1, 3, seed=2)
    plain = record(random_recurrent("lstm", num_layers=2), x)
    torch.manual_seed(0)
    dropped = record(nn.LSTM(3, 4, num_layers=2, dropout=0.5, dtype=torch.float64), x)
    head = Trace(replace(plain.header, output_kind="head"), plain.arrays)
    cases = [
        (record(Two(), x), "several recurrent modules"),
        (record(Twice(), x), "layer is called 2 times, and a trace does not tell what happens between"),
        (dropped, "what layer 1 was given is not h of layer 0"),
        (without(plain, "parameters/weight_hh_l1"), "lacks parameters, states or inputs of layer 1"),
        (without(plain, "1/forward/initial/c"), "lacks parameters, states or inputs of layer 1"),
        (without(plain, "0/forward/x"), "lacks parameters, states or inputs of layer 0"),
        (without(plain, "0/forward/h"), "lacks parameters, states or inputs of layer 0"),
        (without(plain, "1/forward/c"), "lacks parameters, states or inputs of layer 1"),
        (head, "lacks the parameters of its head"),
        (rerun(plain, [edit("h", 0.5, 1, 1)]), "a what-if itself"),
    ]
    for trace, why in cases:
        with pytest.raises(UserError, match=f"cannot be run again: .*{why}"):
            rerun(trace, [edit("h", 0.5, 2, 2)])


def test_a_loss_without_its_target_is_refused_in_a_sentence(scenario: Callable[..., Trace]) -> None:
    trace = scenario(NUMBERS + MSE, 'cell = "lstm"\nhead = 1\n')
    damaged = Trace(trace.header, {**trace.arrays, "target": np.zeros((1, 1, 1))})
    for broken in (damaged, without(trace, "mask"), without(trace, "target")):
        with pytest.raises(UserError, match="cannot be run again"):
            rerun(broken, [edit("h", 0.5, 2, 2)])


def test_saved_runs_and_older_ones_can_be_run_again(tmp_path: Path) -> None:
    trace = record(random_recurrent("lstm"), noise(6, 1, 3, seed=2))
    trace.save(tmp_path / "run.trace")
    loaded = lstmtui.load(tmp_path / "run.trace")
    assert isinstance(loaded, Trace)
    changed = [edit("c", float("nan"), 2, 2, unit=1), edit("x", 2.0, 1, 1)]
    ours, theirs = rerun(loaded, changed), rerun(trace, changed)
    assert set(ours.arrays) == set(theirs.arrays)
    assert all(np.array_equal(ours.arrays[k], theirs.arrays[k], equal_nan=True) for k in theirs.arrays)
    file = tmp_path / "run.trace" / "trace.json"
    manifest = json.loads(file.read_text())
    for name in ("loss_kind", "output_kind", "what_ifs", "absent"):
        del manifest["models"][0]["header"][name]
    file.write_text(json.dumps(manifest))
    old = lstmtui.load(tmp_path / "run.trace")
    assert isinstance(old, Trace)
    assert (old.header.loss_kind, old.header.output_kind) == ("custom", "custom")
    assert np.array_equal(rerun(old, changed).values("h"), theirs.values("h"), equal_nan=True)


def test_a_run_on_a_device_that_is_not_here_is_run_on_the_cpu() -> None:
    trace = record(random_recurrent("lstm"), noise(6, 1, 3, seed=2))
    elsewhere = Trace(replace(trace.header, device="cuda:99"), trace.arrays)
    assert np.array_equal(rerun(elsewhere).values("dh"), rerun(trace).values("dh"))


def test_derivatives_are_worked_out_once_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    from lstmtui.capture.reruns import rerun as module

    true = module.derivatives
    monkeypatch.setattr(module, "derivatives", lambda *a: calls.append(1) or true(*a))
    variant = rerun(record(random_recurrent("lstm"), noise(6, 1, 3, seed=2)), [edit("h", 0.5, 2, 2)])
    _ = variant.values("h"), variant.loss, variant.quantities(), "0/forward/dh" in variant.arrays
    assert not calls
    threads = [threading.Thread(target=variant.values, args=("dh",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _ = variant.values("dc"), variant.parameter_gradients
    assert calls == [1]


def test_only_what_comes_after_the_change_is_run_and_it_can_be_stopped() -> None:
    trace = record(random_recurrent("lstm", num_layers=2), noise(200, 1, 3, seed=2))
    seen: list[tuple[int, int]] = []
    rerun(trace, [edit("f", 1.0, 150, 160)], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        rerun(trace, [edit("f", 1.0, 150, 160)], progress=stop)

"""Healthy models of many kinds break no law; mistakes of many kinds are named, also in loops of one's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from capture.laws import models as of
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.laws import BROKEN, BY_DESIGN, HELD, NOT_TAKEN, LawResult
from lstmtui.capture.laws.consumption import timesteps_to_try
from lstmtui.errors import Cancelled, UserError

torch.manual_seed(0)
X = torch.randn(of.STEPS, of.BATCH, of.SIZE)
X_BATCH_FIRST = X.transpose(0, 1).contiguous()
TOKENS = torch.randint(0, 12, (of.STEPS, of.BATCH))
LENGTHS = torch.tensor([9, 7, 7, 4])
STARTS = torch.zeros(of.STEPS, of.BATCH, dtype=torch.bool)
STARTS[0], STARTS[4, 1], STARTS[6, 2] = True, True, True


def held(model: Any, x: Any, **options: Any) -> dict[str, LawResult]:
    torch.manual_seed(1)
    return {result.name: result for result in lstmtui.laws(model, x, **options)}


def chunked(every: int) -> nn.Module:
    def run(model: Any, x: Tensor) -> Tensor:
        state, outputs = None, []
        for part in x.split(every):
            output, state = model.gru(part, None if state is None else state.detach())
            outputs.append(output)
        return torch.cat(outputs)

    return of.Does(run, gru=nn.GRU(of.SIZE, of.UNITS))


def overlapping() -> nn.Module:
    def run(model: Any, x: Tensor) -> Tensor:
        state, outputs = None, []
        for start in range(0, 5, 2):
            output, state = model.gru(x[start : start + 4], state)
            outputs.append(output)
        return torch.cat(outputs)

    return of.Does(run, gru=nn.GRU(of.SIZE, of.UNITS))


HEALTHY: dict[str, tuple[Any, Any, dict[str, Any], dict[str, str]]] = {
    "lstm": (nn.LSTM(3, 5, 2), X, {}, {"chunks": HELD, "steps": HELD, "carry": HELD, "save": HELD}),
    "lstm with lengths": (nn.LSTM(3, 5), X, {"lengths": LENGTHS}, {"padding": HELD, "chunks": HELD}),
    "bidirectional": (nn.GRU(3, 5, bidirectional=True), X, {}, {"causality": BY_DESIGN, "steps": BY_DESIGN}),
    "unbatched": (nn.LSTM(3, 5), X[:, 0], {}, {"isolation": NOT_TAKEN, "chunks": HELD}),
    "one timestep": (nn.GRU(3, 5), X[:1], {}, {"causality": NOT_TAKEN, "chunks": NOT_TAKEN}),
    "peepholes": (lstmtui.Recurrent("lstm_peephole", 3, 5), X, {}, {"padding": HELD, "carry": HELD}),
    "cell": (nn.GRUCell(3, 5), X, {}, {"chunks": HELD, "carry": HELD}),
    "packed inside": (of.Packed(), (X_BATCH_FIRST, LENGTHS), {}, {"padding": HELD, "causality": HELD}),
    "lengths are made up": (of.Packed(), X_BATCH_FIRST, {}, {"padding": HELD}),
    "attention": (of.Attention(), (X, X.flip(0)), {}, {"causality": HELD, "carry": HELD}),
    "autoencoder": (of.Autoencoder(), X, {}, {"causality": BY_DESIGN}),
    "keeps its state": (of.Keeps(), X, {}, {"chunks": HELD, "carry": HELD, "reset": HELD}),
    "one-hot": (of.OneHot(), TOKENS, {"state": torch.zeros(1, 4, 5)}, {"isolation": HELD, "steps": HELD}),
    "greedy": (of.Greedy(), TOKENS, {}, {"carry": HELD, "causality": NOT_TAKEN}),
    "truncated": (chunked(3), X, {}, {"carry": HELD}),
    "state returned": (of.Returns(False), X, {}, {"chunks": HELD, "save": HELD}),
    "reset inside": (of.Detached(False), (X, STARTS), {"starts": STARTS}, {"reset": HELD}),
    "batch norm": (
        of.Does(lambda m, x: m.norm(m.gru(x)[0][-1]), gru=nn.GRU(3, 5), norm=nn.BatchNorm1d(5)),
        X,
        {},
        {"isolation": BY_DESIGN},
    ),
    "convolution": (
        of.Does(
            lambda m, x: m.gru(m.conv(x.permute(1, 2, 0)).permute(2, 0, 1))[0],
            gru=nn.GRU(3, 5),
            conv=nn.Conv1d(3, 3, 3, padding=1),
        ),
        X,
        {},
        {"causality": BY_DESIGN},
    ),
    "sentences apart": (
        of.Does(lambda m, x: torch.stack([m.gru(part)[1][0] for part in x.split(3)])[-1], gru=nn.GRU(3, 5)),
        X,
        {},
        {"carry": NOT_TAKEN},
    ),
    "function": (lambda x: x.cumsum(0).tanh(), X, {}, {"causality": HELD, "save": NOT_TAKEN}),
    "dropout": (
        of.Does(lambda m, x: m.drop(m.gru(x)[0]), gru=nn.GRU(3, 5), drop=nn.Dropout(0.5)),
        X,
        {},
        {"save": HELD},
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_model_breaks_no_law(name: str) -> None:
    model, x, options, statuses = HEALTHY[name]
    results = held(model, x, **options)
    assert [str(result) for result in results.values() if result.broken] == []
    assert {law: results[law].status for law in statuses} == statuses


SOFTMAX = of.Does(lambda m, x: (torch.softmax(m.gru(x)[0], 1) * x[..., :1]).sum(0), gru=nn.GRU(3, 5))

ILL: dict[str, tuple[Any, Any, dict[str, Any], str, str]] = {
    "softmax over the batch": (SOFTMAX, X, {}, "isolation", "what follows them does not"),
    "batch_first forgotten": (
        nn.LSTM(3, 5),
        X_BATCH_FIRST,
        {"batch_first": True},
        "isolation",
        "not batch_first",
    ),
    "detached leak": (
        of.Does(lambda m, x: m.gru(x - x.mean((0, 1)).detach())[0], gru=nn.GRU(3, 5)),
        X,
        {},
        "isolation",
        "mixed already",
    ),
    "normalised over time": (
        of.Does(lambda m, x: m.gru(x - x.mean(0))[0], gru=nn.GRU(3, 5)),
        X,
        {},
        "causality",
        "looks ahead already",
    ),
    "shifted before both directions": (
        of.Does(lambda m, x: m.gru(torch.roll(x, -1, 0))[0], gru=nn.GRU(3, 5, bidirectional=True)),
        X,
        {},
        "causality",
        "looks ahead already",
    ),
    "h and c swapped": (of.Returns(True), X, {}, "chunks", "in two calls"),
    "both directions not packed": (
        of.Packed(False, True),
        (X_BATCH_FIRST, LENGTHS),
        {},
        "padding",
        "alone",
    ),
    "last of padded": (
        of.Does(lambda m, x: m.gru(x)[0][-1], gru=nn.GRU(3, 5)),
        X,
        {"lengths": LENGTHS},
        "padding",
        "advanced by the padding at t=4 to 8",
    ),
    "reset forgets the second layer": (of.Keeps(False), X, {}, "reset", "after the model's own reset"),
    "reset detaches": (of.Detached(True), (X, STARTS), {"starts": STARTS}, "reset", "never forgotten"),
    "first read twice": (
        of.Does(lambda m, x: m.gru(x, m.gru(x[:1])[1])[0], gru=nn.GRU(3, 5)),
        X,
        {},
        "carry",
        "has read it already",
    ),
    "windows that overlap": (overlapping(), X, {}, "carry", "with a state that has read up to t=3"),
    "step leaves something out": (
        of.Stepwise(),
        X,
        {"step": of.Stepwise.step_without_relu},
        "steps",
        "step by step",
    ),
    "not registered": (of.Plain(), X, {}, "save", "cells is not in its state_dict"),
}


@pytest.mark.parametrize("name", ILL)
def test_a_mistake_is_named_by_its_law(name: str) -> None:
    model, x, options, law, says = ILL[name]
    result = held(model, x, only=[law], **options)[law]
    assert result.status == BROKEN, result
    assert says in result.text
    assert result.place is not None


def test_a_function_for_one_timestep_that_does_the_same_holds() -> None:
    results = held(of.Stepwise(), X, step=of.Stepwise.step)
    assert (results["steps"].status, results["carry"].status) == (HELD, HELD)


@pytest.mark.parametrize("carries", [True, False])
def test_a_loop_of_ones_own_is_seen_through(carries: bool) -> None:
    gru = nn.GRU(of.SIZE, of.UNITS)

    def rollout(x: Tensor) -> Tensor:
        state, outputs = torch.zeros(1, x.shape[1], of.UNITS), []
        for part in x:
            output, after = gru(part[None], state)
            state = after if carries else state
            outputs.append(output)
        return torch.cat(outputs)

    assert held(rollout, X, only=["carry"])["carry"].status == (HELD if carries else BROKEN)


def test_run_says_how_a_model_is_called() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(of.SIZE, of.UNITS)

        def forward(self, packet: dict[str, Any]) -> dict[str, Any]:
            output, after = self.gru(packet["frames"], packet["memory"])
            return {"frames": output, "memory": after}

    def run(model: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        result = model({"frames": x, "memory": state})
        return result["frames"], result["memory"]

    results = held(Pair(), X, run=run)
    assert {
        results[law].status for law in ("isolation", "causality", "chunks", "steps", "carry", "save")
    } == {HELD}


def test_the_model_is_left_as_it_was() -> None:
    model = of.Keeps()
    model(X)
    before = (model.h, model.g, {name: p.clone() for name, p in model.named_parameters()})
    numbers = torch.random.get_rng_state()
    lstmtui.laws(model, X)
    assert model.h is before[0]
    assert model.g is before[1]
    assert all(torch.equal(p, before[2][name]) for name, p in model.named_parameters())
    assert all(p.grad is None and p.dtype == torch.float32 for p in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), numbers)
    assert torch.get_default_dtype() == torch.float32


def test_it_can_be_stopped_and_says_which_law_is_being_held() -> None:
    told = []

    def progress(law: str, seconds: float) -> None:
        told.append(law)
        if law == "chunks":
            raise Cancelled

    with pytest.raises(Cancelled):
        lstmtui.laws(nn.GRU(3, 5), X, progress=progress)
    assert list(dict.fromkeys(told)) == ["isolation", "causality", "chunks"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"only": ["isolatoin"]}, "did you mean isolation"),
        ({"lengths": [3, 2]}, "lengths: expected"),
        ({"starts": torch.zeros(2, 2)}, "starts: expected the first two axes of x"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        lstmtui.laws(of.Stepwise(), X, **options)


def test_a_state_that_must_be_given_is_asked_for() -> None:
    with pytest.raises(UserError, match="needs hidden: pass it as state="):
        lstmtui.laws(of.OneHot(), TOKENS)


def test_no_hook_is_left_behind_for_all_modules_or_for_those_of_the_model() -> None:
    model = nn.LSTM(2, 3)
    lstmtui.laws(model, torch.randn(6, 2, 2))
    left = {name: hooks for name, hooks in vars(torch.nn.modules.module).items() if name.endswith("_kwargs")}
    assert not any(left.values())
    assert not torch.nn.modules.module._has_any_global_hook()
    assert not model._forward_hooks


class Pieces(nn.Module):
    """A long sequence in pieces of 25; late in it one begins with what the piece before has read."""

    def __init__(self, reads_twice: bool) -> None:
        super().__init__()
        self.gru, self.reads_twice = nn.GRU(2, 3), reads_twice

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for start in range(0, len(x), 25):
            first = start - (self.reads_twice and start == 200)
            output, state = self.gru(x[first : start + 25], state)
            outputs.append(output[-25:])
        return torch.cat(outputs)


@pytest.mark.parametrize(("reads_twice", "status"), [(False, HELD), (True, BROKEN)])
def test_a_long_sequence_is_looked_at_to_its_end_and_it_is_said_where(reads_twice: bool, status: str) -> None:
    result = held(Pieces(reads_twice), torch.randn(250, 1, 2), only=["carry"])["carry"]
    assert result.status == status, result
    if reads_twice:
        assert result.place is not None
        assert result.place.t == 199
    else:
        assert result.notes == ("x was changed at 18 of 250 timesteps",)


def test_where_not_all_timesteps_can_be_tried_they_are_spread() -> None:
    tried = timesteps_to_try(1000, [])
    assert len(tried) == 16
    assert (tried[0], tried[-1]) == (0, 999)
    assert timesteps_to_try(100, []) == list(range(100))


def test_they_hold_whatever_was_set_about_precision_and_leave_that_alone() -> None:
    layers = torch.backends.cudnn.rnn if hasattr(torch.backends.cudnn, "rnn") else None
    if not hasattr(layers, "fp32_precision"):
        pytest.skip("this torch has allow_tf32 alone")
    before = layers.fp32_precision
    try:
        for setting in ("ieee", "tf32"):
            layers.fp32_precision = setting
            assert HELD in {result.status for result in held(nn.GRU(of.SIZE, of.UNITS), X).values()}
            assert layers.fp32_precision == setting
            assert torch.backends.cudnn.enabled
    finally:
        layers.fp32_precision = before


def test_they_are_held_in_inference_mode_and_of_tensors_from_there() -> None:
    outside = {name: law.status for name, law in held(nn.GRU(of.SIZE, of.UNITS), X).items()}
    with torch.inference_mode():
        model, x = nn.GRU(of.SIZE, of.UNITS), X.clone()
        inside = held(model, x)
    assert {name: law.status for name, law in inside.items()} == outside
    assert {name: law.status for name, law in held(nn.GRU(of.SIZE, of.UNITS), x).items()} == outside

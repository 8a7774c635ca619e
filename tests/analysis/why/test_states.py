"""What is in a state, against loops in Python: writings, factors, resets, broken factors, encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clock import within
from oracles.recurrents import noise, random_recurrent, random_states
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.why.answer import ledger_at, why
from lstmtui.analysis.why.ledger import Ledger, Place
from lstmtui.capture.record import record
from lstmtui.trace import Trace
from lstmtui.view import View

__all__ = ["within"]


def ask(trace: Trace, quantity: str, t: int, unit: int, direction: str = "forward", batch: int = 0) -> Ledger:
    return ledger_at(trace, Place(quantity, t, unit, 0, direction, batch))


def by_timestep(ledger: Ledger) -> dict[int, float]:
    return {part.t: part.value for part in ledger.parts}


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(
    ("name", "state", "keeps", "writes"),
    [
        ("lstm", "c", lambda v: v["f"], lambda v: v["i"] * v["g"]),
        ("lstm_peephole", "c", lambda v: v["f"], lambda v: v["i"] * v["g"]),
        ("lstm_coupled", "c", lambda v: 1 - v["i"], lambda v: v["i"] * v["g"]),
        ("lstm_layernorm", "c", lambda v: v["f"], lambda v: v["i"] * v["g"]),
        ("gru", "h", lambda v: v["z"], lambda v: (1 - v["z"]) * v["n"]),
        ("gru_reset_before", "h", lambda v: v["z"], lambda v: (1 - v["z"]) * v["n"]),
        ("mingru", "h", lambda v: 1 - v["z"], lambda v: v["z"] * v["n"]),
        ("minlstm", "h", lambda v: v["f"] / (v["f"] + v["i"]), lambda v: v["g"] * v["i"] / (v["f"] + v["i"])),
        ("rglru", "h", lambda v: v["a"], lambda v: np.sqrt(1 - v["a"] ** 2) * v["i"] * v["v"]),
        ("janet", "h", lambda v: v["f"], lambda v: v["i"] * v["g"]),
        ("slstm", "c", lambda v: v["f"], lambda v: v["i"] * v["z"]),
        ("slstm", "n", lambda v: v["f"], lambda v: v["i"]),
    ],
)
def test_each_timestep_has_left_what_it_wrote_times_what_was_kept_since(
    name: str, state: str, keeps: Any, writes: Any, direction: str
) -> None:
    module = random_recurrent(name, bidirectional=True)
    trace = record(module, noise(8, 2, 3, seed=1), hx=random_states(module, 2), lengths=[8, 5])
    for batch, length in enumerate((8, 5)):
        order = list(range(length)) if direction == "forward" else list(range(length))[::-1]
        v = {q: trace.values(q, 0, direction)[:, batch] for q in trace.cell().quantities}
        with np.errstate(all="ignore"):
            factor, written = keeps(v), writes(v)
        at, unit = order[-2], 1
        left, wanted = 1.0, {}
        for t in reversed(order[:-1]):
            wanted[t] = written[t][unit] * left
            left *= factor[t][unit]
        wanted[-1] = trace.initial(state, 0, direction)[batch, unit] * left
        ledger = ask(trace, state, at, unit, direction, batch)
        assert by_timestep(ledger) == pytest.approx(wanted, rel=1e-12, abs=1e-300)
        first = next(part for part in ledger.parts if part.t == order[0])
        assert first.leads_to == Place(f"written {state}", order[0], unit, 0, direction, batch)
        assert ledger_at(trace, first.leads_to).total == pytest.approx(written[order[0]][unit], rel=1e-12)


def with_factor(values: list[float]) -> Trace:
    """An LSTM of one unit whose f is given, and which writes at every timestep."""
    module = nn.LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.weight_ih_l0[1] = 1.0
        module.bias_ih_l0[2] = 1.0
    x = torch.tensor(values, dtype=torch.float64).logit().clamp(-1e4, 1e4)[:, None, None]
    return record(module, x)


def test_a_closed_factor_takes_nothing_else_with_it() -> None:
    trace = with_factor([0.5, 0.5, 0.0, 0.5, 0.5])
    ledger = ask(trace, "c", 4, 0)
    written = 0.5 * np.tanh(1.0)
    wanted = {4: written, 3: written / 2, 2: written / 4, 1: 0.0, 0: 0.0}
    assert by_timestep(ledger) == pytest.approx(wanted, rel=1e-15, abs=0)
    assert ledger.notes[0] == "what was there up to t=1 has vanished: f is 0 at t=2"


def test_a_product_that_is_too_small_is_said_to_have_vanished() -> None:
    trace = with_factor([0.5] + [1e-100] * 5)
    ledger = ask(trace, "c", 5, 0)
    assert ledger.residual == 0.0
    assert (
        ledger.notes[0]
        == "what was there up to t=1 has vanished: the product of f is below the smallest number there is"
    )


@pytest.mark.parametrize(("bad", "word"), [(float("nan"), "NaN"), (float("inf"), "+inf")])
def test_a_factor_that_is_not_finite_is_named(bad: float, word: str) -> None:
    trace = with_factor([0.5] * 6)
    arrays = dict(trace.arrays)
    f, c = arrays["0/forward/f"].copy(), arrays["0/forward/c"].copy()
    f[3], c[3:] = bad, bad
    ledger = ask(Trace(trace.header, {**arrays, "0/forward/f": f, "0/forward/c": c}), "c", 5, 0)
    assert not np.isfinite(ledger.total)
    assert ledger.notes[0] == f"f is {word} at t=3: nothing can be said of what was there before it"
    assert {part.t for part in ledger.parts if np.isfinite(part.value)} == {3, 4, 5}
    assert not np.isfinite(ledger.parts[0].value)


class Resetting(nn.Module):
    """A loop of its own, which forgets before t = 4."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2, 3, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        state = (x.new_ones(x.shape[1], 3), x.new_ones(x.shape[1], 3))
        outputs = []
        for t, step in enumerate(x):
            if t == 4:
                state = tuple(0.25 * s for s in state)
            state = self.cell(step, state)
            outputs.append(state[0])
        return torch.stack(outputs)


def test_what_the_models_own_loop_did_to_a_state_is_a_part() -> None:
    torch.manual_seed(0)
    trace = record(Resetting(), noise(7, 1, 2, seed=1), loss=lambda out: out.sum())
    ledger = ask(trace, "c", 6, 1)
    assert abs(ledger.residual) <= 1e-12 * ledger.size
    made = next(part for part in ledger.parts if part.text.startswith("what the model's own loop made of it"))
    f = trace.values("f")[:, 0, 1]
    assert made.value == pytest.approx(0.25 * trace.values("c")[3, 0, 1] * f[4] * f[5] * f[6], rel=1e-13)
    assert {part.t for part in ledger.parts} == {4, 5, 6}


class EncoderDecoder(nn.Module):
    """A decoder that begins from what the encoder ended with."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(2, 3, dtype=torch.float64)
        self.decoder = nn.LSTM(2, 3, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x)
        return self.decoder(x[:3], state)[0]


def test_the_question_goes_on_in_the_encoder() -> None:
    torch.manual_seed(0)
    trace = record(EncoderDecoder(), noise(6, 1, 2, seed=1), loss=lambda out: out.sum())
    ledger = ledger_at(trace, Place("c", 1, 2, 1, "forward", 0))
    part = next(part for part in ledger.parts if part.t == -1)
    assert part.leads_to == Place("c", 5, 2, 0, "forward", 0)
    assert part.text == "what encoder ended with"


def test_an_infinite_initial_state_is_no_copy_of_another_layer() -> None:
    hx = torch.zeros(2, 1, 3, dtype=torch.float64)
    hx[1, 0, 2] = torch.inf
    module = nn.GRU(2, 3, num_layers=2, dtype=torch.float64)
    trace = record(module, noise(4, 1, 2, seed=1), hx=hx)
    for unit in range(3):
        ledger = ledger_at(trace, Place("h", 2, unit, 1, "forward", 0))
        assert all(part.t >= 0 or part.leads_to is None for part in ledger.parts), ledger


def test_a_public_trace_answers_why() -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(nn.LSTM(2, 3), torch.randn(9, 1, 2))
    ledger = trace.why("c", t=-1, unit=2, most=3)
    assert (ledger.value, ledger.count, len(ledger.parts)) == (trace.values("c")[8, 0, 2], 9, 3)
    with pytest.raises(lstmtui.UserError, match="unit 3: c has units 0 to 2"):
        trace.why("c", t=0, unit=3)
    with pytest.raises(lstmtui.UserError, match="t=9: this sequence has t=0 to t=8"):
        trace.why("c", t=9)


@pytest.mark.clock
def test_a_state_of_ten_thousand_timesteps_is_answered_at_once(tmp_path: Path, within: Any) -> None:
    steps, units = 10_000, 256
    small = record(nn.LSTM(2, units), torch.zeros(1, 1, 2))
    arrays = dict(small.arrays)
    values = np.random.default_rng(0).uniform(0.1, 0.9, (steps, 1, units)).astype(np.float32)
    for quantity in ("f", "i", "g"):
        np.save(tmp_path / f"{quantity}.npy", values)
    kept = np.empty((steps, 1, units), np.float32)
    before = np.zeros(units)
    for t in range(steps):
        before = values[t, 0] * before + values[t, 0].astype(np.float64) ** 2
        kept[t, 0] = before
    np.save(tmp_path / "c.npy", kept)
    arrays |= {f"0/forward/{q}": np.load(tmp_path / f"{q}.npy", mmap_mode="r") for q in ("f", "i", "g", "c")}
    arrays["lengths"] = np.array([steps])
    view = View.of(Trace(replace(small.header, steps=steps), arrays))
    why(view, "c", steps - 1, 1)
    with within(0.1):
        ledger = why(view, "c", steps - 1, 7)
    assert ledger.relative_residual <= 1e-6
    assert ledger.count == steps

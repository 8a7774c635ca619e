"""Verdicts on what the loss reads and on where states come from: each with one that is right beside it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, NOT_MEASURED, Verdict, diagnose_trace
from lstmtui.capture.record import record
from lstmtui.trace import Trace


def verdicts(trace: Trace, name: str) -> list[Verdict]:
    """Those of a name on the layers, in their order."""
    every = [v for v in diagnose_trace(trace) if v.name == name and (v.layer is not None or name != "reads")]
    return sorted(every, key=lambda v: (v.layer or 0, v.direction == "backward"))


class Classifier(nn.Module):
    """Two directions, of which a function reads something."""

    def __init__(self, read: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 3, 2, bidirectional=True, batch_first=True), read

    def forward(self, x: Tensor) -> Tensor:
        return self.read(*self.rnn(x))


@pytest.mark.parametrize(
    ("read", "severities", "words"),
    [
        (lambda y, h: y[:, -1], [FINE, BAD], "t=11, where it has seen 1 of 12 inputs"),
        (lambda y, h: y[:, 0], [BAD, FINE], "t=0, where it has seen 1 of 12 inputs"),
        (lambda y, h: torch.cat([h[-2], h[-1]], 1), [FINE, FINE], "seen 12 of 12 inputs"),
        (lambda y, h: y.mean(1), [FINE, FINE], "seen 1 to 12 of 12 inputs"),
    ],
)
def test_a_direction_is_read_where_it_has_seen_its_inputs(
    read: Callable[[Tensor, Tensor], Tensor], severities: list[str], words: str
) -> None:
    trace = record(Classifier(read), torch.randn(3, 12, 2), loss=lambda y: y.sum())
    said = verdicts(trace, "reads")
    assert [(v.layer, v.severity) for v in said] == [(1, severities[0]), (1, severities[1])]
    assert any(words in v.text for v in said)


class Questions(nn.Module):
    """Tokens padded with 0, and the output at the last timestep or at each sequence's own end."""

    def __init__(self, own_end: bool) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(9, 4, padding_idx=0), nn.LSTM(4, 5, batch_first=True)
        self.own_end = own_end

    def forward(self, tokens: Tensor) -> Tensor:
        y: Tensor = self.rnn(self.embedding(tokens))[0]
        ends = (tokens != 0).sum(1) - 1
        return y[torch.arange(len(y)), ends if self.own_end else -1]


@pytest.mark.parametrize("own_end", [True, False])
def test_reading_behind_the_padding_is_bad(own_end: bool) -> None:
    tokens = torch.randint(1, 9, (3, 20))
    tokens[1, 12:] = tokens[2, 5:] = 0
    (verdict,) = verdicts(record(Questions(own_end), tokens, loss=lambda y: y.sum()), "reads")
    assert verdict.severity == (FINE if own_end else BAD)
    assert own_end or "sequence 2 at t=19, 15 timesteps after it" in verdict.text


class Policy(nn.Module):
    """A cell in a loop, its states detached before some timesteps, its value read at each."""

    def __init__(self, is_detached: Callable[[int], bool]) -> None:
        super().__init__()
        self.cell, self.value, self.is_detached = nn.LSTMCell(2, 3), nn.Linear(3, 1), is_detached

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], 3)
        values = []
        for t, now in enumerate(x):
            if self.is_detached(t):
                h, c = h.detach(), c.detach()
            h, c = self.cell(now, (h, c))
            values.append(self.value(h))
        return torch.stack(values)


class Pooled(nn.Module):
    """The mean over time of padded sequences, with the padding or without."""

    def __init__(self, leaves_out: bool) -> None:
        super().__init__()
        self.rnn, self.head, self.leaves_out = nn.GRU(3, 5), nn.Linear(5, 1), leaves_out

    def forward(self, x: Tensor) -> Tensor:
        weight = (x != 0).any(-1, keepdim=True) if self.leaves_out else torch.ones_like(x[..., :1])
        mean: Tensor = self.head((self.rnn(x)[0] * weight).sum(0) / weight.sum(0))
        return mean


@pytest.mark.parametrize("leaves_out", [True, False])
def test_a_mean_that_takes_the_padding_in_is_worth_a_look(leaves_out: bool) -> None:
    x = torch.randn(14, 3, 3, generator=torch.Generator().manual_seed(0))
    x[9:, 1], x[6:, 2] = 0, 0
    trace = record(Pooled(leaves_out), x, loss=lambda y: (y - 1).pow(2).mean())
    (verdict,) = [v for v in verdicts(trace, "reads") if v.layer == 0]
    assert verdict.severity == (FINE if leaves_out else LOOK), verdict
    assert leaves_out or "2 of 3 sequences into what looks like padding: sequence 2" in verdict.text


@pytest.mark.parametrize(
    ("is_detached", "severity"),
    [(lambda t: False, FINE), (lambda t: t % 4 == 0, FINE), (lambda t: True, LOOK)],
)
def test_states_that_are_detached_before_every_timestep(
    is_detached: Callable[[int], bool], severity: str
) -> None:
    trace = record(Policy(is_detached), torch.randn(12, 2, 2), loss=lambda v: v.sum())
    (verdict,) = verdicts(trace, "state")
    assert verdict.severity == severity
    assert ("does not vanish" in verdict.text) == (severity == LOOK)
    (reads,) = verdicts(trace, "reads")
    assert "every t from 0 to 11" in reads.text


def test_a_loop_is_read_only_where_something_outside_reads_it() -> None:
    trace = record(Policy(lambda t: False), torch.randn(12, 2, 2), loss=lambda v: v[[3, 11]].sum())
    (reads,) = verdicts(trace, "reads")
    assert (
        reads.text
        == "the loss reads it at 2 timesteps from t=3 to t=11, where it has seen 4 to 12 of 12 inputs"
    )


def test_what_was_not_recorded_is_not_measured() -> None:
    with pytest.warns(RuntimeWarning, match="no derivatives"):
        trace = record(nn.GRU(2, 3), torch.randn(12, 1, 2), loss=lambda result: result[0].detach().sum())
    (reads,) = verdicts(trace, "reads")
    assert reads.severity == NOT_MEASURED
    assert "the loss has no gradient" in reads.text


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            35,
            "not measured: the states are reset or detached before t=35, and the gradient goes",
        ),
        (20, "fine: .* before t=20 the states are reset or detached"),
    ],
)
def test_a_gradient_that_is_cut_has_not_vanished(at: int, said: str) -> None:
    torch.manual_seed(1)
    trace = record(Policy(lambda t: t == at), torch.randn(40, 2, 2), loss=lambda v: v[-1].sum())
    (verdict,) = verdicts(trace, "vanishing")
    assert re.match(said, f"{verdict.severity}: {verdict.text}")


def test_a_gradient_that_dies_out_in_a_model_that_resets_its_states_has_vanished() -> None:
    torch.manual_seed(2)
    model = Policy(lambda t: t == 3)
    with torch.no_grad():
        model.cell.bias_ih[3:6] = -6  # forget gates near 0
    trace = record(model, torch.randn(60, 2, 2), loss=lambda v: v[-1].sum())
    (verdict,) = verdicts(trace, "vanishing")
    assert verdict.severity == BAD


class Fresh(nn.Module):
    """A GRU that is called one timestep at a time, its state multiplied by what is kept of it before."""

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.rnn, self.keep = nn.GRU(2, 3), keep

    def forward(self, x: Tensor) -> Tensor:
        h, outputs = x.new_zeros(1, 2, 3), []
        for t, now in enumerate(x):
            output, h = self.rnn(now[None], h * self.keep[t][None, :, None])
            outputs.append(output)
        return torch.cat(outputs)


def test_states_that_are_zeros_before_every_timestep_are_named() -> None:
    trace = record(Fresh(torch.zeros(12, 2)), torch.randn(12, 2, 2), loss=lambda y: y.sum())
    (verdict,) = verdicts(trace, "state")
    assert verdict.severity == BAD
    assert "every timestep begins from zeros, and nothing is remembered" in verdict.text


def test_resets_of_one_sequence_or_the_other_before_every_timestep_are_episodes_that_end() -> None:
    keep = (torch.arange(12)[:, None] + torch.arange(2)) % 2
    trace = record(Fresh(keep.float()), torch.randn(12, 2, 2), loss=lambda y: y.sum())
    (verdict,) = verdicts(trace, "state")
    assert verdict.severity == FINE
    assert "reset before each of 12 calls" in verdict.text


def test_a_layer_of_which_nothing_is_read_is_named() -> None:
    trace = record(
        nn.GRU(2, 3, bidirectional=True), torch.randn(12, 2, 2), loss=lambda r: r[0][..., :3].sum()
    )
    forward, backward = verdicts(trace, "reads")
    assert forward.severity == FINE
    assert (backward.severity, backward.text) == (LOOK, "the loss reads nothing of it")


class Unused(nn.Module):
    """An encoder whose states nobody is given."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(2, 3), nn.GRU(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.encoder(x)
        output: Tensor = self.decoder(x)[0]
        return output


def test_a_module_that_the_loss_does_not_depend_on_is_named() -> None:
    trace = record(Unused(), torch.randn(12, 2, 2), loss=lambda y: y.sum())
    encoder, _ = verdicts(trace, "reads")
    assert (encoder.severity, encoder.text) == (LOOK, "the loss reads nothing of it")


def test_a_sequence_that_is_begun_anew_is_read_before_that_like_any_other() -> None:
    keep = torch.ones(12, 2)
    keep[4, 0] = keep[9, 1] = 0
    for at in (slice(None), slice(3, 4)):
        trace = record(Fresh(keep), torch.randn(12, 2, 2), loss=lambda y, at=at: y[at].square().sum())
        read = np.asarray(trace.arrays["0/forward/reads"]) != 0
        assert read.all(1).nonzero()[0].tolist() == list(range(12))[at]
        assert read.any(1).nonzero()[0].tolist() == list(range(12))[at]

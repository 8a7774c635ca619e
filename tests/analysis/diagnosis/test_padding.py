"""Padding that the backward direction has read: told where batches were padded by hand, and only there."""

from __future__ import annotations

import pytest
import torch
from made_runs import made, only, verdicts

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK


def padded(lengths: list[int], value: float = 0.0, steps: int = 40) -> torch.Tensor:
    """Random sequences, each held at one value after its end."""
    x = torch.randn(steps, len(lengths), 3, generator=torch.manual_seed(3))
    for batch, length in enumerate(lengths):
        x[length:, batch] = value
    return x


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_batch_padded_by_hand_leaks(value: float) -> None:
    x = padded([40, 25, 31], value)
    verdict = only(made("lstm", x=x, batch=3, bidirectional=True), "padding", direction="backward")
    assert verdict.severity == BAD
    assert "the last 15 timesteps of sequence 1" in verdict.text or "sequence 2" in verdict.text
    assert verdict.next in ("layer 0 backward batch 1\ngoto 24", "layer 0 backward batch 2\ngoto 30")


def test_lengths_put_it_right() -> None:
    x, lengths = padded([40, 25, 31]), [40, 25, 31]
    trace = made("lstm", x=x, batch=3, bidirectional=True, lengths=lengths)
    verdict = only(trace, "padding", direction="backward")
    assert (verdict.severity, verdict.number) == (FINE, 0.0)


def test_padding_that_moves_nothing_is_fine() -> None:
    zero = {name: lambda b: 0 * b for name in ("bias_ih_l0_reverse", "bias_hh_l0_reverse")}
    trace = made("lstm", x=padded([40, 25, 31]), batch=3, bidirectional=True, **zero)
    verdict = only(trace, "padding", direction="backward")
    assert (verdict.severity, verdict.number) == (FINE, 0.0)


def test_a_forward_layer_cannot_leak() -> None:
    assert not [v for v in verdicts(made("lstm", x=padded([40, 25]), batch=2)) if v.name == "padding"]


def test_full_sequences_are_fine() -> None:
    assert only(made("gru", batch=3, bidirectional=True), "padding", direction="backward").severity == FINE


def test_a_single_sequence_that_ends_in_zeros_is_only_worth_a_look() -> None:
    trace = made("lstm", x=padded([25]), bidirectional=True)
    assert only(trace, "padding", direction="backward").severity == LOOK


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_input_is_not_padding(value: float) -> None:
    x = torch.full((40, 2, 3), value)
    assert (
        only(made("lstm", x=x, batch=2, bidirectional=True), "padding", direction="backward").severity == FINE
    )


def leaks(x: torch.Tensor) -> str:
    trace = made("lstm", x=x, batch=x.shape[1], bidirectional=True)
    return only(trace, "padding", direction="backward").severity


def embedded(tokens: torch.Tensor) -> torch.Tensor:
    return torch.randn(tokens.max() + 1, 3, generator=torch.manual_seed(9))[tokens]


@pytest.mark.parametrize("vocabulary", [3, 30, 300])
def test_a_token_that_happens_to_stand_twice_at_the_end_is_no_padding(vocabulary: int) -> None:
    tokens = torch.randint(0, vocabulary, (40, 8), generator=torch.manual_seed(vocabulary))
    tokens[-1, 3] = tokens[-2, 3]
    assert leaks(embedded(tokens)) == FINE


def test_a_batch_padded_with_a_token_leaks_though_a_full_sequence_ends_in_a_pair() -> None:
    tokens = torch.randint(1, 30, (40, 4), generator=torch.manual_seed(1))
    for batch, length in enumerate([40, 30, 22, 35]):
        tokens[length:, batch] = 0
    tokens[38:, 0] = 3
    assert leaks(embedded(tokens)) == BAD


def test_zeros_that_stand_elsewhere_too_are_no_padding() -> None:
    steps = torch.zeros(40, 6, 3)
    for batch in range(6):
        steps[5 * batch + 3, batch] = 1.0
    assert leaks(steps) == FINE
    levels = torch.randn(8, 4, 3).repeat_interleave(5, dim=0)
    assert leaks(levels) in (FINE, LOOK)


def test_one_padded_sequence_of_several_leaks_where_it_ends_in_zeros() -> None:
    assert leaks(padded([40, 25])) == BAD
    assert leaks(padded([40, 25], 0.5)) == LOOK

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
    assert verdict.next in ("goto 24", "goto 30")


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

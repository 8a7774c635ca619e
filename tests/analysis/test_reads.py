"""What the loss reads: exactly where a gradient comes from outside the recurrence."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstmtui.analysis.reads import reads, reads_summaries, reads_text
from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.layer_function import method
from lstmtui.capture.record import record
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.session.session import Session
from lstmtui.trace import Trace
from lstmtui.view import View


def sizes(trace: Trace, layer: int = 0, direction: str = "forward") -> Any:
    return trace.arrays[f"{layer}/{direction}/reads"]


@pytest.mark.parametrize("way", ["fused", "unrolled"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_it_is_the_gradient_by_the_output_alone(kind: type[nn.RNNBase], way: str) -> None:
    torch.manual_seed(3)
    module, x = kind(2, 3, bidirectional=True).double(), torch.randn(7, 2, 2).double()
    weights = torch.randn(7, 2, 6).double() * (torch.arange(7) % 3 == 0)[:, None, None]
    with method(way):
        trace = record(module, x, loss=lambda result: (result[0] * weights).sum())
    for n, direction in enumerate(("forward", "backward")):
        expected = weights[..., 3 * n : 3 * n + 3].norm(dim=-1).numpy()
        np.testing.assert_allclose(sizes(trace, 0, direction), expected, rtol=1e-12, atol=0)


def test_the_last_states_are_read_at_the_end_of_each_sequence() -> None:
    trace = record(nn.LSTM(2, 3, bidirectional=True), torch.randn(9, 2, 2), lengths=[9, 4])
    assert [np.flatnonzero(row).tolist() for row in sizes(trace).T] == [[8], [3]]
    assert [np.flatnonzero(row).tolist() for row in sizes(trace, 0, "backward").T] == [[0], [0]]


class Chunks(nn.Module):
    """The input in pieces, the state handed on; of some pieces the last output is read."""

    def __init__(
        self, kind: type[nn.RNNBase], sizes: list[int], read: set[int], detached: set[int], layers: int = 2
    ) -> None:
        super().__init__()
        self.rnn, self.sizes, self.read, self.detached = kind(2, 3, layers), sizes, read, detached

    def forward(self, x: Tensor) -> Tensor:
        state: Any = None
        total = torch.zeros(())
        for n, part in enumerate(x.split(self.sizes)):
            if n in self.detached:
                state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            output, state = self.rnn(part, state)
            total = total + (output[-1].sum() if n in self.read else 0)
        return total


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("pieces", [[4, 4, 4], [1, 1, 4], [4, 1, 1], [1, 4, 1]])
def test_of_calls_that_follow_each_other_only_what_is_read_between_them_is(
    kind: type[nn.RNNBase], pieces: list[int]
) -> None:
    for read, detached in product([{0}, {2}, {0, 2}], [set[int](), {1}, {2}, {1, 2}]):
        trace = record(
            Chunks(kind, pieces, read, detached), torch.randn(sum(pieces), 2, 2), loss=lambda total: total
        )
        assert trace.layers[0].calls == 3
        expected = [sum(pieces[: n + 1]) - 1 for n in sorted(read)]
        assert np.flatnonzero(sizes(trace, 1)[:, 0]).tolist() == expected, (read, detached)


class LastOutput(nn.Module):
    """A classifier that reads the output at the last timestep, of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(2, 3, 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0][:, -1]


def test_the_backward_direction_at_the_last_timestep_has_seen_one_input() -> None:
    trace = record(LastOutput(), torch.randn(2, 8, 2), loss=lambda result: result.sum())
    assert reads_text(reads(View.of(trace))) == (
        "the loss reads layer 1 forward at t=7, where it has seen 8 of 8 inputs; "
        "layer 1 backward at t=7, where it has seen 1 of 8 inputs"
    )


def test_print_reads_follows_the_loss_of_a_what_if() -> None:
    trace = record(nn.LSTM(2, 3), torch.randn(8, 1, 2))
    session = Session(trace, RerunEngine())
    execute(session, parse_line("loss at 2"))
    outcome = execute(session, parse_line("print reads"))
    assert outcome.ok
    assert "layer 0 forward at t=2, where it has seen 3 of 8 inputs" in outcome.text


def test_without_derivatives_it_says_why() -> None:
    with pytest.warns(RuntimeWarning, match="no derivatives"):
        trace = record(nn.GRU(2, 3), torch.randn(4, 1, 2), loss=lambda result: result[0].detach().sum())
    outcome = execute(Session(trace), parse_line("print reads"))
    assert not outcome.ok
    assert "the loss has no gradient" in outcome.text


def test_a_few_words_name_the_direction_that_has_seen_least() -> None:
    trace = record(LastOutput(), torch.randn(2, 8, 2), loss=lambda result: result.sum())
    assert reads_summaries(reads(View.of(trace))) == (
        "loss reads t=7 (backward after 1 of 8 inputs)",
        "loss reads t=7",
    )
    assert reads_summaries(reads(View.of(record(nn.GRU(2, 3), torch.randn(4, 1, 2))))) == ("loss reads t=3",)

"""A scenario's sum is of what its label says, in both directions and for sequences of unequal lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lstmtui

INPUT = "[input]\nvalues = [[[1.0], [0.5], [-2.0]], [[0.3], [2.0]]]\n"
MODEL = '[[model]]\ncell = "{}"\nhidden_size = 3\nbidirectional = {}\nnum_layers = 2\n{}'
RUN = '[run]\ndevice = "cpu"\ndtype = "float64"\n'
LENGTHS = np.array([3, 2])


def run(folder: Path, objective: str, cell: str, bidirectional: bool, head: str = "") -> lstmtui.Trace:
    text = INPUT + objective + MODEL.format(cell, str(bidirectional).lower(), head) + RUN
    (folder / "a.toml").write_text(text)
    return lstmtui.run(folder / "a.toml")[cell]


@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_peephole"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("at", ['at = "last"\n', ""])
def test_the_sum_is_of_what_its_label_says(tmp_path: Path, cell: str, bidirectional: bool, at: str) -> None:
    trace = run(tmp_path, '[objective]\nloss = "sum"\n' + at, cell, bidirectional)
    sequences, last = np.arange(2), LENGTHS - 1
    forward = trace.values("h", 1)[last, sequences].sum()
    expected = {
        "sum of h, last timestep": lambda: forward + trace.values("h", 1, "backward")[last, sequences].sum(),
        "sum of the last hidden state, both directions": lambda: (
            forward + trace.values("h", 1, "backward")[0].sum()
        ),
        "sum of the last hidden state": lambda: forward,
    }
    if not bidirectional:
        expected["sum of h, last timestep"] = lambda: forward
    words = trace.header.loss_text
    assert words == ("sum of h, last timestep" if at else list(expected)[2 - bidirectional])
    assert trace.loss == pytest.approx(expected[words](), rel=1e-12)
    if bidirectional:
        reached = np.abs(trace.values("dh", 1, "backward")).sum(-1) > 0
        # Read at its last timestep a sequence has taught the backward direction one timestep.
        ends = np.arange(3)[:, None] == last if at else np.arange(3)[:, None] <= last
        assert np.array_equal(reached, ends)


@pytest.mark.parametrize("objective", ["", '[objective]\nloss = "sum"\nat = "last"\n'])
def test_with_a_head_it_is_of_y_at_the_last_timestep(tmp_path: Path, objective: str) -> None:
    trace = run(tmp_path, objective, "lstm", True, "head = 2\n")
    assert trace.header.loss_text == "sum of y, last timestep"
    assert trace.loss == pytest.approx(trace.values("y")[LENGTHS - 1, [0, 1]].sum(), rel=1e-12)


def test_a_run_again_takes_the_same_loss(tmp_path: Path) -> None:
    from lstmtui.capture.reruns.rerun import rerun

    for at in ('at = "last"\n', ""):
        trace = run(tmp_path, '[objective]\nloss = "sum"\n' + at, "lstm", True)
        again = rerun(trace)
        assert again.loss == pytest.approx(trace.loss, rel=1e-12)
        np.testing.assert_allclose(again.values("dh", 0), trace.values("dh", 0), atol=1e-14)

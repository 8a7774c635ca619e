"""What the Sequence panel is given: signals or tokens, the target and the output."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.analysis.signal import Signal, signal
from lstmtui.session import Session
from lstmtui.view import View


def shown(**options: object) -> Signal:
    """The signal of a synthetic trace from t=1 to t=4."""
    return signal(View.of(synthetic(steps=6, **options)), 1, 5)  # type: ignore[arg-type]


def test_channels_are_lines_with_the_labels_of_the_scenario() -> None:
    trace = synthetic(steps=6, input_size=2, labels=("rain", "wind"))
    given = signal(View.of(trace), 1, 5)
    assert [(line.name, line.quantity) for line in given.lines] == [("rain", "x"), ("wind", "x")]
    assert np.array_equal(given.lines[1].values, trace.values("x")[1:5, 0, 1])
    assert not given.lines[0].absent.any()
    assert given.rows == ()


def test_channels_without_labels_are_numbered() -> None:
    assert [line.name for line in shown(input_size=3).lines] == ["x[0]", "x[1]", "x[2]"]


def test_many_channels_become_their_norm() -> None:
    trace = synthetic(steps=6, input_size=9)
    (line,) = signal(View.of(trace), 0, 6).lines
    assert line.name == "‖x‖ of 9"
    assert line.values == pytest.approx(np.linalg.norm(trace.values("x")[:, 0].astype(float), axis=-1))


def test_target_and_output_are_lines_over_a_signal() -> None:
    y = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    given = shown(extras={"y": y, "target": y + 1, "mask": np.arange(6).reshape(6, 1) > 2})
    assert [line.name for line in given.lines] == ["x[0]", "target", "y"]
    assert given.lines[1].absent.tolist() == [True, True, False, False]
    assert given.lines[2].values.tolist() == [1, 2, 3, 4]


def test_an_output_that_is_only_the_hidden_state_is_left_out() -> None:
    y = np.zeros((6, 1, 16), np.float32)
    assert [line.quantity for line in shown(extras={"y": y}).lines] == ["x"]


def test_past_the_end_of_a_sequence_nothing_is_there() -> None:
    session = Session(synthetic(steps=6, batch=2, lengths=(6, 3)))
    session.select_batch(1)
    assert signal(session.view, 1, 5).lines[0].absent.tolist() == [False, False, True, True]


def test_tokens_targets_and_answers_are_rows_of_labels() -> None:
    tokens = np.array([[0], [1], [2], [1], [0], [1]])
    y = np.eye(3, dtype=np.float32)[tokens[:, 0]][:, None]
    session = Session(
        synthetic(
            steps=6,
            input_size=3,
            lengths=(4,),
            labels=("a", "b"),
            extras={"tokens": tokens, "target": tokens, "y": y},
        )
    )
    given = signal(session.view, 0, 6)
    assert given.lines == ()
    assert [(row.name, row.tokens) for row in given.rows] == [
        (name, ("a", "b", "2", "b", "", "")) for name in ("x", "target", "y")
    ]

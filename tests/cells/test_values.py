"""Values against onnxruntime: every cell, every timestep, on random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.onnx_cells import arrays, random_case, run_onnx, value_gap
from oracles.recurrents import CELL_NAMES, LSTM_NAMES, as_states, gap, noise, random_recurrent, random_states

TOLERANCE = 1e-5


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_states_of_every_timestep_are_those_of_onnxruntime(cell: str, bias: bool, seed: int) -> None:
    assert value_gap(*random_case(cell, seed, bias=bias)) <= TOLERANCE


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_single_timestep_from_zero_states_is_that_of_onnxruntime(cell: str) -> None:
    module, x, hx = random_case(cell, seed=2, steps=1)
    zeros = tuple(torch.zeros_like(s) for s in as_states(hx))
    assert value_gap(module, x, zeros if len(zeros) > 1 else zeros[0]) <= TOLERANCE


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_reversed_sequence_is_onnx_direction_reverse(cell: str) -> None:
    module, x, hx = random_case(cell, seed=3)
    output, state = module(x.flip(0), hx)
    numpy_states = tuple(s.numpy() for s in as_states(hx))
    y, *last = run_onnx(cell, arrays(module.state_dict()), x.numpy(), numpy_states, direction="reverse")
    assert gap(output.flip(0), y[:, 0]) <= TOLERANCE
    for ours, theirs in zip(as_states(state), last, strict=True):
        assert gap(ours, theirs) <= TOLERANCE


@pytest.mark.parametrize("lengths", [None, [5, 2, 4], [1, 6, 6]])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_both_directions_and_sequence_lens_are_those_of_onnxruntime(
    cell: str, lengths: list[int] | None
) -> None:
    module = random_recurrent(cell, dtype=torch.float32, seed=4, bidirectional=True)
    x, hx = noise(6, 3, 3, seed=5, dtype=torch.float32), random_states(module, 3)
    output, state = module(x, hx, None if lengths is None else torch.tensor(lengths))
    given = None if lengths is None else np.array(lengths)
    numpy_states = tuple(s.numpy() for s in as_states(hx))
    y, *last = run_onnx(
        cell, arrays(module.state_dict()), x.numpy(), numpy_states, given, direction="bidirectional"
    )
    assert gap(output, np.concatenate([y[:, 0], y[:, 1]], axis=-1)) <= TOLERANCE
    for ours, theirs in zip(as_states(state), last, strict=True):
        assert gap(ours, theirs) <= TOLERANCE


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_the_judge_sees_every_row_of_every_parameter(cell: str) -> None:
    """An oracle that ignored a weight could not tell when the cell does."""
    module, x, hx = random_case(cell, seed=6)
    states = tuple(s.numpy() for s in as_states(hx))
    given = arrays(module.state_dict())
    before = run_onnx(cell, given, x.numpy(), states)[0]
    for name, values in given.items():
        for row in range(len(values)):
            changed = values.copy()
            changed[row] += 0.1
            after = run_onnx(cell, given | {name: changed}, x.numpy(), states)[0]
            assert np.abs(after - before).max() > 10 * TOLERANCE, f"{name}[{row}]"

"""Where the loss is taken and what it compares: every objective, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

VALUES = "[input]\nvalues = [[1, 10], [2, 20], [3, 30], [4, 40]]\n"
RAGGED = "[input]\nvalues = [[[1], [2], [3]], [[5], [6]]]\n"
TOKENS = "[input]\ntokens = [[1, 2, 0], [2, 1]]\n"


def _model(outputs: int) -> str:
    return f'\n[[model]]\ncell = "lstm"\nhidden_size = 4\nhead = {outputs}\n'


def test_without_an_objective_it_is_the_sum_of_the_last_hidden_state_of_each_sequence(
    load: Callable[..., Any],
) -> None:
    objective = load(RAGGED).objective
    assert (objective.loss, objective.at, objective.target) == ("sum", "last_hidden", None)
    np.testing.assert_array_equal(objective.mask, [[False, False], [False, True], [True, False]])


def test_sum_at_a_timestep(load: Callable[..., Any]) -> None:
    objective = load(RAGGED + "[objective]\nat = 2").objective
    np.testing.assert_array_equal(objective.mask, [[False, False], [False, False], [True, False]])


def test_sum_at_every_timestep_leaves_out_padding(load: Callable[..., Any]) -> None:
    objective = load(RAGGED + '[objective]\nloss = "sum"\nat = "every"').objective
    np.testing.assert_array_equal(objective.mask, [[True, True], [True, True], [True, False]])


def test_next_value_is_the_target_of_all_but_the_last_timestep(load: Callable[..., Any]) -> None:
    scenario = load(RAGGED + '[objective]\nloss = "mse"\ntarget = "next"', _model(1))
    objective = scenario.objective
    assert objective.at == "every"
    np.testing.assert_array_equal(objective.mask, [[True, True], [True, False], [False, False]])
    np.testing.assert_array_equal(objective.target[:2, 0, 0], [2, 3])
    assert objective.target[0, 1, 0] == 6
    assert scenario.input.steps == 3


def test_next_value_is_normalised_like_the_input(load: Callable[..., Any]) -> None:
    text = '[input]\nvalues = [0, 5, 10]\nnormalize = "minmax"\n[objective]\nloss = "mse"\ntarget = "next"'
    np.testing.assert_array_equal(load(text, _model(1)).objective.target[:2, 0, 0], [0.5, 1])


def test_next_token_is_an_id(load: Callable[..., Any]) -> None:
    objective = load(TOKENS + '[objective]\nloss = "cross_entropy"\ntarget = "next"', _model(3)).objective
    assert objective.target.dtype == np.int64
    np.testing.assert_array_equal(objective.target[:2, 0], [2, 0])
    np.testing.assert_array_equal(objective.mask, [[True, True], [True, False], [False, False]])


@pytest.mark.parametrize(
    ("loss", "target", "expected"),
    [
        ("mse", "[1, 2, 3, 4]", np.array([1, 2, 3, 4.0])[:, None, None]),
        ("mse", "[[1, 5], [2, 6], [3, 7], [4, 8]]", np.array([[1, 5], [2, 6], [3, 7], [4, 8.0]])[:, None]),
        ("mse", "[[[1], [2], [3], [4]]]", np.array([1, 2, 3, 4.0])[:, None, None]),
        ("mse", "0.5", np.full((4, 1, 1), 0.5)),
        ("bce", "[0, 1, 0, 1]", np.array([0, 1, 0, 1.0])[:, None, None]),
        ("cross_entropy", "[0, 1, 0, 1]", np.array([[0], [1], [0], [1]])),
        ("cross_entropy", "[[0, 1, 0, 1]]", np.array([[0], [1], [0], [1]])),
        ("cross_entropy", "1", np.ones((4, 1))),
    ],
)
def test_inline_targets_at_every_timestep(
    load: Callable[..., Any], loss: str, target: str, expected: Any
) -> None:
    outputs = 2 if loss == "cross_entropy" else expected.shape[-1]
    text = f'{VALUES}[objective]\nloss = "{loss}"\ntarget = {target}'
    objective = load(text, _model(outputs)).objective
    np.testing.assert_array_equal(objective.target, expected)
    assert objective.mask.all()
    assert objective.target.dtype == (np.int64 if loss == "cross_entropy" else np.float64)


@pytest.mark.parametrize(
    ("loss", "target", "outputs", "expected"),
    [("mse", "[1, 2]", 2, [1, 2]), ("mse", "[[1, 2]]", 2, [1, 2]), ("cross_entropy", "[1]", 2, 1)],
)
def test_targets_for_one_timestep_alone(
    load: Callable[..., Any], loss: str, target: str, outputs: int, expected: Any
) -> None:
    text = f'{VALUES}[objective]\nloss = "{loss}"\nat = 2\ntarget = {target}'
    objective = load(text, _model(outputs)).objective
    np.testing.assert_array_equal(objective.target[2, 0], expected)
    np.testing.assert_array_equal(objective.mask[:, 0], [False, False, True, False])


def test_target_with_the_lengths_of_the_input(load: Callable[..., Any]) -> None:
    text = RAGGED + '[objective]\nloss = "mse"\ntarget = [[[7], [8], [9]], [[1], [2]]]'
    objective = load(text, _model(1)).objective
    np.testing.assert_array_equal(objective.target[:, 1, 0], [1, 2, 0])
    np.testing.assert_array_equal(objective.mask[:, 1], [True, True, False])


def test_target_from_a_file(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n5,6\n7,8\n")
    text = VALUES + '[objective]\nloss = "mse"\ntarget = { file = "t.csv", columns = ["b"] }'
    np.testing.assert_array_equal(load(text, _model(1)).objective.target[:, 0, 0], [2, 4, 6, 8])
    np.savez(tmp_path / "t.npz", ids=np.array([0, 1, 2, 1]), other=np.zeros(1))
    text = VALUES + '[objective]\nloss = "cross_entropy"\ntarget = { file = "t.npz", array = "ids" }'
    np.testing.assert_array_equal(load(text, _model(3)).objective.target[:, 0], [0, 1, 2, 1])


def test_task_brings_its_own_objective(load: Callable[..., Any]) -> None:
    objective = load('[input]\ntask = "latch"\nlength = 5\nbatch = 3', _model(1)).objective
    assert (objective.loss, objective.at) == ("bce", "last")
    np.testing.assert_array_equal(objective.mask, [[False] * 3] * 4 + [[True] * 3])


def test_file_can_change_the_objective_of_a_task(load: Callable[..., Any]) -> None:
    text = '[input]\ntask = "latch"\nlength = 5\n[objective]\nloss = "mse"\nat = "every"'
    objective = load(text, _model(1)).objective
    assert (objective.loss, objective.at, objective.mask.all()) == ("mse", "every", True)
    objective = load('[input]\ntask = "copy"\n[objective]\nloss = "sum"\nat = 7').objective
    assert objective.target is None
    assert objective.mask.sum() == 1


@pytest.mark.parametrize(
    ("objective", "outputs", "said"),
    [
        ('loss = "mse"', 1, "4: objective.loss: mse needs a target; say target"),
        (
            'target = "next"',
            2,
            "3: objective.loss: is missing, although there is a target; allowed: mse, cross_entropy",
        ),
        ('loss = "sum"\ntarget = "next"', 2, "5: objective.target: the sum is not compared with a target"),
        ('loss = "mse"\ntarget = "nxt"', 2, "5: objective.target: is 'nxt'; allowed: \"next\", values"),
        ('loss = "mse"\ntarget = true', 2, "5: objective.target: is true; allowed"),
        ('loss = "mse"\ntarget = {}', 2, "5: objective.target: names no file; allowed"),
        ('loss = "mse"\ntarget = { fil = "a" }', 2, "5: objective.target.fil: unknown key; allowed: file"),
        ('loss = "mse"\ntarget = { file = "a.npy" }', 2, "5: objective.target: no such file: "),
        ('loss = "mse"\ntarget = []', 2, "5: objective.target: is an empty list"),
        ('loss = "mse"\ntarget = [1, 2, 3]', 1, "5: objective.target: has shape (3,); allowed: (4, 1, O)"),
        ('loss = "mse"\ntarget = "next"\nat = "last"', 2, "6: objective.at: no sequence has a target there"),
        (
            'loss = "mse"\ntarget = "next"\nat = 4',
            2,
            "6: objective.at: there is no timestep 4; allowed: 0 to 3",
        ),
        ('loss = "mse"\ntarget = "next"\nat = -1', 2, "6: objective.at: there is no timestep -1"),
        ('loss = "mse"\ntarget = "next"\nat = 1.5', 2, "6: objective.at: is 1.5; allowed"),
        ('loss = "cross_entropy"\ntarget = "next"', 2, "5: objective.target: the next value is not an id"),
        (
            'loss = "cross_entropy"\ntarget = [0, 1.5, 1, 1]',
            2,
            "5: objective.target[1]: must be a whole number",
        ),
        (
            'loss = "cross_entropy"\ntarget = [0, 1, 2, 5]',
            3,
            "9: model[0].head: y has 3 values and the target",
        ),
        (
            'loss = "bce"\ntarget = [0, 1, 2, 1]',
            1,
            "5: objective.target: bce compares with values from 0 to 1",
        ),
        (
            'loss = "mse"\ntarget = "next"',
            3,
            "9: model[0].head: y has 3 values and the target 2; say head = 2",
        ),
    ],
)
def test_mistaken_objective_is_said_in_a_sentence(
    problem: Callable[..., str], objective: str, outputs: int, said: str
) -> None:
    assert problem(f"{VALUES}[objective]\n{objective}", _model(outputs)).startswith(said)


def test_next_token_needs_an_output_for_each_token(problem: Callable[..., str]) -> None:
    text = TOKENS + 'vocabulary_size = 9\n[objective]\nloss = "cross_entropy"\ntarget = "next"'
    assert "model[0].head: y has 8 values" in problem(text, _model(8))
    assert "say head = 9 or more" in problem(text, _model(8))


def test_targets_as_long_as_the_input(problem: Callable[..., str]) -> None:
    text = RAGGED + '[objective]\nloss = "mse"\ntarget = [[[7], [8], [9]], [[1], [2], [3]]]'
    assert "5: objective.target: its sequences are not as long" in problem(text, _model(1))

"""What each task asks, checked by reading its sequences as a person would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.scenario.tasks import TASKS, make_task


def _draw(name: str, **keys: Any) -> Any:
    return make_task(name, **keys)


@pytest.mark.parametrize("name", TASKS)
def test_same_seed_gives_the_same_arrays_and_another_seed_others(name: str) -> None:
    one, same, other = (_draw(name, length=40, batch=3, seed=seed) for seed in (4, 4, 5))
    data, again, different = (d.values if d.tokens is None else d.tokens for d in (one, same, other))
    np.testing.assert_array_equal(data, again)
    np.testing.assert_array_equal(one.target, same.target)
    assert (data != different).any()


@pytest.mark.parametrize("name", TASKS)
def test_every_task_fits_its_shapes(name: str) -> None:
    data = _draw(name, length=40, batch=3, seed=0)
    assert (data.values is None) != (data.tokens is None)
    assert data.target.shape[:2] == data.mask.shape == (40, 3)
    assert data.mask.any()
    if data.tokens is not None:
        assert data.tokens.dtype == np.int64
        assert 0 <= data.tokens.min() <= data.tokens.max() < len(data.labels)
    else:
        assert data.values.shape == (40, 3, len(data.labels))


def test_latch_shows_the_bit_once_and_asks_for_it_at_the_end() -> None:
    data = _draw("latch", length=30, batch=64, seed=1)
    bit = data.values[0, :, 0]
    assert set(bit) == {-1.0, 1.0}
    assert not data.values[1:, :, 0].any()
    assert (data.values[1:, :, 1] != 0).all()
    np.testing.assert_array_equal(data.target[-1, :, 0], (bit + 1) / 2)
    np.testing.assert_array_equal(np.flatnonzero(data.mask.any(axis=1)), [29])
    assert abs(np.corrcoef(data.values[1:, :, 1].mean(axis=0), bit)[0, 1]) < 0.4


def test_latch_noise_has_the_deviation_asked_for() -> None:
    data = _draw("latch", length=2000, batch=2, seed=1, noise=2.0, distractors=0.0)
    assert data.values[1:, :, 1].std() == pytest.approx(2.0, rel=0.05)
    quiet = _draw("latch", length=2000, batch=2, seed=1, noise=0.0, distractors=0.25)
    assert set(np.unique(quiet.values[1:, :, 1])) == {-1.0, 0.0, 1.0}
    assert (quiet.values[1:, :, 1] != 0).mean() == pytest.approx(0.25, abs=0.03)


def test_adding_asks_for_the_sum_of_the_two_marked_numbers() -> None:
    data = _draw("adding", length=21, batch=50, seed=2)
    for sequence in range(50):
        numbers, marker = data.values[:, sequence].T
        first, second = np.flatnonzero(marker)
        assert first < 10 <= second
        assert data.target[-1, sequence, 0] == pytest.approx(numbers[first] + numbers[second])
    np.testing.assert_array_equal(np.flatnonzero(data.mask.any(axis=1)), [20])


def test_copy_asks_for_the_symbols_after_the_go_marker() -> None:
    data = _draw("copy", length=20, batch=4, seed=3, symbols=5, recall=3)
    for sequence in range(4):
        text = "".join(data.labels[token] for token in data.tokens[:, sequence])
        assert text[3:] == "_" * 13 + ">" + "___"
        asked = "".join(data.labels[i] for i in data.target[data.mask[:, sequence], sequence])
        assert asked == text[:3]
        assert set(asked) <= set("abcde")


def test_brackets_are_well_nested_and_the_target_is_the_depth() -> None:
    data = _draw("brackets", length=80, batch=20, seed=4, max_depth=4)
    kinds = set()
    for sequence in range(20):
        opened: list[str] = []
        for step in range(80):
            character = data.labels[data.tokens[step, sequence]]
            if character in "([":
                opened.append(character)
            elif character in ")]":
                kinds.add(opened.pop() + character)
            assert data.target[step, sequence, 0] == len(opened)
        assert opened == []
    assert kinds == {"()", "[]"}
    assert data.target.max() == 4
    assert data.mask.all()


def test_sine_asks_for_the_next_value() -> None:
    data = _draw("sine", length=50, batch=2, seed=5, period=10.0)
    np.testing.assert_allclose(data.target[:-1], data.values[1:], atol=1e-12)
    np.testing.assert_allclose(data.values[10:, :, 0], data.values[:-10, :, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lach", {}, "there is no task 'lach'; allowed: latch, adding, copy, brackets, sine; did you mean"),
        ("latch", {"nois": 1}, "latch has no option 'nois'"),
        ("latch", {"noise": -1}, "noise must lie between 0 and 100"),
        ("copy", {"recall": 30}, "copy needs 61 timesteps or more"),
    ],
)
def test_impossible_task_is_said_in_a_sentence(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_task(name, length=40, batch=1, seed=0, **options)

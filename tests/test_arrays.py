"""Norms are right for numbers of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstmtui.arrays import RootMeanSquare, norm
from lstmtui.trace.summaries import extent_of, norms_of

SIZES = (5e-324, 1e-310, 1e-200, 1e-154, 1e-140, 1.0, 1e140, 1e154, 1e200, 1e307)


@pytest.mark.parametrize("size", SIZES)
def test_a_norm_is_that_of_the_same_numbers_in_another_unit(size: float) -> None:
    assert norm(np.array([3.0, 4.0, 0.0]) * size) == pytest.approx(5 * size, rel=1e-15, abs=0)
    assert norms_of(np.full((3, 2, 4), size)) == pytest.approx(np.full((3, 2), 2 * size), rel=1e-15, abs=0)
    assert extent_of(np.array([[3.0, -4.0]]) * size).rms == pytest.approx(
        math.sqrt(12.5) * size, rel=1e-15, abs=5e-324
    )


def test_each_vector_of_many_has_the_norm_it_has_alone() -> None:
    noise = np.random.default_rng(0)
    values = noise.normal(size=(40, 3, 7)) * 10.0 ** noise.integers(-300, 300, (40, 3, 1))
    together = norm(values)
    assert np.array_equal(together, [[norm(vector) for vector in row] for row in values])
    assert np.array_equal(norm(np.asfortranarray(values)), together)
    exact = [[math.hypot(*vector) for vector in row] for row in values.tolist()]
    assert together == pytest.approx(np.array(exact), rel=1e-15, abs=0)


def test_a_norm_says_what_is_no_number() -> None:
    values = np.array([[0.0, 0.0], [np.inf, 1.0], [-np.inf, 1e200], [np.nan, 1.0], [np.nan, np.inf]])
    assert np.array_equal(norm(values), [0.0, np.inf, np.inf, np.nan, np.nan], equal_nan=True)
    assert norm(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    assert norm(np.array([1e38, 1e38], np.float32)) == pytest.approx(math.sqrt(2) * 1e38, rel=1e-6)


def test_a_root_mean_square_adds_up_blocks() -> None:
    rms = RootMeanSquare()
    assert rms.result == 0
    for block in (np.array([3e-200]), np.array([[4e-200, 0.0], [0.0, 0.0]])):
        rms.add(block)
    assert rms.result == pytest.approx(5e-200 / math.sqrt(5), rel=1e-15)

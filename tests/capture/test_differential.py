"""Recordings of random configurations are as right as plain loops: everywhere, relative to what is there."""

from __future__ import annotations

import pytest
from oracles.differential import failures
from oracles.random_layers import drawn

GROUPS = 10
EACH = 20


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_error_is_ten_times_that_of_a_plain_loop(group: int) -> None:
    for seed in range(group * EACH, (group + 1) * EACH):
        assert not list(failures(drawn(seed))), drawn(seed)

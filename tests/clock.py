"""A plugin of pytest: tests that look at the clock, and machines that do other things as well.

A test that asserts how long something takes is marked `clock`. Beside other tests (`-n auto`) it is left out,
since it would fail for what they do; where only part of it is about time, it takes the fixture `within`
instead of looking itself, and stays with ten times the patience. `pytest -m clock` runs all of them alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic

import pytest

IS_CROWDED = "PYTEST_XDIST_WORKER" in os.environ
PATIENCE = 10 if IS_CROWDED else 1

Within = Callable[[float], AbstractContextManager[None]]


@pytest.fixture
def within() -> Within:
    """`with within(2):` a block that takes at most two seconds."""
    return _within


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    begun = monotonic()
    yield
    assert monotonic() - begun < seconds * PATIENCE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not IS_CROWDED or config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("clock") and not _is_patient(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_patient(item: pytest.Item) -> bool:
    return "within" in getattr(item, "fixturenames", ())

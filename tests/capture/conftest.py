"""One seed for every test, and the methods of recording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lstmtui.capture.layer_function import METHODS, method


@pytest.fixture(autouse=True)
def _reproducible() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=METHODS)
def each_method(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once with the stock kernels, where there are any, and once step by step."""
    with method(request.param):
        yield request.param


@pytest.fixture
def step_by_step() -> Iterator[None]:
    """The test is about bits, which the stock kernels and the equations share but to rounding."""
    with method("unrolled"):
        yield

"""The bundled scenarios, each recorded once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import lstmtui
from lstmtui.trace import Traces

FOLDER = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Traces]:
    """The traces of a bundled scenario by its name, on the CPU."""
    return cache(lambda name: lstmtui.run(FOLDER / f"{name}.toml", device="cpu"))

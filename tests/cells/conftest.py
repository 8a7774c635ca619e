"""One seed for every test."""

from __future__ import annotations

import pytest

from lstmtui.models.seeding import seed_all_devices


@pytest.fixture(autouse=True)
def _reproducible() -> None:
    seed_all_devices(0)

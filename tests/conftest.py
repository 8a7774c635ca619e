"""What all tests share: one thread for torch, here and in what they start, and no waiting for a disk."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["clock", "without_torch"]

# Torch reads it when it is imported; more threads only spin beside other tests, and give other last digits.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a process that is killed shows what has reached the disk; those are started anew."""
    monkeypatch.setattr(os, "fsync", lambda number: None)

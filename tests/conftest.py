"""What all tests share, also in what they start: one thread for torch, no waiting for a disk, bytecode."""

from __future__ import annotations

import os
import sys
import traceback

import pytest

pytest_plugins = ["clock", "without_torch"]

# Torch reads it when it is imported; more threads only spin beside other tests, and give other last digits.
os.environ["OMP_NUM_THREADS"] = "1"

# Without it each of hundreds of processes that are started would compile all of lstmtui anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True)
def _no_stacks_for_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.manual_seed` keeps the text of the stack for each, which takes longer than a small model."""
    monkeypatch.setattr(traceback, "format_stack", lambda *_: [])


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a process that is killed shows what has reached the disk; those are started anew."""
    monkeypatch.setattr(os, "fsync", lambda number: None)

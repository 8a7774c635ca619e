"""The byte budget: what a step, a page and the opening cost on a slow link."""

from __future__ import annotations

from statistics import median

import pytest
from synthetic import synthetic

from lstmtui.tui.screens.debugger import DebuggerScreen

STEP, OPENING = 4_000, 300_000
"""Bytes; a step is to stay below 6 kB, which leaves room for what is yet to come."""


@pytest.mark.parametrize("steps", [1_000, 100_000])
async def test_a_step_and_the_opening_stay_within_the_budget(steps: int, debugger, capture_driver) -> None:
    """120×40, truecolor, H = 64, every panel; measured: 2.8 kB a step, 36 kB to open."""
    async with debugger(synthetic("lstm", steps, 64), (120, 40)) as pilot:
        assert len(capture_driver.taken().encode()) <= OPENING
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        assert sum(panel.on_screen for panel in screen.panels.values()) == 9
        costs = []
        for _ in range(21):
            screen.run_text("step 1")
            await pilot.pause()
            costs.append(len(capture_driver.taken().encode()))
        assert min(costs) > 0
        assert median(costs) <= STEP


async def test_into_and_the_next_unit_stay_within_the_budget(debugger, capture_driver) -> None:
    async with debugger(synthetic("lstm", 1_000, 64), (120, 40)) as pilot:
        for action in (lambda: pilot.app.screen.run_text("into"), lambda: pilot.app.screen.action_unit(1)):
            action()
            await pilot.pause()
            capture_driver.taken()
            action()
            await pilot.pause()
            assert 0 < len(capture_driver.taken().encode()) <= STEP

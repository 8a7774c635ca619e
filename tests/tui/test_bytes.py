"""The byte budget: what a step, a page and the opening cost on a slow link."""

from __future__ import annotations

from statistics import median

import pytest
from keyboard import step_costs
from synthetic import synthetic

from lstmtui.tui.screens.debugger import DebuggerScreen

STEP = {"truecolor": 2_000, "256": 1_800, "16": 1_500, "none": 1_400}
"""Bytes; promised are 4 kB in truecolor and 2 kB in 256 colours."""
OPENING = 60_000
"""Bytes; promised are 300 kB."""


@pytest.mark.parametrize(
    ("depth", "steps"),
    [("truecolor", 1_000), ("truecolor", 100_000), ("256", 1_000), ("16", 1_000), ("none", 1_000)],
)
async def test_a_step_and_the_opening_stay_within_the_budget(
    depth: str, steps: int, debugger, capture_driver, colours
) -> None:
    """120×40, H = 64, every panel; measured: 1.3 kB a step in truecolor and in 256, 18 kB to open."""
    colours(depth)
    async with debugger(synthetic("lstm", steps, 64), (120, 40)) as pilot:
        assert len(capture_driver.taken().encode()) <= OPENING
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        assert sum(panel.on_screen for panel in screen.panels.values()) == 9
        costs = await step_costs(pilot, capture_driver)
        assert min(costs) > 0
        assert median(costs) <= STEP[depth]


async def test_into_and_the_next_unit_stay_within_the_budget(debugger, capture_driver) -> None:
    async with debugger(synthetic("lstm", 1_000, 64), (120, 40)) as pilot:
        for action in (
            lambda: pilot.app.screen.run_text("into"),
            lambda: pilot.app.screen.action_select("unit", 1),
        ):
            action()
            await pilot.pause()
            capture_driver.taken()
            action()
            await pilot.pause()
            assert 0 < len(capture_driver.taken().encode()) <= STEP["truecolor"]

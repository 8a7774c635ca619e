"""The Step panel with all of the screen: down to the weights."""

from __future__ import annotations

from keyboard import press
from synthetic import synthetic


async def test_the_step_panel_opens_them_when_it_has_the_screen(debugger, shown) -> None:
    async with debugger(synthetic("lstm"), (80, 24)) as pilot:
        assert "6 products, largest first" not in shown(pilot)
        await press(pilot, "5", "z", "down")
        text = shown(pilot)
        assert "W_f[0, 0]·x[0] = " in text
        assert "6 products, largest first" in text
        await press(pilot, "z")
        assert "W_f[0, 0]·x[0]" not in shown(pilot)

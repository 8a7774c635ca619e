"""The Step panel with all of the screen: down to the weights."""

from __future__ import annotations

from keyboard import press
from synthetic import synthetic

from lstmtui.cells.notation import UNICODE


async def test_the_step_panel_opens_them_when_it_has_the_screen(debugger, shown) -> None:
    async with debugger(synthetic("lstm"), (80, 24)) as pilot:
        assert "6 products, largest first" not in shown(pilot)
        await press(pilot, "5", "z", "down")
        text = shown(pilot)
        assert "W_f[0, 0]·x[0] = " in text
        assert "6 products, largest first" in text
        await press(pilot, "z")
        assert "W_f[0, 0]·x[0]" not in shown(pilot)


async def test_a_panel_without_room_for_long_equations_still_says_what_they_give(debugger, shown) -> None:
    async with debugger(synthetic("gru"), (70, 24)) as pilot:
        for t in range(6):
            await press(pilot, *(["right"] if t else []))
            h = UNICODE.number(float(pilot.app.screen.session.trace.values("h")[t, 0, 0]))
            *_, row = (row for row in shown(pilot).splitlines() if row.startswith("│h"))
            assert row.split("│")[1].rstrip().endswith(f" + … = {h}")

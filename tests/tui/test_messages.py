"""Messages can be read again."""

from __future__ import annotations

import pytest
from keyboard import press, type_text
from synthetic import synthetic

from lstmtui.tui.screens import messages
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.messages import MessagesScreen


def lines(screen: MessagesScreen) -> list[str]:
    return ["".join(text for text, _ in line) for line in screen.text._lines]


async def test_messages_stand_in_order_with_their_timesteps_and_can_be_filtered(debugger, shown) -> None:
    async with debugger(synthetic(steps=30), (80, 24)) as pilot:
        await press(pilot, "H")
        assert lines(pilot.app.screen) == ["nothing has been said yet"]
        await press(pilot, "escape")
        await type_text(pilot, ":goto 7\n:print t\n:unit 2\n:unit 99\n")
        await press(pilot, "escape")
        await type_text(pilot, ":messages\n")
        assert isinstance(pilot.app.screen, MessagesScreen)
        said = lines(pilot.app.screen)
        assert [line.split()[0] for line in said] == ["t=7"] * 3
        assert said[0].endswith("t = 7 at t=7")
        assert said[1].endswith("unit 2")
        assert "unit 99: this layer has units" in said[2]
        await type_text(pilot, "/unit thi\n")
        assert lines(pilot.app.screen) == said[2:]
        await press(pilot, "escape")
        assert lines(pilot.app.screen) == said
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_the_newest_of_many_is_in_sight_and_the_oldest_are_forgotten(
    debugger, shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_MESSAGES", 100)
    async with debugger(synthetic(), (80, 24)) as pilot:
        for number in range(100 + 3):
            pilot.app.screen.run_text(f"print {number}")
        await press(pilot, "H")
        assert " 102 = " in shown(pilot)
        await press(pilot, "home")
        assert " 3 = " in shown(pilot)
        assert " 2 = " not in shown(pilot)

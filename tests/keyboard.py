"""Keys for an app under test, without the pauses of Textual's pilot (62 ms a key)."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

_CHARACTERS = {
    "space": " ",
    "minus": "-",
    "plus": "+",
    "equals_sign": "=",
    "question_mark": "?",
    "circumflex_accent": "^",
    "dollar_sign": "$",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys by Textual's names, one after another, and let the app do what they ask for."""
    for key in keys:
        driver = pilot.app._driver
        assert driver is not None
        event = Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None))
        event.set_sender(pilot.app)
        driver.send_message(event)
        await settle()
        await pilot.pause()
        await settle()


def send(pilot: Pilot[None], text: str) -> None:
    """Send every character of a text at once, as a terminal does with what was typed ahead; \\n is Enter."""
    driver = pilot.app._driver
    assert driver is not None
    for character in text:
        name = {"\n": "enter", "\t": "tab", "\x1b": "escape"}.get(character)
        event = Key(name or _character_to_key(character), None if name else character)
        event.set_sender(pilot.app)
        driver.send_message(event)


async def type_text(pilot: Pilot[None], text: str) -> None:
    """Type a text ahead, and wait until all of it has been taken."""
    send(pilot, text)
    await settle()
    while not pilot.app._message_queue.empty():
        await settle()
    await pilot.pause()


async def step_costs(pilot: Pilot[None], driver: Any, steps: int = 11) -> list[int]:
    """Bytes that each of so many steps writes; `driver` is the fixture `capture_driver`."""
    costs = []
    for _ in range(steps):
        pilot.app.screen.run_text("step 1")  # type: ignore[attr-defined]
        await pilot.pause()
        costs.append(len(driver.taken().encode()))
    return costs


async def settle() -> None:
    """Let every message that is under way arrive, and the screen be drawn."""
    for _ in range(2):
        for _ in range(40):
            await asyncio.sleep(0)
        await asyncio.sleep(0.004)

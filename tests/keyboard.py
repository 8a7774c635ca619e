"""Keys for an app under test, and waiting until it has done what they ask for.

Textual's pilot sends a message through every widget, and waits until the process is idle for 20 ms, which is
long on a machine that does nothing else and too short on one that does: here an app has settled when its
event loop has nothing left to run.
"""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

from textual.app import ScreenStackError
from textual.events import Key
from textual.keys import _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.screen import Screen

LONGEST = 1.0
"""Seconds after which an event loop that never rests, as of a program that plays, is let be."""
_DRAWINGS = 5
"""How often a screen is drawn anew that asks for it each time, until it is let be."""


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys by Textual's names, one after another, and let the app do what they ask for."""
    for key in keys:
        driver = pilot.app._driver
        assert driver is not None
        name = key if len(key) > 1 or key.isalnum() else _character_to_key(key)
        try:
            character = unicodedata.lookup(_get_unicode_name_from_key(name))
        except KeyError:
            character = key if len(key) == 1 else None
        event = Key(name, character)
        event.set_sender(pilot.app)
        driver.send_message(event)
        await pause(pilot)


async def pause(pilot: Pilot[None], delay: float | None = None) -> None:
    """Wait for so many seconds, or until the app has done all that it was asked for, and has drawn it."""
    if delay is not None:
        await asyncio.sleep(delay)
    elif not await settle():
        await pilot._wait_for_screen()
    while pilot.app._resize_timer is not None:  # Textual has the last of several sizes drawn, a little later.
        await asyncio.sleep(0.002)
    try:
        screen = pilot.app.screen
    except ScreenStackError:  # it has ended
        return
    for _ in range(_DRAWINGS):
        screen._on_timer_update()
        await settle()
        if not _is_undrawn(screen):
            return


def _is_undrawn(screen: Screen[Any]) -> bool:
    """Whether Textual will draw again with its next tick: what it has laid out may ask for another layout."""
    needs = screen._layout_required, screen._scroll_required, screen._repaint_required, screen._dirty_widgets
    return any(needs)


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


async def settle() -> bool:
    """Let every message that is under way arrive, also from threads that answer at once; whether all have."""
    loop = asyncio.get_running_loop()
    end, rests = loop.time() + LONGEST, 0
    while rests < 3 and loop.time() < end:
        await asyncio.sleep(0.001 if rests == 1 else 0)
        rests = 0 if loop._ready else rests + 1  # type: ignore[attr-defined]
    return rests >= 3

"""With `--ascii` nothing else reaches the terminal, whatever is typed; what is typed stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import synthetic

from lstmtui.trace import Traces
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.laws import LawsScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look


@pytest.mark.parametrize("switch", ["0", "1"])
async def test_nothing_but_ascii_is_written(switch: str, debugger, capture_driver, monkeypatch) -> None:
    monkeypatch.setenv("LSTMTUI_DIFFERENCE", switch)
    traces = Traces({"größe 漢": synthetic("gru", 40, 6, title="Zeit 時間", notes="# Größe\n\n漢字 🙂")})
    typed = "note größe 漢🙂"
    async with debugger(traces, ascii=True) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        screen.action_command(typed)
        await pilot.pause()
        shown = "".join(segment.text for segment in screen.command_line.input.render_line(0))
        assert shown.rstrip() == "note gr??e ????"
        assert screen.command_line.input.value == typed
        screen.command_line.enter()
        for act in (
            lambda: screen.run_text("watch 漢"),
            lambda: screen.run_text("into"),
            lambda: screen.action_panel(8),
            screen.action_copy,
            screen.app.action_help,
        ):
            act()
            await pilot.pause()
        assert {c for c in capture_driver.taken() if not c.isascii()} == set()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=str)
async def test_dialogs_write_nothing_but_ascii(size: tuple[int, int], debugger, shown) -> None:
    async with debugger(synthetic(), size, ascii=True) as pilot:
        for act in (
            lambda: pilot.app.screen.run_text("why"),  # type: ignore[attr-defined]
            lambda: pilot.app.screen.run_text("jacobian map"),  # type: ignore[attr-defined]
            lambda: pilot.app.screen.run_text("help verbs"),  # type: ignore[attr-defined]
            lambda: pilot.app.screen.run_text("help"),  # type: ignore[attr-defined]
            lambda: pilot.app.screen.run_text("messages"),  # type: ignore[attr-defined]
            lambda: pilot.app.push_screen(LawsScreen(Look(ascii=True), "größe", ())),
            lambda: pilot.app.push_screen(
                PickerScreen([Choice(Path("a.toml"), "größe", notes=lambda: "# – 漢")], Look(ascii=True))
            ),
        ):
            act()
            await pilot.pause()
            assert not isinstance(pilot.app.screen, DebuggerScreen)
            assert shown(pilot).isascii()
            await pilot.press("escape")

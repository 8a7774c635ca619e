"""With `--ascii` nothing else reaches the terminal, whatever is typed; what is typed stays as it is."""

from __future__ import annotations

import pytest
from synthetic import synthetic

from lstmtui.trace import Traces
from lstmtui.tui.screens.debugger import DebuggerScreen


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

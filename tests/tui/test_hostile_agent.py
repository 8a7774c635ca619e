"""An agent that lies, and a trace made to hurt: the screen says so, stays, and answers its keys."""

from __future__ import annotations

import asyncio
import functools
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from clock import Within
from keyboard import press, settle
from remote.hostile import LyingLink
from remote.pairs import connected
from remote_backends import Echo
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.analysis.diagnosis import Verdict
from lstmtui.remote.wire.messages import Open
from lstmtui.trace import Traces
from lstmtui.tui.panels.diagnosis import DiagnosisPanel
from lstmtui.tui.panels.notes import is_simple
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Opening, Start
from lstmtui.view import Query

LINES = (
    *(
        "step",
        "goto 7",
        "model b",
        "layer 1",
        "direction backward",
        "watch norm(c)",
        "break when min(h) < 0.1",
    ),
    *("continue", "print h", "into", "compare a", "compare none", "first-bad", "last"),
)
_OURS = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z@]|\[[<>=?]?[0-9;$]*[uqpt]|\]22;[a-z]*\x07)")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path / "state"))
    options: dict[str, Any] = {
        "title": "title",
        "notes": "# notes\n\n- one",
        "labels": ("x",),
        "script": "step",
    }
    a = synthetic("lstm", 40, 6, layers=2, bidirectional=True, name="a", **options)
    Traces({"a": a, "b": synthetic("gru", 40, 5, layers=2, bidirectional=True, name="b", **options)}).save(
        tmp_path / "t"
    )
    return tmp_path / "t"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers that are lies overflow
@pytest.mark.parametrize(
    ("seed", "share", "texts", "size"),
    [(1, 0.02, False, (80, 24)), (3, 0.3, True, (120, 40))],
)
async def test_lies_are_sentences(
    seed: int, share: float, texts: bool, size: tuple[int, int], saved: Path, debugger, capture_driver
) -> None:
    with connected(LyingLink(seed, share, texts=texts)) as client:
        client.impatient = threading.get_ident()
        target = Open(str(saved))
        opening = Opening("t", functools.partial(client.open, target))
        start = Start(opening=opening, engine=client, backend=client)
        async with debugger(start, size) as pilot:
            screen = await opened(pilot)
            for line in LINES:
                screen.run_text(line)
                async with asyncio.timeout(60):
                    while screen.runner.running is not None:
                        await settle()
                await pilot.pause()
            for number in screen.panels:
                screen.action_panel(number)
                await pilot.pause()
            screen.action_zoom()
            await press(pilot, "g", "1", "enter")
            assert screen.session.cursor.t == 1
            output = capture_driver.taken()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", _OURS.sub("", output))


async def opened(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen, waited for."""
    async with asyncio.timeout(60):
        while not isinstance(pilot.app.screen, DebuggerScreen):
            await settle()
    return pilot.app.screen


class Wrong(Echo):
    """Whose answers nothing can be made of."""

    wrong = False

    def answer(self, session: Any, reading: Query, arguments: Any) -> Any:
        return object() if self.wrong else super().answer(session, reading, arguments)


async def test_a_panel_that_cannot_show_an_answer_says_so_and_the_next_answer_is_shown(
    debugger, shown
) -> None:
    echo = Wrong()
    session = echo.session(synthetic(steps=50))
    async with debugger(Start(Traces(session.traces), backend=echo), (120, 40)) as pilot:
        screen = await opened(pilot)
        echo.wrong = True
        for line in ("step", "print c"):
            screen.run_text(line)
            async with asyncio.timeout(60):
                while screen.runner.running is not None:
                    await settle()
            await pilot.pause()
            assert screen.message is not None
            assert not screen.message.ok
        assert "t=1/49" in shown(pilot)
        echo.wrong = False
        screen.run_text("step")
        await pilot.pause()
        assert "Step: unit 0 at t=2" in shown(pilot)


async def test_a_verdict_of_an_agent_writes_no_file(debugger, tmp_path: Path) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        screen = await opened(pilot)
        panel = screen.panels[0]
        assert isinstance(panel, DiagnosisPanel)
        for command in (f"export {tmp_path}/a.csv", f"  screenshot {tmp_path}/a.svg", "quit", "goto 3"):
            screen.action_panel(0)
            await pilot.pause()
            panel.verdicts, panel.chosen = (
                (Verdict("n", "bad", None, "", "h", 0.0, 0.0, "", next=command),),
                0,
            )
            panel.action_follow()
            await settle()
        assert screen.session.cursor.t == 3
        assert list(tmp_path.iterdir()) == []
        assert not pilot.app._exit


@pytest.mark.clock
@pytest.mark.parametrize(
    "notes", ["- *a*\n" * 4000, "|a" * 2000 + "|\n" + "|-" * 2000 + "|\n", "a" * (1 << 20)]
)
async def test_notes_that_would_take_minutes_to_lay_out_are_shown_as_they_were_written(
    notes: str, debugger, shown, within: Within
) -> None:
    with within(5):
        assert not is_simple(notes)
        async with debugger(synthetic(notes=notes), (120, 40)) as pilot:
            assert notes[:5] in shown(pilot)

"""Recordings: as the format says, on a clock of their own, and showing what the debugger showed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from terminal import Terminal

from lstmtui.playback import Cast, OutputFolder, Script, play, record_cast
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.tui.headless import HeadlessDebugger

SCRIPT = "step 2\nnote look here\npause 2.5\ninto\nscreenshot a.svg\nlast\n"


def recorded(trace: Trace, folder: Path) -> tuple[bytes, str]:
    """The recording of the script, and the text on the screen at the end."""
    session, cast = Session(trace), Cast("a \x1b[31m title")
    with HeadlessDebugger(session) as screen:
        for one in record_cast(cast, screen, play(session, parsed(), OutputFolder(folder), screen)):
            assert one.outcome.ok
        strips = screen._app.screen._compositor.render_strips()
        text = "\n".join("".join(segment.text for segment in line) for line in strips)
    file = io.BytesIO()
    cast.write(file)
    return file.getvalue(), text


def parsed() -> Any:
    return Script(SCRIPT, "s").parse()


def test_a_recording_plays_in_a_terminal_and_ends_on_the_same_screen(trace: Trace, tmp_path: Path) -> None:
    data, text = recorded(trace, tmp_path)
    header, *events = [json.loads(line) for line in data.decode().splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, 120, 40)
    assert header["title"] == "a ␛[31m title"
    assert all(len(event) == 3 and isinstance(event[0], float) and event[1] in "om" for event in events)
    times = [event[0] for event in events]
    assert times == sorted(times)
    assert [(at, name) for at, code, name in events if code == "m"] == [
        (0.5, "step 2"),
        (1.0, "note look here"),
        (1.5, "pause 2.5"),
        (4.5, "into"),
        (5.0, "screenshot a.svg"),
        (5.5, "last"),
    ]
    assert times[-1] == 6.0
    terminal = Terminal(120, 40)
    for _, code, output in events:
        if code == "o":
            terminal.feed(output)
    assert terminal.text.splitlines() == [line.ljust(120) for line in text.splitlines()]
    assert "t=5/5" in terminal.text
    again, _ = recorded(trace, tmp_path)
    assert again == data


def test_a_note_is_on_the_screen_that_is_recorded(trace: Trace, tmp_path: Path) -> None:
    data, _ = recorded(trace, tmp_path)
    terminal = Terminal(120, 40)
    for line in data.decode().splitlines()[1:]:
        at, code, output = json.loads(line)
        if code == "o" and at <= 1.0:
            terminal.feed(output)
    assert "look here" in terminal.text


def test_a_screenshot_is_an_svg_with_the_title(trace: Trace, tmp_path: Path) -> None:
    session = Session(trace)
    with HeadlessDebugger(session) as screen:
        assert all(one.outcome.ok for one in play(session, parsed(), OutputFolder(tmp_path), screen))
    picture = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "Round&#160;numbers" in picture
    assert "t=2/5" in picture


def test_without_a_screen_a_picture_is_refused(trace: Trace, tmp_path: Path) -> None:
    *_, last = play(Session(trace), parsed(), OutputFolder(tmp_path))
    assert last.refused
    assert "no screen" in last.outcome.text

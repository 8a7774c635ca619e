"""The link to an agent on screen: while something is opened, and once the link is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from keyboard import press, settle
from remote_backends import Slow
from synthetic import synthetic

from lstmtui.trace import Traces
from lstmtui.tui.start import Opening, Progress, Start


@pytest.mark.parametrize("size", [(120, 40), (60, 20)], ids=str)
async def test_a_lost_link_says_which_key_helps_and_the_key_does(
    size: tuple[int, int], debugger, shown
) -> None:
    slow = Slow()
    session = slow.session(synthetic(steps=50))
    async with debugger(Start(Traces(session.traces), backend=slow), size) as pilot:
        slow.link_status = "link lost, R reconnects: " + "ssh could not connect: no route to host " * 5
        slow.deliver()
        await settle()
        await pilot.pause()
        top = shown(pilot).splitlines()[0]
        assert "link lost, R reconnects" in top
        assert "t=0/49" in top
        await press(pilot, "R")
        assert slow.link_status == ""
        assert "link lost" not in shown(pilot)


async def test_opening_says_what_is_done_there_and_where_a_recording_goes(debugger, shown) -> None:
    go, place = (
        threading.Event(),
        "/home/me/.local/state/lstmtui/recordings/" + "0" * 32 + "/" + "1" * 16 + ".trace",
    )

    def work(progress: Progress) -> Any:
        while not go.wait(0.01):
            progress(f"LSTM; recording to {place}, and on if the link is lost", 10, 20)
        return synthetic()

    opening = Opening("ssh://gpu/~/run.toml", work, doing="Opening", first="the agent reads it")
    async with debugger(Start(opening=opening), (80, 24)) as pilot:
        assert "Opening ssh://gpu/~/run.toml" in shown(pilot)
        await pilot.pause(0.25)
        text = "".join(line.strip(" │") for line in shown(pilot).splitlines()).replace(" ", "")
        for said in (place, "and on if the link is lost", "10 of 20 timesteps", "Esc  cancel"):
            assert said.replace(" ", "") in text
        go.set()

"""The agent as a process: what it loads, what it keeps, and when it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from clock import Within
from remote.pairs import AgentLink, ModelRunner, ProgramConnector, connected

from lstmtui.analysis.windows import vector
from lstmtui.errors import Cancelled, UserError
from lstmtui.remote.agent.agent import Agent
from lstmtui.remote.agent.recordings import Recordings, remove_leftovers
from lstmtui.remote.agent.request_queue import RequestQueue
from lstmtui.remote.client.client import Client
from lstmtui.remote.wire.messages import Ask, Open, Poll
from lstmtui.session import Session
from lstmtui.trace import file_lock

AGENT = [sys.executable, "-m", "lstmtui", "agent"]


def test_a_saved_trace_is_served_without_torch(saved: Path) -> None:
    code = (
        "import sys; from lstmtui.remote.agent.agent import Agent; from lstmtui.__main__ import main;"
        "from lstmtui.remote.wire.messages import Failure; work = Agent._outcome;"
        "answer = lambda self, ask: Failure(ask.id, 'torch') if 'torch' in sys.modules else work(self, ask);"
        "Agent._outcome = lambda self, ask: (work(self, ask), answer(self, ask))[1];"
        "main(['agent'])"
    )
    client = Client(ProgramConnector([sys.executable, "-c", code]))
    client.connect()
    try:
        session = Session(client.open(Open(str(saved))), client, client)
        assert vector(session.view, "dh").shape == (4,)
    finally:
        client.close()


@pytest.mark.clock
def test_an_agent_goes_when_its_input_ends_and_when_it_is_told_to(within: Within) -> None:
    for end in (lambda agent: agent.stdin.close(), lambda agent: agent.send_signal(signal.SIGTERM)):
        with subprocess.Popen(AGENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
            assert agent.stdout
            agent.stdout.read(12)
            with within(3):
                end(agent)
                assert agent.wait(60) == 0


@pytest.mark.clock
def test_an_agent_that_hears_nothing_goes(within: Within) -> None:
    reading, writing = os.pipe()
    with within(2):
        Agent(ModelRunner(), lambda most: os.read(reading, most), lambda data: None, silence=0.3).serve()
    os.close(writing)
    os.close(reading)


class Slowly(ModelRunner):
    """Records when it is allowed to."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.stopped: BaseException | None = None
        self.count = 0

    def record(self, path: Path, target: Open, progress: Any) -> Any:
        self.count += 1
        try:
            progress("LSTM", 0, 2)
            self.begun.set()
            while not self.go_on.wait(0.02):
                progress("LSTM", 1, 2)
        except BaseException as error:
            self.stopped = error
            raise
        return super().record(path, target, progress)


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Slowly:
    pytest.importorskip("torch")
    model_runner = Slowly()
    monkeypatch.setattr("remote.pairs.ModelRunner", lambda: model_runner)
    return model_runner


def until(condition: Any) -> None:
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "it did not happen"
        sleep(0.005)


def test_a_recording_goes_on_when_the_link_is_lost_and_the_next_agent_finds_it(
    scenario: Path, state: Path, slowly: Slowly
) -> None:
    link = AgentLink()
    told: list[str] = []
    with connected(link) as client:
        opened: list[Any] = []
        target = Open(str(scenario))
        thread = threading.Thread(
            target=lambda: opened.append(client.open(target, lambda *p: told.append(p[0])))
        )
        thread.start()
        assert slowly.begun.wait(60)
        link.streams[0].close()
        until(lambda: link.connections == 2)
        until(lambda: any("earlier agent" in what for what in told))
        assert link.threads[0].is_alive()
        slowly.go_on.set()
        thread.join(60)
        assert list(opened[0]) == ["LSTM", "GRU"]
        assert slowly.count == 1
        assert any(f"recording to {state}" in what for what in told)
        link.streams[1].close()
        session = Session(opened[0], client, client)
        assert vector(session.view, "h").shape == (4,)
        assert slowly.count == 1
        assert len(list((state / "recordings").iterdir())) == 1
    until(lambda: not list((state / "recordings").iterdir()))


def test_a_recording_that_is_cancelled_stops_and_leaves_nothing(
    scenario: Path, state: Path, slowly: Slowly
) -> None:
    def stop(*_: object) -> None:
        if slowly.begun.is_set():
            raise Cancelled

    with connected() as client:
        with pytest.raises(Cancelled):
            client.open(Open(str(scenario)), stop)
        until(lambda: isinstance(slowly.stopped, Cancelled))
        assert not list((state / "recordings").rglob("*.npy"))
        slowly.go_on.set()
        assert list(client.open(Open(str(scenario)))) == ["LSTM", "GRU"]


def test_leaving_stops_a_recording(scenario: Path, slowly: Slowly) -> None:
    with connected() as client:

        def work() -> None:
            with pytest.raises(UserError, match="closed"):
                client.open(Open(str(scenario)))

        thread = threading.Thread(target=work)
        thread.start()
        assert slowly.begun.wait(60)
    thread.join(60)
    until(lambda: isinstance(slowly.stopped, Cancelled))


def test_what_sessions_of_days_ago_left_is_removed_and_nothing_else(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = state / "recordings"
    names = ["0" * 32, "1" * 32, "2" * 32, "not-ours"]
    for name in names:
        (root / name).mkdir(parents=True)
        old = 0 if name != "1" * 32 else monotonic() + 1e10
        os.utime(root / name, (old, old))
    with (root / ("2" * 32) / "lock").open("wb") as lock:
        os.utime(root / ("2" * 32), (0, 0))
        assert file_lock.lock(lock.fileno())
        remove_leftovers()
    assert sorted(path.name for path in root.iterdir()) == ["1" * 32, "2" * 32, "not-ours"]


@pytest.mark.parametrize("name", ["", "../../etc", "0" * 31, "G" * 32, "0" * 32 + "\n", "é" * 32])
def test_a_session_has_a_name_that_leads_nowhere_else(name: str) -> None:
    with pytest.raises(UserError):
        Recordings(name)


def test_what_is_waited_for_goes_first_and_what_is_cancelled_not_at_all() -> None:
    queue = RequestQueue()
    for number, early in ((1, True), (2, False), (3, True), (4, False)):
        queue.put(Ask(number, Poll(""), early))
    assert queue.cancel([3, 9]) == [3]
    order = []
    for _ in range(3):
        ask = queue.take()
        assert ask is not None
        order.append(ask.id)
    assert order == [2, 4, 1]
    queue.cancel([1])
    with pytest.raises(Cancelled):
        queue.check()
    queue.close()
    assert queue.take() is None

"""A client and an agent in one process, with a link between them that can be looked at and cut."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.laws.engine import ModelEngine
from lstmtui.remote.agent.agent import Agent
from lstmtui.remote.agent.request_handler import Progress
from lstmtui.remote.client.client import Client
from lstmtui.remote.client.connector import ByteStreams
from lstmtui.remote.client.program import ProgramStreams
from lstmtui.remote.client.reconnector import RetryPolicy
from lstmtui.remote.wire.frames import NoFrames
from lstmtui.remote.wire.messages import Open
from lstmtui.scenario import load_scenario
from lstmtui.session import Session
from lstmtui.trace import Trace, Traces

SOON = RetryPolicy(attempts=200, first=0.0, most=0.0)


class ModelRunner:
    """Runs scenarios here."""

    engine = ModelEngine()

    def remember(self, path: Path, target: Open, traces: Mapping[str, Trace]) -> None:
        self.engine.remember(lambda: load_scenario(path, target.trust), traces)

    def record(self, path: Path, target: Open, progress: Progress) -> Traces:
        from lstmtui.capture.run import run

        return run(path, target.device, target.dtype, progress, target.trust)


class SocketStreams:
    """One end of a socket pair; ends by itself after so many bytes were received."""

    def __init__(self, end: socket.socket, life: int | None = None) -> None:
        self.end, self.left = end, life
        self.received = self.sent = 0
        self.ended = Event()

    def read(self, most: int) -> bytes:
        if self.left is not None:
            most = min(most, self.left)
            self.left -= most
        data = b""
        with suppress(OSError):
            data = self.end.recv(most) if most else b""
        if self.left is not None:
            self.left += most - len(data)
        self.received += len(data)
        if not data:
            self.ended.set()
            self.close()
        return data

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self.end.sendall(data)

    def began(self) -> None:
        pass

    def failure(self, error: NoFrames) -> str:
        return str(error)

    def close(self, wait: float = 0.0) -> None:
        if wait:
            with suppress(OSError):
                self.end.shutdown(socket.SHUT_WR)
            self.ended.wait(wait)
        with suppress(OSError):
            self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()


class AgentLink:
    """Starts an agent in a thread for each connection.

    Args:
        life: bytes that each connection lets through from the agent; None: all.
    """

    name = "here"

    def __init__(self, life: Callable[[], int | None] = lambda: None) -> None:
        self.life = life
        self.connections = 0
        self.threads: list[Thread] = []
        self.streams: list[SocketStreams] = []

    def connect(self, *, again: bool) -> SocketStreams:
        near, far = socket.socketpair()
        theirs = SocketStreams(far)
        agent = self.agent(theirs)

        def serve() -> None:
            agent.serve()
            theirs.close()

        self.connections += 1
        self.threads.append(Thread(target=serve, daemon=True))
        self.threads[-1].start()
        self.streams.append(SocketStreams(near, self.life()))
        return self.streams[-1]

    def agent(self, theirs: SocketStreams) -> Agent:
        """The agent of one connection."""
        return Agent(ModelRunner(), theirs.read, theirs.write)


class ProgramConnector:
    """A program of this machine as the agent.

    Args:
        command: its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.name = command[0]
        self._command = list(command)

    def connect(self, *, again: bool) -> ByteStreams:
        """Start it."""
        return ProgramStreams(self._command, self.name, again=again)


@contextmanager
def connected(link: AgentLink | None = None, retry_policy: RetryPolicy = SOON) -> Iterator[Client]:
    """A client that is connected to an agent of this process."""
    client = Client(link or AgentLink(), retry_policy=retry_policy)
    client.connect()
    try:
        yield client
    finally:
        client.close()


@contextmanager
def session_on(path: Path, link: AgentLink | None = None) -> Iterator[tuple[Session, Client]]:
    """A session on what an agent opened."""
    with connected(link) as client:
        traces = client.open(Open(str(path)))
        yield Session(traces, client, client), client


def local_session(traces: Trace | Traces) -> Session:
    """The same without a link."""
    return Session(traces, RerunEngine())

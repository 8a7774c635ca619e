"""A link that fails: cut anywhere, stalled, refused, or to an agent that is none."""

from __future__ import annotations

import random
import socket
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec
import numpy as np
import pytest
from clock import Within
from remote.pairs import (
    SOON,
    AgentLink,
    ModelRunner,
    ProgramConnector,
    SocketStreams,
    connected,
    local_session,
    session_on,
)
from remote.test_session import run

import lstmtui
from lstmtui.analysis.windows import vector
from lstmtui.capture.engine import RerunEngine
from lstmtui.errors import UserError
from lstmtui.remote.agent import request_handler
from lstmtui.remote.client import reconnector
from lstmtui.remote.client.answer_cache import AnswerCache
from lstmtui.remote.client.client import Client
from lstmtui.remote.client.reconnector import RetryPolicy
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import encode
from lstmtui.remote.wire.frames import MAGIC, decode_payload, encode_frame
from lstmtui.remote.wire.messages import (
    PROTOCOL,
    Answer,
    Ask,
    Elements,
    Failure,
    FromAgent,
    FromClient,
    Hello,
    Open,
    Value,
)
from lstmtui.remote.wire.references import CursorReference, RunReference, ViewedRuns
from lstmtui.session import Session
from lstmtui.trace import Trace

SCRIPT = """\
step 3
watch norm(c)
break when min(f) < 0.5
continue
set c[1] = 2.5 from 4 to 6
print c - base(c)
rcontinue
compare GRU
model GRU
print dh
layer 1
goto 7
expect norm(h) > 100
unset
model LSTM
last
print f
""".splitlines()


class Remembering(RerunEngine):
    """Runs a model once for the same what-ifs, so that a new agent costs little."""

    @cache  # noqa: B019
    def rerun(self, *arguments: Any) -> Trace:
        return super().rerun(arguments[0], arguments[1], arguments[2])


@pytest.fixture
def cheap_agents(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents that neither read the trace nor run the model anew."""
    traces, engine = lstmtui.load(saved), Remembering()

    class Loaded:
        state = ""

        def __init__(self, path: Path) -> None:
            assert path == saved

        def poll(self) -> Any:
            return traces

    def rerun(trace: Trace, edits: Any, loss: Any = None, progress: Any = None) -> Trace:
        return engine.rerun(trace, tuple(edits), loss)

    monkeypatch.setattr(request_handler, "Growth", Loaded)
    monkeypatch.setattr(ModelRunner.engine, "rerun", rerun)


def test_a_link_that_is_cut_two_hundred_times_at_any_byte_changes_nothing(
    saved: Path, cheap_agents: None
) -> None:
    expected = local_session(lstmtui.load(saved))
    texts = [run(expected, line).text for line in SCRIPT]
    chance = random.Random(3)
    # Some cuts come before it is open, most at any byte of an answer.
    longest = 8000
    link = AgentLink(lambda: chance.randrange(100, longest) if link.connections <= 200 else None)
    with connected(link, retry_policy=SOON) as client:
        traces = client.open(Open(str(saved)))
        longest = 3000
        while link.connections <= 200:
            session = Session(traces, client, client)
            assert [run(session, line).text for line in SCRIPT] == texts
            assert session.cursor == expected.cursor
            np.testing.assert_array_equal(vector(session.view, "dh"), vector(expected, "dh"))
            # What is here already is not asked for again, and is not cut.
            client._dispatcher._cache = AnswerCache()
        assert client.link_status == ""
    assert link.connections == 201
    for thread in link.threads:
        thread.join(60)
        assert not thread.is_alive()


class NoLink(AgentLink):
    """Connects once."""

    def connect(self, *, again: bool) -> SocketStreams:
        if again:
            raise UserError("the road is closed")
        return super().connect(again=again)


def cut(link: AgentLink) -> None:
    link.streams[-1].end.shutdown(socket.SHUT_RDWR)


def until(condition: Callable[[], object]) -> None:
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "it did not happen"
        sleep(0.005)


def test_a_link_that_stays_away_is_given_up_in_a_sentence_and_can_be_tried_again(saved: Path) -> None:
    link = AgentLink()
    with connected(link, RetryPolicy(attempts=2, first=0.0, most=0.0)) as client:
        session = Session(client.open(Open(str(saved))), client, client)
        seen = vector(session.view, "h")
        news: list[str] = []
        client.on_update = lambda: news.append(client.link_status)
        working, link.connect = link.connect, NoLink.connect.__get__(link)  # type: ignore[method-assign]
        cut(link)
        until(lambda: client.link_status.startswith("link lost, R reconnects: the road is closed"))
        assert "reconnecting, attempt 1 of 2" in news
        np.testing.assert_array_equal(vector(session.view, "h"), seen)
        with pytest.raises(UserError, match="the road is closed"):
            vector(session.view, "c")
        link.connect = working  # type: ignore[method-assign]
        client.reconnect()
        session.goto(9)
        assert vector(session.view, "c").shape == (4,)
        assert client.link_status == ""


def test_a_stalled_link_is_said_and_then_replaced(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnector, "STALLED", 0.2)
    monkeypatch.setattr(reconnector, "SILENT", 1.0)
    link = AgentLink()
    with connected(link) as client:
        session = Session(client.open(Open(str(saved))), client, client)
        streams, news = link.streams[0], []
        client.on_update = lambda: news.append(client.link_status)
        stalled = threading.Event()
        read = streams.read

        def silent(most: int) -> bytes:
            data = read(most)
            if not streams.end._closed:  # type: ignore[attr-defined]
                stalled.wait(5)
            return data

        streams.read = silent  # type: ignore[method-assign]
        vector(session.view, "c")
        session.goto(5)
        assert vector(session.view, "h").shape == (4,)
        stalled.set()
    assert link.connections == 2
    assert any(said.startswith("link stalled") for said in news)


def test_something_else_in_place_of_what_was_opened_is_the_end(tmp_path: Path) -> None:
    from synthetic import synthetic

    synthetic("lstm", 6, 3).save(tmp_path / "t")
    link = AgentLink()
    with connected(link) as client:
        session = Session(client.open(Open(str(tmp_path / "t"))), client, client)
        synthetic("lstm", 7, 3).save(tmp_path / "t")
        cut(link)
        with pytest.raises(UserError, match="what was opened has been replaced"):
            vector(session.view, "h")


class Impostor(AgentLink):
    """Something else than an agent: says what it says, and more once something is to be opened."""

    def __init__(self, says: bytes, then: bytes = b"") -> None:
        super().__init__()
        self.says, self.then = says, then

    def connect(self, *, again: bool) -> SocketStreams:
        self.connections += 1
        near, far = socket.socketpair()

        def speak() -> None:
            try:
                far.sendall(self.says)
                while heard := far.recv(4096):
                    if b"open" in heard:
                        far.sendall(self.then)
            except OSError:
                pass
            far.close()

        threading.Thread(target=speak, daemon=True).start()
        return SocketStreams(near)


HELLO = MAGIC + encode_frame(Hello("0.0.1", PROTOCOL))


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (MAGIC + encode_frame(Hello("9.9", PROTOCOL + 1)), "9.9 runs there .* update the one here"),
        (MAGIC + encode_frame({"lstmtui": "0.1.0", "protocol": 1, "torch": True}), "update the one there"),
        (MAGIC + encode_frame({"lstmtui": "9.9", "protocol": "1"}), "has no place"),
        (MAGIC + b"garbage, and more of it", "no frame"),
        (b"y" * 100_000, "did not answer"),
    ],
)
def test_an_agent_that_does_not_fit_is_a_sentence(says: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said), connected(Impostor(says)):
        pass


def test_words_that_are_not_known_are_ignored() -> None:
    link = Impostor(MAGIC + encode_frame({"lstmtui": "0.0.1", "protocol": PROTOCOL, "new": [1, {"x": None}]}))
    with connected(link) as client:
        assert client.link_status == ""


@pytest.mark.parametrize(
    "answer",
    [
        ["value", 1, None],
        ["value", 1, 3],
        ["value", 1, {"models": {}, "several": True}],
        ["value", 1, {"models": {"a": {"header": {}, "arrays": [], "lengths": {}}}, "several": True}],
        ["value", 1],
        ["failure", 1],
        ["failure", 1, 3],
        ["failure", 1, None],
        ["failure", 1, "no", "\x1b[2J"],
        ["progress", 1, "x", None, 3],
        ["refused", "\x1b[2Jno"],
        ["refused", None],
        ["\x1b[2J", 1],
        {"id": 1},
        None,
    ],
)
def test_answers_that_make_no_sense_are_refused(answer: object) -> None:
    with connected(Impostor(HELLO, encode_frame(answer))) as client:
        with pytest.raises(UserError) as caught:
            client.open(Open("/x"))
        assert "\x1b" not in str(caught.value)


def test_messages_that_nobody_asked_for_are_ignored_and_garbage_is_the_end() -> None:
    unasked = b"".join(encode_frame(["value", n, "x" * 1000]) for n in range(50, 5000))
    answer = encode_frame(Failure(1, "enough"))
    with connected(Impostor(HELLO + unasked, answer)) as client, pytest.raises(UserError, match="enough"):
        client.open(Open("/x"))
    impostor = Impostor(HELLO, b"\x07garbage")
    with connected(impostor) as client, pytest.raises(UserError, match="no frame"):
        client.open(Open("/x"))
    assert impostor.connections == 1


def test_ten_thousand_mutated_answers_are_refused_or_are_answers(saved: Path) -> None:
    """In frames that are in order, what a hostile agent may say about what it opened."""
    chance = random.Random(5)
    nothing = request_handler.Reporter(lambda *_: None, lambda _: None, lambda _: None)
    opened = msgspec.msgpack.decode(
        request_handler.RequestHandler(ModelRunner(), "0" * 32).answer(Open(str(saved)), nothing)
    )
    del opened["models"]["GRU"]
    opened["models"]["LSTM"]["arrays"] = opened["models"]["LSTM"]["arrays"][:4]
    data = encode(Value(1, msgspec.Raw(msgspec.msgpack.encode(opened))))
    client, kinds, target = Client(AgentLink()), set(), Open(str(saved))
    for _ in range(10_000):
        mutated = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            message = decode_payload(0, bytes(mutated), FromAgent)
        except ProtocolError:
            kinds.add("no message")
            continue
        client.begin_to_open(target)
        pending = client._opening.pop(target)
        pending.receive(message)
        if pending.reply is None or pending.reply.error is not None:
            kinds.add("no answer")
            continue
        try:
            client._traces(pending.reply.value)
            kinds.add("an answer")
        except ProtocolError:
            kinds.add("what does not fit together")
    assert kinds == {"no message", "no answer", "an answer", "what does not fit together"}


def test_ten_thousand_mutated_requests_are_refused_or_answered(saved: Path) -> None:
    """In frames that are in order, what a hostile client may ask for."""
    chance = random.Random(6)
    work = request_handler.RequestHandler(ModelRunner(), "0" * 32)
    nothing = request_handler.Reporter(lambda *_: None, lambda _: None, lambda _: None)
    work.answer(Open(str(saved)), nothing)
    place = CursorReference(t=3)

    def answer(query: str, arguments: dict[str, Any], runs: ViewedRuns | None = None) -> Answer:
        return Answer(query, msgspec.Raw(encode(arguments)), place, runs)

    both = ViewedRuns(RunReference(1), RunReference(0))
    window = {"quantity": "f", "start": 0, "stop": 9, "rows": 2, "binning": "mean"}
    requests = [
        answer("vector", {"quantity": "h"}),
        answer("window", window, both),
        answer("evaluated", {"expressions": ["norm(c) > 0.1", "t == 3"], "most": 3}),
        Elements(RunReference(0), 3, ((0, 4, 1), 0)),
    ]
    frames = [encode(Ask(1, request)) for request in requests]
    kinds = set()
    for _ in range(10_000):
        mutated = bytearray(chance.choice(frames))
        for _ in range(chance.choice((1, 1, 2, 5))):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            message = decode_payload(0, bytes(mutated), FromClient)
        except ProtocolError:
            kinds.add("no request")
            continue
        assert isinstance(message, Ask)
        try:
            work.answer(message.request, nothing)
            kinds.add("answered")
        except (UserError, MemoryError):
            kinds.add("refused")
    assert kinds == {"no request", "answered", "refused"}


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no lstmtui here')", "no lstmtui here"),
        ("import sys; print('Welcome'); sys.exit(3)", "ended with status 3: Welcome"),
        ("import sys; sys.exit(127)", "--remote-command"),
        (
            "import sys; sys.stderr.write('\\x1b[2JPermission denied\\n'); sys.exit(255)",
            "ssh could not connect",
        ),
    ],
)
def test_a_program_that_is_no_agent_is_a_sentence_with_what_it_said(
    program: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(ProgramConnector([sys.executable, "-c", program]))
    with pytest.raises(UserError, match=said) as caught:
        client.connect()
    assert "\x1b" not in str(caught.value) + capsys.readouterr().err


@pytest.mark.clock
def test_quitting_while_it_reconnects_ends_the_attempt(saved: Path, within: Within) -> None:
    class Silent(AgentLink):
        """Its second connection never says a word."""

        def connect(self, *, again: bool) -> Any:
            if not again:
                return super().connect(again=False)
            near, self.far = socket.socketpair()
            self.streams.append(SocketStreams(near))
            return self.streams[-1]

    link = Silent()
    with within(2):
        with session_on(saved, link):
            link.streams[0].close()
            until(lambda: len(link.streams) == 2)
        until(link.streams[1].ended.is_set)
    link.far.close()

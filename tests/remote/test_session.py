"""A session whose arrays are with an agent says, shows and writes what one does whose arrays are here."""

from __future__ import annotations

import io
import math
import random
import threading
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec
import numpy as np
import pytest
from remote.pairs import AgentLink, connected, local_session, session_on

import lstmtui
from lstmtui.analysis.comparison import divergence
from lstmtui.analysis.node_values import node_values_at
from lstmtui.analysis.weights import weight_map
from lstmtui.analysis.windows import color_limit, vector, window
from lstmtui.errors import Cancelled, UserError
from lstmtui.expressions import Expression
from lstmtui.playback.export import export
from lstmtui.remote.agent.queries import every_query
from lstmtui.remote.client.client import Client
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode
from lstmtui.remote.wire.messages import Open
from lstmtui.session import Outcome, Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.view import NotReady

SCRIPT = """\
step 3
print f
print z
watch norm(c) / norm(prev(c))
break when min(f) < 0.5
break at 9
break when any(h > 0.1) note "high"
breaks
continue
rcontinue
expect all(f > 0)
expect c[0] > 100
into
out
unit 2
set c[1] = 2.5 from 4 to 6
print c - base(c)
compare GRU
compare none
loss at 5 unit 0
unset
reset
model GRU
layer 1
direction backward
print dh
goto 3
continue
set h[0] = nan from 2
print h
reset
model LSTM
back 2
last
step
first
back
print h[99]
layer 7
"""


def run(session: Session, line: str) -> Outcome:
    """What a line comes to."""
    command = parse_line(line)
    assert command is not None
    return execute(session, command)


def outcomes(session: Session) -> list[tuple[object, ...]]:
    """What every line of the script comes to."""
    said = []
    for line in SCRIPT.splitlines():
        outcome = run(session, line)
        value = None if outcome.value is None else np.asarray(outcome.value).tolist()
        said.append((line, outcome.ok, outcome.text, outcome.stop, str(value), outcome.notes, session.cursor))
    return said


@pytest.mark.parametrize("kind", ["scenario", "saved"])
def test_a_script_comes_to_the_same_as_without_a_link(kind: str, scenario: Path, saved: Path) -> None:
    expected = outcomes(local_session(lstmtui.load(saved)))
    with session_on({"scenario": scenario, "saved": saved}[kind]) as (session, _):
        for here, there in zip(outcomes(session), expected, strict=True):
            assert here == there


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, msgspec.Struct):
        return type(a) is type(b) and all(equal(getattr(a, n), getattr(b, n)) for n in a.__struct_fields__)
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b or (a != a and b != b))


def arguments_of(name: str, session: Session) -> dict[str, Any]:
    """Arguments that make sense for a query, by their names."""
    known: dict[str, Any] = {
        "quantity": "h",
        "start": 1,
        "stop": 7,
        "other": session.traces["GRU"],
        "trace": session.trace,
        "ts": range(1, 9),
        "page": range(0, 8),
        "when": Expression("norm(h) > 0.1"),
        "condition": Expression("norm(h) > 0.1"),
        "conditions": (Expression("norm(h) > 0.1"), Expression("t == 3")),
        "expression": Expression("f[1] * prev(c)[1] - W_f[1, 0]"),
        "expressions": (Expression("norm(h)"), Expression("c[77]")),
        "symbol": "R_f",
        "symbols": ("W_f", "R_f"),
        "rows": 3,
        "columns": 3,
        "most": 5,
        "timesteps": 12,
        "pixels": 24,
        "cells": 12,
        "t": 4,
        "unit": 1,
        "direction": "parts",
        "by": "x",
    }
    names = every_query()[name].argument_types
    return {n: known[n] for n in names if n in known}


@pytest.mark.parametrize("name", sorted(every_query()))
def test_every_query_answers_what_it_answers_here(name: str, saved: Path) -> None:
    query = every_query()[name]
    here = local_session(lstmtui.load(saved))
    with session_on(saved) as (there, client):
        for session in (here, there):
            session.goto(4)
            session.select_unit(1)
        expected = answered(lambda: query.function(here.view, **arguments_of(name, here)))
        found = answered(lambda: client.answer(there.view, query, arguments_of(name, there)))
        if isinstance(expected, UserError):
            assert (type(found), str(found)) == (type(expected), str(expected))
            return
        if query.picture:
            np.testing.assert_allclose(found.values, expected.values, rtol=2.0**-11)
            expected = replace(expected, values=found.values)
        assert equal(found, expected)


def test_every_query_has_annotations_that_can_travel() -> None:
    for query in every_query().values():
        for annotation in (*query.argument_types.values(), query.answer_type):
            with pytest.raises(ProtocolError):  # not the UserError of an annotation that cannot be decoded
                decode(annotation, b"\xc7\x00\x07")


@pytest.mark.parametrize("name", ["a.csv", "a.npz"])
def test_an_export_has_the_same_bytes(name: str, saved: Path) -> None:
    with session_on(saved) as (there, _):
        written = []
        for session in (local_session(lstmtui.load(saved)), there):
            run(session, "set c[1] = 2.5 from 4 to 6")
            file = io.BytesIO()
            export(session.view, name, file)
            written.append(file.getvalue())
    assert written[0] == written[1]


def test_a_run_saved_on_the_far_end_can_be_compared_and_others_are_refused_as_here(saved: Path) -> None:
    here = local_session(lstmtui.load(saved))
    with session_on(saved) as (there, _):
        for line in (f"compare {saved}", "compare /nowhere", "set c[0] = 9 from 2", f"compare {saved}"):
            assert run(there, line).text == run(here, line).text
        assert there.compared is not None
        assert there.compared.steps == 12
        there.select_model("GRU")
        assert run(there, f"compare {saved}").ok
        other = lstmtui.load(saved)["LSTM"]  # type: ignore[index]
        with pytest.raises(UserError, match="not on the remote side"):
            divergence(there.view, other)


def test_arrays_come_in_parts_where_somebody_indexes_them(saved: Path) -> None:
    real = lstmtui.load(saved)["GRU"]  # type: ignore[index]
    with session_on(saved) as (session, _):
        trace = session.traces["GRU"]
        assert list(trace.arrays) == list(real.arrays)
        values, expected = trace.values("h", 1, "backward"), real.values("h", 1, "backward")
        assert (values.shape, values.dtype, len(values)) == (expected.shape, expected.dtype, len(expected))
        for index in (
            3,
            -1,
            slice(2, 9),
            slice(9, 2, -2),
            (slice(None), 0),
            (4, 0, slice(None, None, -1)),
            ...,
            (..., 1),
            (2, 0, 1),
        ):
            np.testing.assert_array_equal(values[index], expected[index])
        np.testing.assert_array_equal(np.asarray(values), expected)
        assert values[5:5].shape == (0, 1, 3)
        with pytest.raises(IndexError):
            values[12]
        with pytest.raises(TypeError):
            values[[1, 2]]
        assert trace.parameters.keys() == real.parameters.keys()


def wait_until(condition: Any) -> None:
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "it did not happen"
        sleep(0.002)


def test_a_thread_that_may_not_wait_is_told_so_and_is_called_when_the_answer_has_come(saved: Path) -> None:
    with session_on(saved) as (session, client):
        called = threading.Event()
        client.on_update = called.set
        client.impatient = threading.get_ident()
        with pytest.raises(NotReady):
            vector(session.view, "h")
        assert called.wait(10)
        assert vector(session.view, "h").shape == (4,)
        with pytest.raises(NotReady):
            color_limit(session.view, "nonsense")
        wait_until(lambda: isinstance(answered(lambda: color_limit(session.view, "nonsense")), UserError))


def answered(question: Any) -> Any:
    try:
        return question()
    except (NotReady, UserError) as error:
        return error


def test_a_walk_finds_what_comes_next_here_already(saved: Path) -> None:
    link = AgentLink()
    with connected(link) as client:
        session = Session(client.open(Open(str(saved))), client, client)
        for _ in range(3):
            vector(session.view, "h")
            window(session.view, "f", 0, 6)
            session.step()
        vector(session.view, "h")
        window(session.view, "f", 0, 6)

        def is_here() -> bool:
            client.impatient = threading.get_ident()
            try:
                return not isinstance(
                    answered(lambda: (vector(session.view, "h"), window(session.view, "f", 6, 12))), NotReady
                )
            finally:
                client.impatient = None

        while session.cursor.t < 11:
            session.step()
            wait_until(is_here)
        before = link.streams[0].sent
        session.goto(5)
        vector(session.view, "h")
        session.goto(11)
        vector(session.view, "h")
        assert link.streams[0].sent == before


def test_waiting_can_be_given_up(saved: Path) -> None:
    release = threading.Event()

    class SlowLink(AgentLink):
        def connect(self, *, again: bool) -> Any:
            streams = super().connect(again=again)
            read = streams.read
            self.slow = False

            def slowly(most: int) -> bytes:
                if self.slow:
                    release.wait(10)
                return read(most)

            streams.read = slowly  # type: ignore[method-assign]
            return streams

    link = SlowLink()
    with session_on(saved, link) as (session, client):
        link.slow = True
        threading.Timer(0.1, client.cancel).start()
        session.goto(7)
        with pytest.raises(Cancelled):
            # The first answer may be under way already.
            [vector(session.view, quantity) for quantity in ("h", "c", "f", "i")]
        release.set()
        session.goto(8)
        assert vector(session.view, "h").shape == (4,)


def test_texts_of_the_far_end_are_printable(tmp_path: Path) -> None:
    from synthetic import synthetic

    synthetic("lstm", 6, 3, name="a\x1b[2Jb", title="\x1b]0;owned\x07", notes="one\ntwo\x9b").save(
        tmp_path / "t"
    )
    with session_on(tmp_path / "t") as (session, _):
        header = session.trace.header
        assert header.title == "␛]0;owned␇"
        assert header.notes == "one\ntwo␀"[:-1] + header.notes[-1]
        assert not any(ord(c) < 32 and c != "\n" for c in header.name + header.title + header.notes)
        assert vector(session.view, "h").shape == (3,)
        outcome = run(session, "set c[0] = 1 from 2")
        assert outcome.text  # the model is found by its number, whatever its name


def test_pictures_travel_at_half_precision_and_numbers_never(saved: Path) -> None:
    real = lstmtui.load(saved)["LSTM"]  # type: ignore[index]
    with session_on(saved) as (session, _):
        drawn = window(session.view, "h", 0, 12).values
        exact = real.values("h")[:, 0]
        assert not np.array_equal(drawn, exact)
        np.testing.assert_allclose(drawn, exact, rtol=2.0**-11)
        session.goto(3)
        np.testing.assert_array_equal(vector(session.view, "h"), exact[3])


def test_a_random_walk_shows_the_same_numbers(saved: Path) -> None:
    chance = random.Random(1)
    here = local_session(lstmtui.load(saved))
    with session_on(saved) as (there, client):
        for _ in range(60):
            move = chance.choice(
                ["step", "back", "step 3", "goto 5", "unit 2", "unit 0", "model GRU", "model LSTM"]
            )
            for session in (here, there):
                run(session, move)
            assert there.cursor == here.cursor
            np.testing.assert_array_equal(vector(there.view, "h"), vector(here.view, "h"))
            assert math.isclose(color_limit(there.view, "h"), color_limit(here.view, "h"))
            assert node_values_at(there.view) == node_values_at(here.view)
        assert client.link_status == ""


def test_the_maps_of_weights_travel_once(saved: Path) -> None:
    with session_on(saved) as (there, _):
        maps = [weight_map(there.view, "R_f", 9, 9, is_gradient) for is_gradient in (False, True)]
        there.goto(5)
        there.select_unit(1)
        for is_gradient, made in zip((False, True), maps, strict=True):
            assert weight_map(there.view, "R_f", 9, 9, is_gradient) is made


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[input]\nvalues = 3\n")
    (tmp_path / "folder").mkdir()
    with connected() as client:
        for name, said in [
            ("nowhere", "no such file or trace"),
            ("bad.toml", "bad.toml:2"),
            ("folder", "not a trace"),
            ("a\0b", "null|no such"),
        ]:
            with pytest.raises(UserError, match=said):
                client.open(Open(str(tmp_path / name)))


def test_a_trace_that_grows_is_polled_and_what_was_asked_of_it_before_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthetic import synthetic

    grown = [synthetic("lstm", steps, 3, name="LSTM", live=9 * (steps < 9)) for steps in (5, 7, 9)]
    current = [0]

    class Growing:
        """Looks as far as `current`, as every new agent does."""

        def __init__(self, path: Path) -> None:
            self.seen = -1

        @property
        def state(self) -> str:
            return "live" if current[0] < 2 else "ended at t=8"

        def poll(self) -> Any:
            new, self.seen = self.seen != current[0], current[0]
            return grown[current[0]] if new else None

    monkeypatch.setattr("lstmtui.remote.agent.request_handler.Growth", Growing)
    link = AgentLink()
    with session_on(tmp_path, link) as (session, client):
        assert (session.trace.steps, client.state, client.poll()) == (5, "live", None)
        for number, steps in ((1, 7), (2, 9)):
            vector(session.view, "h")
            current[0] = number
            if number == 1:  # a new agent knows only of what is there by now
                link.streams[0].close()
            longer = client.poll()
            assert longer is not None
            session = Session(longer, client, client)
            assert session.trace.steps == steps
            np.testing.assert_array_equal(vector(session.view, "h"), grown[number].values("h")[0, 0])
            session.last()
            np.testing.assert_array_equal(vector(session.view, "h"), grown[number].values("h")[-1, 0])
        assert (client.state, client.poll()) == ("ended at t=8", None)


def test_a_client_that_is_closed_says_so(saved: Path) -> None:
    with session_on(saved) as (session, client):
        assert isinstance(client, Client)
    with pytest.raises(UserError, match="closed"):
        vector(session.view, "c")

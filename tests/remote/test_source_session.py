"""A session over recorded code on another machine says and shows what one does whose arrays are here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remote.pairs import local_session, session_on
from remote.test_session import answered, equal
from source_traces import source_trace

import lstmtui
from lstmtui.analysis.source_at import SourceAt, source_at
from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.playback.export import export
from lstmtui.remote.agent.queries import every_query
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.trace import Traces
from lstmtui.trace.source import Raised
from lstmtui.view import Query

LINES = (
    *("into", "into", "print S[1, 0, 2]", "print dbest", "print energy", "watch norm(dnew_c)", "unit 2"),
    *("break when max(f) > 0.9", "continue", "expect len(S) == 12", "out", "step 3", "print f - prev(f)"),
    *("first-bad", "first-bad backward", "diagnose", "set f[1] = 0.5", "compare other", "print S[9]"),
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "runs.trace"
    mine = source_trace(steps=16, raised=Raised(0, 15, 34, "ValueError: no"))
    mine.arrays["0/forward/S"][9, 1, 7] = np.nan  # type: ignore[index]
    Traces({"mine": mine, "other": source_trace(steps=16, seed=1, name="other")}).save(path)
    return path


def walk(session: Session) -> Iterator[tuple[str, object, SourceAt | None]]:
    """What each line comes to, and the code where the cursor is then."""
    yield "", session.cursor, source_at(session.view)
    for line in LINES:
        command = parse_line(line, vocabulary=session.vocabulary)
        assert command is not None
        outcome = execute(session, command)
        yield f"{line}: {outcome.text}", session.cursor, source_at(session.view)


def test_every_line_comes_to_the_same_as_without_a_link(saved: Path) -> None:
    expected = list(walk(local_session(lstmtui.load(saved))))
    with session_on(saved) as (session, _):
        assert session.cursor.t == 15
        for there, here in zip(walk(session), expected, strict=True):
            assert equal(there, here)


def test_every_query_answers_what_it_answers_here(saved: Path) -> None:
    here = local_session(lstmtui.load(saved))
    with session_on(saved) as (there, client):
        for session in (here, there):
            session.goto(4)
            session.into()
        for name, query in every_query().items():
            arguments = [arguments_of(query, session) for session in (here, there)]
            expected = answered(partial(query.function, here.view, **arguments[0]))
            answer = answered(partial(client.answer, there.view, query, arguments[1]))
            if isinstance(expected, UserError):
                assert str(answer) == str(expected), name
            elif not query.picture:
                assert equal(answer, expected), name


def arguments_of(query: Query, session: Session) -> dict[str, Any]:
    """Arguments of a query by their names."""
    when = Expression("norm(S) > 0.1", session.vocabulary)
    known = {"quantity": "S", "start": 1, "stop": 7, "other": session.traces["other"], "ts": range(1, 9)}
    known |= {
        "page": range(8),
        "when": when,
        "condition": when,
        "conditions": (when,),
        "expression": Expression("S[1, 0, 2] * prev(S)[1, 0, 2]", session.vocabulary),
        "expressions": (when,),
    }
    known |= {"most": 5, "timesteps": 12, "pixels": 24, "cells": 12, "trace": session.trace}
    known |= {
        "t": 4,
        "unit": 1,
        "direction": "parts",
        "by": "x",
        "symbol": "W_f",
        "symbols": ("W_f",),
        "rows": 4,
        "columns": 4,
    }
    return {name: known[name] for name in query.argument_types if name in known}


def test_an_export_has_the_same_bytes(saved: Path) -> None:
    with session_on(saved) as (there, _):
        for name in ("a.npz", "a.csv"):
            here, far = io.BytesIO(), io.BytesIO()
            export(local_session(lstmtui.load(saved)).view, name, here)
            export(there.view, name, far)
            assert here.getvalue() == far.getvalue()

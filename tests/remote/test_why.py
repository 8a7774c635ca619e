"""Why a number on another machine is so: the same words and numbers, in one question each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from remote.pairs import local_session, session_on
from remote.test_session import equal
from torch import nn

import lstmtui
from lstmtui.capture.record import record
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute

LINES = ("why c[2]", "why written c[1]", "why f[3]", "why dh", "why routes dc[1]", "why loss", "why x[1]",
         "where c[2]", "why y", "why c[9]", "layer 1", "why x[2]", "jacobian", "jacobian map",
         "jacobian map x",
         "ablate c[2]", "why c[2]")  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("why") / "run.trace"
    torch.manual_seed(0)
    record(nn.LSTM(3, 4, num_layers=2), torch.randn(30, 2, 3)).save(path)
    return path


def walk(session: Session) -> list[tuple[str, object]]:
    session.goto(20)
    return [(outcome.text, outcome.ledger) for outcome in (said(session, line) for line in LINES)]


def said(session: Session, line: str):  # type: ignore[no-untyped-def]
    command = parse_line(line)
    assert command is not None
    return execute(session, command)


def test_every_question_has_the_answer_that_it_has_here(saved: Path) -> None:
    expected = walk(local_session(lstmtui.load(saved)))
    with session_on(saved) as (session, _):
        for there, here in zip(walk(session), expected, strict=True):
            assert equal(there, here), here


def test_a_ledger_is_one_question(saved: Path) -> None:
    with session_on(saved) as (session, client):
        session.goto(20)
        asked: list[str] = []
        answer = client.answer

        def counted(view, query, arguments):  # type: ignore[no-untyped-def]
            asked.append(query.name)
            return answer(view, query, arguments)

        client.answer = counted  # type: ignore[method-assign]
        assert said(session, "why c[2]").ok
        assert asked == ["why"]

"""An answer of the right type that is none to what was asked is refused before anything is drawn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remote.hostile import LyingLink
from remote.pairs import AgentLink, ModelRunner, session_on

from lstmtui.analysis.diagnosis import diagnose
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.first_bad.answer import FirstBad, first_bad
from lstmtui.analysis.node_values import node_values_at
from lstmtui.analysis.reach import horizon
from lstmtui.analysis.reads import reads
from lstmtui.analysis.signal import signal
from lstmtui.analysis.unit_values import numbers_at, survivals_at
from lstmtui.analysis.weights import weight_limit, weight_map
from lstmtui.analysis.windows import color_limit, gradient_norms, vector, window
from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import expectation
from lstmtui.expressions.hits import first_in_others, hits_on_the_way, hits_within
from lstmtui.remote.agent.agent import Agent
from lstmtui.remote.agent.queries import every_query
from lstmtui.remote.client.answer_checks import CHECKS
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.trace import Trace


def test_every_query_has_a_check() -> None:
    assert CHECKS.keys() == every_query().keys()


class Otherwise(AgentLink):
    """Agents that answer every query with what `lie` makes of the true answer."""

    def __init__(self, lie: Callable[[Any], Any]) -> None:
        super().__init__()
        self.lie = lie

    def agent(self, theirs: Any) -> Any:
        agent = super().agent(theirs)
        queries = every_query()

        def opened(session: str) -> None:
            assert agent._handler is not None
            agent._handler._queries = {
                name: replace(each, function=self._lying(each.function)) for name, each in queries.items()
            }

        agent._greeted = self._after(agent._greeted, opened)
        return agent

    def _lying(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from functools import wraps

        return wraps(function)(lambda *given, **named: self.lie(function(*given, **named)))

    @staticmethod
    def _after(first: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
        def both(message: Any) -> None:
            first(message)
            then(message)

        return both


TRUE = Expression("t >= 0")
BAD_PLACE = FirstBad("forward", 9, "forward", "h", 0, 0, 0, float("nan"), "there", "so")


@pytest.mark.parametrize(
    ("ask", "lie"),
    [
        (lambda s: vector(s.view, "h"), lambda v: v[:-1]),
        (lambda s: vector(s.view, "h"), lambda v: v[None]),
        (lambda s: window(s.view, "f", 0, 6), lambda w: replace(w, values=w.values[:5])),
        (lambda s: window(s.view, "f", 0, 6), lambda w: replace(w, valid=w.valid.astype(np.float64))),
        (lambda s: window(s.view, "f", 0, 6), lambda w: replace(w, units_per_row=0)),
        (lambda s: window(s.view, "f", 0, 6), lambda w: replace(w, start=1 << 60)),
        (lambda s: color_limit(s.view, "h"), lambda n: float("nan")),
        (lambda s: node_values_at(s.view), lambda n: n[1:]),
        (lambda s: weight_limit(s.view, ("W_f",)), lambda n: -1.0),
        (lambda s: weight_map(s.view, "R_f", 2, 2), lambda m: replace(m, values=m.values.repeat(9, 1))),
        (lambda s: weight_map(s.view, "R_f", 2, 2), lambda m: replace(m, units_per_row=0)),
        (lambda s: gradient_norms(s.view, "h"), lambda n: np.zeros(1 << 20)),
        (lambda s: signal(s.view, 0, 12), lambda x: replace(x, lines=x.lines * 2000)),
        (
            lambda s: signal(s.view, 0, 12),
            lambda x: replace(x, lines=(replace(x.lines[0], absent=np.array(True)),)),
        ),
        (lambda s: horizon(s.view), lambda h: replace(h, reach=replace(h.reach, start=-1))),
        (lambda s: first_bad(s.view), lambda f: BAD_PLACE),
        (lambda s: reads(s.view), lambda r: (replace(r[0], layer=9), *r[1:])),
        (lambda s: reads(s.view), lambda r: (replace(r[0], last=1 << 60), *r[1:])),
        (lambda s: diagnose(s.view), lambda v: (replace(v[0], layer=7), *v[1:])),
        (lambda s: diagnose(s.view), lambda v: (replace(v[0], layer=None, direction="forward"), *v[1:])),
        (lambda s: diagnose(s.view), lambda v: (replace(v[0], severity="worse"), *v[1:])),
        (lambda s: first_bad(s.view), lambda f: replace(BAD_PLACE, layer=None)),
        (lambda s: first_bad(s.view), lambda f: replace(BAD_PLACE, layer=0, direction="")),
        (lambda s: first_bad(s.view), lambda f: replace(BAD_PLACE, layer=0, which="backward")),
        (lambda s: numbers_at(s.view), lambda n: n[1:]),
        (lambda s: numbers_at(s.view), lambda n: (replace(n[0], recorded=1.0), *n[1:])),
        (lambda s: numbers_at(s.view), lambda n: n[:1] * len(n)),
        (lambda s: survivals_at(s.view), lambda s: replace(s, refusal="no")),
        (lambda s: equations_at(s.view), lambda e: (replace(e[0], numbers=()), *e[1:])),
        (lambda s: equations_at(s.view), lambda e: e[::-1]),
        (lambda s: expectation(s.view, TRUE), lambda e: replace(e, error="no")),
        (lambda s: hits_within(s.view, TRUE, range(8)), lambda t: t[::-1]),
        (lambda s: hits_on_the_way(s.view, (TRUE,), range(8), 5), lambda p: replace(p, counts=(0,))),
        (lambda s: first_in_others(s.view, (TRUE,), 9), lambda p: ((99, 0),)),
    ],
)
def test_what_is_no_answer_is_refused(ask: Any, lie: Any, saved: Path) -> None:
    with (
        session_on(saved, Otherwise(lie)) as (session, _),
        pytest.raises(ProtocolError, match="cannot be shown"),
    ):
        ask(session)


def test_commands_on_lies_come_to_sentences(saved: Path) -> None:
    lines = [
        *(
            "step 3",
            "watch norm(c)",
            "break when min(f) < 0.5",
            "continue",
            "print h",
            "set c[1] = 2.5 from 4",
        ),
        *(
            "compare GRU",
            "model GRU",
            "loss at 5 unit 0",
            "first-bad",
            "diagnose",
            "expect all(f > 0)",
            "rcontinue",
        ),
    ]
    for seed in range(6):
        with session_on(saved, LyingLink(seed, 0.1)) as (session, _):
            for line in lines:
                outcome = said(session, line)
                assert len(outcome) < 1 << 15
                assert not set(outcome) & {"\x1b", "\x9b", "\x07"}


def said(session: Session, line: str) -> str:
    """What comes of a line, or why nothing does."""
    command = parse_line(line)
    assert command is not None
    try:
        return execute(session, command).text
    except UserError as error:
        return str(error)


def test_a_run_with_names_that_fill_the_screen_for_ever_is_refused(tmp_path: Path) -> None:
    from synthetic import synthetic

    synthetic("lstm", 6, 3, title="x" * 5000).save(tmp_path / "t")
    with pytest.raises(UserError, match="does not fit together"), session_on(tmp_path / "t"):
        pass


def test_texts_of_answers_are_cut_short(saved: Path) -> None:
    long = "a" * 100_000
    with session_on(saved, Otherwise(lambda f: replace(BAD_PLACE, layer=0, how=long))) as (session, _):
        found = first_bad(session.view)
        assert found is not None
        assert len(found.how) == 1 << 13


@pytest.mark.parametrize(
    "lie",
    [
        lambda header: replace(header, steps=header.steps - 1),
        lambda header: replace(header, layers=header.layers * 2),
        lambda header: replace(header, layers=(replace(header.layers[0], hidden_size=3),)),
    ],
)
def test_a_what_if_of_other_sizes_than_its_run_is_refused(lie: Any, saved: Path) -> None:
    """The cursor is on the run, and would be beyond the other's end."""

    class Otherwise(ModelRunner):
        class engine:
            @staticmethod
            def rerun(trace: Trace, *_: Any) -> Trace:
                return Trace(lie(trace.header), trace.arrays)

    link = AgentLink()
    link.agent = lambda theirs: Agent(Otherwise(), theirs.read, theirs.write)  # type: ignore[method-assign]
    with session_on(saved, link) as (session, _):
        assert "the agent" in said(session, "set c[1] = 2.5 from 4")
        assert session.trace is session.baseline

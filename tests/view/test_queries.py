"""A session whose arrays are on another machine says the same, and no more travels than is looked at."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from remote_backends import Echo
from synthetic import synthetic

from lstmtui.analysis.comparison import difference, difference_limit
from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.analysis.reach import horizon
from lstmtui.analysis.unit_values import numbers_at, survivals_at
from lstmtui.analysis.windows import vector
from lstmtui.errors import UserError
from lstmtui.playback import export
from lstmtui.remote.agent.queries import every_query
from lstmtui.session import Outcome, Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace, Traces
from lstmtui.view import NotReady, View, query, together

LINES = """
break when min(f) < 0.05
break when max(h) > 0.999 and t > 3 note high
break when norm(z) < 1
break at 31
breaks
continue
continue
rcontinue
first
last
rcontinue
watch norm(c)
watch c - prev(c)
watch norm(z)
watch base(c) - c
print c
print prev(h)[0] + loss
print z[1]
print min(f) < 0.05
expect norm(c) > norm(prev(c))
expect any(z > 0)
expect z[0] > 0
ask "how much?" = h[0] - prev(h[0])
ask "which way?" choose up when h[0] > prev(h[0]) | down
layer 1
direction backward
print c - prev(c)
batch 1
goto -1
into
into
out
unit 3
continue
set f[1] = 0.5 from 2 to 4
print norm(base(c) - c)
expect base(f[1]) == f[1]
rcontinue
set z = 1
compare small
compare big
compare nowhere.trace
compare none
loss at 3
unset 1
reset
model small
watch norm(z)
print z[1]
continue
disable 1
rcontinue
delete 1
unwatch 1
note hello
export run.csv
quit
""".strip().splitlines()


def traces() -> Traces:
    """An LSTM in two layers and both directions, and a GRU."""
    big = synthetic("lstm", 40, 6, layers=2, bidirectional=True, batch=2, lengths=(40, 23), name="big")
    return Traces({"big": big, "small": synthetic("gru", 40, 5, name="small", batch=2)})


class Shifted:
    """An engine whose what-ifs are other random numbers."""

    def rerun(self, trace: Trace, edits: Any, loss_at: Any = None, progress: Any = None) -> Trace:
        other = synthetic("lstm", 40, 6, layers=2, bidirectional=True, batch=2, seed=len(edits) + 1)
        return Trace(trace.header, {**trace.arrays, **other.arrays})


def run(session: Session, line: str) -> Outcome:
    """What comes of a line."""
    command = parse_line(line)
    assert command is not None
    return execute(session, command)


def said(outcome: Outcome) -> list[object]:
    """Everything an outcome says, in a form that can be compared."""
    value = outcome.value.tolist() if isinstance(outcome.value, np.ndarray) else outcome.value
    return [
        outcome.ok,
        outcome.text,
        outcome.stop,
        repr(value),
        outcome.request,
        outcome.expect,
        outcome.notes,
    ]


def test_every_verb_says_the_same_where_the_arrays_are_remote() -> None:
    here, there = Session(traces(), Shifted()), Echo().session(traces(), Shifted())
    for line in LINES:
        assert said(run(there, line)) == said(run(here, line)), line
        assert there.cursor == here.cursor, line
    assert [b.hits for b in there.breakpoints] == [b.hits for b in here.breakpoints]


def test_a_random_walk_says_the_same_where_the_arrays_are_remote() -> None:
    here, there = Session(traces(), Shifted()), Echo().session(traces(), Shifted())
    dice = random.Random(3)
    walk = ("step 3", "back 2", "continue", "rcontinue", "layer 0", "layer 1", "batch 0", "batch 1", "unit 4")
    walk = (*walk, "direction forward", "direction backward", "model big", "model small", "into", "first")
    asks = ("print norm(h) + norm(prev(c))", "expect max(o) < 0.9", "print x", "break when t % 7 == 3")
    asks = (*asks, "break when mean(h) > 0.4 note so", "delete 1", "set f = 0.5", "unset", "watch dh")
    for _ in range(300):
        line = dice.choice((*walk, *walk, *asks))
        assert said(run(there, line)) == said(run(here, line)), line
        watches = [session.watches.at_cursor(session.view) for session in (here, there)]
        assert repr(watches[0]) == repr(watches[1])
        assert there.cursor == here.cursor


def test_a_saved_run_is_compared_where_it_was_saved(tmp_path: Path) -> None:
    synthetic("lstm", 40, 6, layers=2, bidirectional=True, batch=2, seed=4).save(tmp_path / "run")
    here, there = Session(traces()), Echo().session(traces())
    line = f"compare {tmp_path / 'run'}"
    assert said(run(there, line)) == said(run(here, line))
    assert here.other is not None
    assert there.other is not None
    for session in (here, there):
        run(session, "goto 5")
    shown = [difference(s.view, s.other, "c", 0, 9, 3).values for s in (here, there) if s.other]
    assert np.array_equal(*shown)
    assert difference_limit(here.view, here.other, "c") == difference_limit(there.view, there.other, "c")


@pytest.mark.parametrize("name", ["run.csv", "run.npz"])
def test_an_export_is_the_same(name: str) -> None:
    files = io.BytesIO(), io.BytesIO()
    for session, file in zip((Session(traces()), Echo().session(traces())), files, strict=True):
        session.goto(3)
        session.select_unit(2)
        export(session.view, name, file)
    assert files[0].getvalue() == files[1].getvalue()


def test_what_is_asked_of_a_long_and_wide_run_fits_64_kilobytes() -> None:
    echo = Echo()
    session = echo.session(synthetic("lstm", 20_000, 256))
    session.goto(10_000)
    for line in ("break when max(c) > 2", "break when t % 2 note odd", "watch c", "watch c * h", "continue"):
        assert run(session, line).ok
    for line in ("print c", "expect norm(c) > 0", "rcontinue"):
        run(session, line)
    session.watches.at_cursor(session.view)
    (
        numbers_at(session.view),
        survivals_at(session.view),
        horizon(session.view),
        vector(session.view, "dc"),
    )
    assert max(size for _, size in echo.sizes) <= 64 << 10, echo.sizes
    watched = max(size for name, size in echo.sizes if name == "evaluated")
    assert watched < 3 * 256 * 8
    assert len(routes_at(session.view)) == 2


def test_queries_are_there_for_those_that_answer_them() -> None:
    script = "from lstmtui.remote.agent.queries import every_query; print(*sorted(every_query()))"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names = set(every_query())
    assert set(process.stdout.split()) == names >= {"window", "vector", "evaluated", "survivals_at"}
    for each in every_query().values():
        hints = get_type_hints(each.function)
        assert "return" in hints
        assert hints["view"] is View


def test_two_queries_of_one_name_are_refused() -> None:
    def window(view: View) -> None:
        """Not the one of windows.py."""

    with pytest.raises(ValueError, match="window: there are two queries"):
        query()(window)


def test_all_questions_are_asked_before_one_is_waited_for() -> None:
    asked = []

    def ask(answer: int, *, there: bool) -> int:
        asked.append(answer)
        if not there:
            raise NotReady
        return answer

    with pytest.raises(NotReady):
        together(lambda: ask(1, there=False), lambda: ask(2, there=True), lambda: ask(3, there=False))
    assert asked == [1, 2, 3]
    assert together(lambda: ask(4, there=True), lambda: ask(5, there=True)) == (4, 5)
    assert together() == ()


def test_no_way_to_the_arrays_is_a_refusal_and_not_an_expectation_that_failed() -> None:
    class Lost(Echo):
        def answer(self, *arguments: Any) -> Any:
            raise UserError("the link is lost")

    session = Lost().session(traces())
    outcome = run(session, "expect norm(c) > 0")
    assert (outcome.ok, outcome.expect, outcome.text) == (False, None, "the link is lost")
    assert run(session, "continue").text == "the end: t=39 is the last timestep"

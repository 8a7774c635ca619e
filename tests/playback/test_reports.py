"""What is said of each command: the very text, for people and for programs."""

from __future__ import annotations

import json

import numpy as np

from lstmtui.help import overview
from lstmtui.help.page import page
from lstmtui.playback import OutputFolder, Script, json_line, plain_lines, play
from lstmtui.session import Session
from lstmtui.trace import Trace

SCRIPT = """
step 2
print c            # a vector
print max(c) > 2
break when c[0] > 3 note past three
continue
print c
into
out
unit 2
pause 3
note a ∂ and a \x1b[31m
expect t == 5
expect min(c) > 0
model LSTM
"""

PLAIN = """\
t=2
c = [2, 2.25, 2.5] at t=2
max(c) > 2 = true at t=2
breakpoint 1: c[0] > 3, notes "past three"
note at t=4: past three
the end: t=5 is the last timestep; 1 note on the way
c = [NaN, +inf, -inf] at t=5
f at t=5
whole timesteps, t=5
unit 2
pause of 3 s
a ∂ and a ␛[31m
t == 5 holds: t = 5 at t=5
min(c) > 0 does not hold: min(c) = NaN at t=5
model LSTM
"""


def played(trace: Trace, script: str = SCRIPT):
    return play(Session(trace), Script(script, "s").parse(), OutputFolder())


def test_plain_text_is_a_sentence_for_each_command(trace: Trace) -> None:
    assert "".join(line + "\n" for one in played(trace) for line in plain_lines(one)) == PLAIN


def test_help_prints_a_topic(trace: Trace) -> None:
    listed, topic, after = played(trace, "help\nhelp traces\nstep")
    assert plain_lines(listed) == overview().split("\n")
    assert plain_lines(topic) == page("traces").split("\n")
    assert json.loads(json_line(topic))["text"] == page("traces")
    assert plain_lines(after) == ["t=1"]


def test_json_has_an_object_of_known_keys_for_each_command(trace: Trace) -> None:
    lines = [json_line(one) for one in played(trace)]
    assert all(line.isascii() and line.isprintable() for line in lines)
    records = [json.loads(line, parse_constant=lambda name: f"bare {name}") for line in lines]
    assert [record["line"] for record in records] == list(range(2, 16))
    assert lines[0] == (
        '{"command": "step 2", "t": 2, "model": "LSTM", "layer": 0, "direction": "forward", "batch": 0, '
        '"unit": 0, "ok": true, "text": "t=2", "line": 2, "reason": {"kind": "step", "text": "t=2"}}'
    )
    assert [record.get("value") for record in records[1:3]] == [[2.0, 2.25, 2.5], True]
    assert records[4]["notes"] == [{"t": 4, "text": "past three"}]
    assert records[4]["reason"]["kind"] == "end"
    assert records[5]["value"] == ["NaN", "+inf", "-inf"]
    assert records[6]["stage"] == "f"
    assert "stage" not in records[7]
    assert [(record["ok"], record["expect"]) for record in records[11:13]] == [(True, True), (False, False)]


def test_json_names_the_breakpoints_that_stopped_it(trace: Trace) -> None:
    *_, last = played(trace, "break at 3\nbreak when c[0] >= 3\ncontinue")
    reason = json.loads(json_line(last))["reason"]
    assert (reason["kind"], reason["id"], reason["ids"]) == ("breakpoint", 1, [1, 2])


def test_json_takes_numbers_and_truths_of_each_unit(trace: Trace) -> None:
    *_, last = played(trace, "last\nprint isnan(c)")
    assert isinstance(last.outcome.value, np.ndarray)
    assert json.loads(json_line(last))["value"] == [True, False, False]


def test_a_refused_command_is_the_last_and_says_why(trace: Trace) -> None:
    every = list(played(trace, "step\ngoto 9\nstep"))
    assert len(every) == 2
    assert every[1].refused
    record = json.loads(json_line(every[1]))
    assert (record["ok"], record["reason"]["kind"], record["t"]) == (False, "refused", 1)


def test_quit_ends_the_script(trace: Trace) -> None:
    assert [one.command.verb for one in played(trace, "step\nquit\nstep")] == ["step", "quit"]

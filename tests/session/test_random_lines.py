"""Lines of anything at all: refused or executed, and the session goes on."""

from __future__ import annotations

import random
from itertools import chain

from synthetic import synthetic

from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.completion import complete
from lstmtui.session.execute import execute
from lstmtui.session.language import Command, ScriptError
from lstmtui.session.parse import parse_line
from lstmtui.session.verbs import VERBS
from lstmtui.trace import Traces

VERB_LIKE = (*VERBS, *"ncbpqs", "Step", "steps", "when", "at", "none")
WORDS = ("when", "at", "note", "from", "to", "unit", "none", "forward", "small", "big")
PARTS = (
    "min(f)",
    "c",
    "norm(dh)",
    "prev(",
    "c[3]",
    "<",
    "0.1",
    ")",
    "and",
    "t",
    "loss",
    "=",
    "x[0]",
    "[",
    "]",
)
NUMBERS = ("0", "1", "-1", "9", "10", "1e400", "9" * 40, "nan", "-inf", "1.5", "٣", "1_0")
ODD = (
    "\x1b[2J",
    "\x00",
    "\n",
    "\r",
    "\u202e",
    "\ud800",
    "é",
    "#",
    "'",
    '"',
    "\\",
    "__class__",
    "{}",
    "🎉",
    "%s",
)
CONDITIONS = ("min(f) < 0.1", "c[0] > prev(c[0])", "t % 3 == 1", "isnan(c[9])", "max(z) > 0.9")


def garbage(dice: random.Random) -> str:
    """A line of real words, numbers, signs and things that belong nowhere."""
    pools = (WORDS, PARTS, PARTS, NUMBERS, ODD)
    line = [dice.choice(VERB_LIKE), *(dice.choice(dice.choice(pools)) for _ in range(dice.randrange(6)))]
    if dice.random() < 0.1:
        line.append("".join(chr(dice.randrange(0x3000)) for _ in range(dice.randrange(20))))
    return dice.choice((" ", " ", " ", "", "\t")).join(line)


def plausible(dice: random.Random) -> str:
    """A line that is a command, though not always one that can be done."""
    n, condition = dice.choice((1, 2, 3, 5, 8, 13, 40)), dice.choice(CONDITIONS)
    numbered = ("step", "back", "goto", "goto -", "layer", "batch", "unit", "unwatch", "break at", "loss at")
    lines = chain(
        (f"{verb} {n}".replace("- ", "-") for verb in (*numbered, "delete", "disable", "enable")),
        (f"{verb} {condition}" for verb in ("print", "expect", "watch", "break when")),
        ("into", "out", "first", "last", "continue", "rcontinue", "breaks", "model big", "model small"),
        (f"break when {condition} note so it is", f"set f[{n}] = {n}", "direction backward"),
    )
    return dice.choice(list(lines))


def understood(line: str) -> Command | None:
    """The command of a line; None where it is refused, in words that are safe to show, or blank."""
    try:
        command = parse_line(line)
    except ScriptError as error:
        place = error.problems[0]
        if printable(str(error)) != str(error) or not 1 <= place.column <= len(line) + 1:
            raise AssertionError(f"{line!r}: {error}") from error
        return None
    return command


def test_ten_thousand_random_lines_leave_a_session_that_can_be_used() -> None:
    big = synthetic("lstm", 10, 6, layers=2, bidirectional=True, batch=3, lengths=(10, 4, 7), name="big")
    session = Session(Traces({"big": big, "small": synthetic("gru", 6, 12, name="small")}))
    dice = random.Random(20)
    done = 0
    for _ in range(10_000):
        line = dice.choice((garbage, plausible))(dice)
        complete(line, session)
        command = understood(line)
        if command is None:
            continue
        outcome = execute(session, command)
        assert outcome.text, line
        assert printable(outcome.text + command.text) == outcome.text + command.text, line
        assert 0 <= session.cursor.t <= session.last_t, line
        done += 1
        if len(session.breakpoints) > 20:
            session.breakpoints.delete(next(iter(session.breakpoints)).id)
    assert 4_000 < done < 7_000
    for line in ("model big", "layer 0", "direction forward", "batch 0", "goto 3"):
        command = understood(line)
        assert command is not None
        assert execute(session, command).ok
    assert session.cursor.t == 3

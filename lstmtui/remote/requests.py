"""What a client asks an agent for."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.remote.runs import Run, State, Where

PROTOCOL = 1
"""The version of the messages; ends whose versions differ do not talk."""
SESSION_DIGITS = 32
"""Hexadecimal digits of a session's name."""


@dataclass(frozen=True)
class Hello:
    """The first message of either end."""

    lstmtui: str
    """The program's version."""
    protocol: int
    session: str = ""
    """From the client: a random name, by which a later agent finds what an earlier one recorded."""
    torch: bool = True
    """From the agent: whether models can be run there."""


@dataclass(frozen=True)
class Open:
    """Open a scenario, which is recorded, or a saved trace; answered by `Opened`."""

    path: str
    device: str | None = None
    dtype: str | None = None
    trust: bool = False
    """Whether the user lets the scenario run code of theirs."""
    token: str = ""
    """Of what the client knows already; where it is still the same, the answer is this token alone."""
    wait: bool = False
    """Whether to wait for a trace that is not there yet."""


@dataclass(frozen=True)
class Answer:
    """Answer a reading."""

    reading: str
    arguments: dict[str, object]
    where: Where
    state: State | None = None
    """None: every opened run, without what-ifs."""


@dataclass(frozen=True)
class Rerun:
    """Run a model again with what-ifs; answered by `Model`."""

    run: Run


@dataclass(frozen=True)
class Load:
    """Find a saved run on the agent's machine; answered by `Model`, or None where there is no trace."""

    run: Run


@dataclass(frozen=True)
class Elements:
    """Part of an array: an integer or (start, stop, step) for each of its first axes."""

    run: Run
    key: int
    """The position of the array in `Model.arrays`."""
    index: tuple[int | tuple[int, int, int], ...]


@dataclass(frozen=True)
class Export:
    """Export what is selected; answered by parts of the file, and then its size."""

    name: str
    where: Where
    state: State | None = None
    offset: int = 0
    """Bytes that have arrived before."""


@dataclass(frozen=True)
class Poll:
    """What was opened, if it is not what the client knows of any more: `Opened`, else None."""

    token: str


Request = Open | Answer | Rerun | Load | Elements | Export | Poll
REQUESTS: dict[str, type[Request]] = {
    "open": Open,
    "answer": Answer,
    "rerun": Rerun,
    "load": Load,
    "elements": Elements,
    "export": Export,
    "poll": Poll,
}
"""By the word that a message says in `do`. Besides these there are `ping`, `cancel` and `bye`."""

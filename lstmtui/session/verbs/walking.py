"""Verbs that move through time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstmtui.printable import printable
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.verbs.verb import Execute, Verb


def movement(move: Callable[..., Stop]) -> Execute:
    """A movement of the session's cursor as what a verb executes."""
    return lambda session, *arguments: moved(move(session, *arguments))


def moved(stop: Stop) -> Outcome:
    """The outcome of a movement."""
    shown = replace(stop, text=printable(stop.text))
    return Outcome(stop.ok, shown.text, stop=shown)


def _goto(session: Session, t: int) -> Stop:
    return session.goto(session.last_t + 1 + t if -session.last_t - 1 <= t < 0 else t)


WALKING = (
    Verb(
        name="step",
        usage="step [N]",
        help="go 1 timestep, or N, forward",
        parse=arguments.count,
        execute=movement(Session.step),
        aliases=("n", "s"),
        other_names=("next",),
        walks=True,
    ),
    Verb(
        name="back",
        usage="back [N]",
        help="go 1 timestep, or N, back",
        parse=arguments.count,
        execute=movement(Session.back),
        other_names=("reverse-step",),
        walks=True,
    ),
    Verb(
        name="goto",
        usage="goto T",
        help="go to timestep T; -1 is the last one",
        parse=arguments.timestep,
        execute=movement(_goto),
        other_names=("jump",),
    ),
    Verb(
        name="first",
        usage="first",
        help="go to the first timestep",
        parse=arguments.nothing,
        execute=movement(Session.first),
    ),
    Verb(
        name="last",
        usage="last",
        help="go to the last timestep",
        parse=arguments.nothing,
        execute=movement(Session.last),
    ),
    Verb(
        name="into",
        usage="into",
        help="the next equation inside this timestep, or the next binding of recorded code",
        parse=arguments.nothing,
        execute=movement(Session.into),
        walks=True,
    ),
    Verb(
        name="out",
        usage="out",
        help="out of a function of recorded code; else back to whole timesteps",
        parse=arguments.nothing,
        execute=movement(Session.out),
        other_names=("finish",),
        walks=True,
    ),
)

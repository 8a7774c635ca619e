"""Verbs for front ends with a screen: panels, the scale of time, differences, the theme."""

from __future__ import annotations

from collections.abc import Callable

from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.requests import (
    PANELS,
    THEMES,
    Fit,
    Request,
    ShowDifference,
    ShowMessages,
    ShowPanel,
    ShowTheme,
)
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.verb import Execute, Verb
from lstmtui.wording import counted


def request(make: Callable[..., Request], sentence: str) -> Execute:
    """What a verb executes that only a front end can do; the sentence says it with the arguments."""
    return lambda session, *arguments: Outcome(True, sentence.format(*arguments), request=make(*arguments))


def _fit(session: Session, timesteps: int | None) -> Outcome:
    text = (
        "the whole run on the screen"
        if timesteps is None
        else f"up to {counted(timesteps, 'timestep')} a column"
    )
    return Outcome(True, text, request=Fit(timesteps))


SHOWING = (
    Verb(
        name="panel",
        usage="panel KEY",
        help="jump to a panel by its key; all: out of the one that has the screen",
        parse=arguments.one_of("the panel's key", PANELS),
        execute=request(ShowPanel, "panel {}"),
        complete=completions.only(lambda session: PANELS),
    ),
    Verb(
        name="fit",
        usage="fit [N]",
        help="fit the whole run on the screen, and back; N: up to N timesteps a column",
        parse=arguments.optional_identity("the timesteps a column"),
        execute=_fit,
    ),
    Verb(
        name="difference",
        usage="difference",
        help="maps of the difference to what is compared, or to the run without what-ifs, and back",
        parse=arguments.nothing,
        execute=request(ShowDifference, "maps of a difference, or of the values again"),
    ),
    Verb(
        name="theme",
        usage="theme dark|light|auto",
        help="a dark or a light background; auto: as it was at the start",
        parse=arguments.one_of("the theme", THEMES),
        execute=request(ShowTheme, "theme {}"),
        complete=completions.only(lambda session: THEMES),
    ),
    Verb(
        name="messages",
        usage="messages",
        help="read again what was said so far",
        parse=arguments.nothing,
        execute=request(ShowMessages, "what was said stands above"),
    ),
)

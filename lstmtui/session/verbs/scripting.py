"""Verbs for scripts: notes, pauses, expectations, files to write, help, and the end."""

from __future__ import annotations

from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import expectation
from lstmtui.help import TOPICS
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.place_text import place_text
from lstmtui.session.requests import Export, Help, Note, Pause, Quit, Screenshot
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.showing import request
from lstmtui.session.verbs.verb import Verb


def _expect(session: Session, condition: Expression) -> Outcome:
    result = expectation(session.view, condition)
    if result.error:
        text = f"{condition.text}: {result.error}, at {place_text(session)}"
        return Outcome(False, text, expect=False)
    verdict = "holds" if result.held else "does not hold"
    is_told = result.operands and not session.unseen & condition.quantities
    values = f": {result.operands}" if is_told else ""
    text = f"{condition.text} {verdict}{values} at {place_text(session)}"
    return Outcome(result.held, text, expect=result.held)


def _help(session: Session, topic: str | None) -> Outcome:
    return Outcome(True, "help" if topic is None else f"help on {topic}", request=Help(topic))


_PICTURES = (".svg", ".png")
_NUMBERS = (".csv", ".npz")

SCRIPTING = (
    Verb(
        name="note",
        usage="note TEXT",
        help="say something",
        parse=arguments.rest("the text"),
        execute=request(Note, "{}"),
        in_lesson="speaks",
    ),
    Verb(
        name="pause",
        usage="pause SECONDS",
        help="wait while a script plays",
        parse=arguments.seconds,
        execute=request(Pause, "pause of {:g} s"),
        in_lesson="waits",
    ),
    Verb(
        name="expect",
        usage="expect EXPR",
        help="fail unless a condition holds here",
        parse=arguments.condition,
        execute=_expect,
        complete=completions.expression,
        other_names=("assert",),
        reads="arrays",
        in_lesson="checks",
    ),
    Verb(
        name="screenshot",
        usage="screenshot FILE",
        help="save the screen as an .svg or .png picture",
        parse=arguments.file_name(*_PICTURES),
        execute=request(Screenshot, "screenshot to {}"),
        takes_picture=True,
        writes=_PICTURES,
    ),
    Verb(
        name="export",
        usage="export FILE",
        help="save the numbers as .csv or .npz",
        parse=arguments.file_name(*_NUMBERS),
        execute=request(Export, "export to {}"),
        reads="arrays",
        writes=_NUMBERS,
    ),
    Verb(
        name="help",
        usage="help [TOPIC]",
        help="show a topic of the reference, or what there is",
        parse=arguments.optional_topic,
        execute=_help,
        complete=completions.only(lambda session: TOPICS),
        aliases=("h",),
    ),
    Verb(
        name="quit",
        usage="quit",
        help="leave",
        parse=arguments.nothing,
        execute=request(Quit, "quit"),
        aliases=("q",),
        other_names=("exit",),
        ends=True,
    ),
)

"""Everything that the help lists: keys, commands, panels, scenarios and topics that it can run, and texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from lstmtui.cells import CELLS
from lstmtui.cells.glossary import GLOSSARY
from lstmtui.help import TOPICS
from lstmtui.session import ScriptError, Session, parse_line
from lstmtui.session.verbs import VERBS
from lstmtui.tui.keys import KEYS, label
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans

Run = Callable[[], Awaitable[object] | None]


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the help."""

    group: str
    spans: Spans
    run: Run | None = None
    """Does what the line says; None: it is only read."""

    @property
    def text(self) -> str:
        """What a filter looks in."""
        return " ".join((self.group, *(text for text, _ in self.spans)))


class Actor(Protocol):
    """What the help needs of a debugger's screen to execute an entry."""

    session: Session

    @property
    def panels(self) -> Mapping[int, Panel]:
        """By number."""

    def run_action(self, action: str) -> Awaitable[object]:
        """What a key does."""

    def run_text(self, text: str) -> None:
        """Execute a command."""

    def action_command(self, begun: str = "") -> None:
        """Open the prompt with something typed already."""


def entries(
    look: Look, actor: Actor | None, choices: Sequence[Choice], opens: Callable[[Path], None]
) -> Iterator[Entry]:
    """Everything, in the order of the page.

    Args:
        look: what the terminal can show.
        actor: who does what the lines say; None: nobody, they are only read.
        choices: the scenarios that can be opened.
        opens: opens one of them.
    """
    yield from _keys(look, actor)
    yield from _commands(actor)
    if actor is not None:
        yield from _panels(actor)
        for choice in choices:
            spans = _line("", choice.title, choice.note)
            yield Entry("Scenarios", spans, partial(opens, choice.path))
    for topic, summary in TOPICS.items():
        run = None if actor is None else partial(actor.run_text, f"help {topic}")
        yield Entry("Reference", _line(f":help {topic}", summary), run)
    yield from _words_to_read()


def _line(sign: str, text: str, more: str = "") -> Spans:
    return ((f"{sign:<22} " if sign else "", "key"), (text, "text"), (f"  {more}" if more else "", "muted"))


def _keys(look: Look, actor: Actor | None) -> Iterator[Entry]:
    for key in sorted(KEYS, key=lambda key: [k.group for k in KEYS].index(key.group)):
        run = partial(actor.run_action, key.action) if actor is not None and key.action else None
        command = f":{key.command}" if key.command else "key only"
        yield Entry(key.group, _line(label(key, ascii=look.ascii), key.help, command), run)


def _commands(actor: Actor | None) -> Iterator[Entry]:
    for verb in VERBS.values():
        run = None if actor is None else partial(run_or_begin, actor, verb.name)
        yield Entry("Commands", _line(f":{verb.usage}", verb.help), run)


def run_or_begin(actor: Actor, verb: str) -> None:
    """Execute a command that needs no arguments; of another one open the prompt, with it typed already."""
    try:
        parse_line(verb)
    except ScriptError:
        actor.action_command(f"{verb} ")
    else:
        actor.run_text(verb)


def _panels(actor: Actor) -> Iterator[Entry]:
    for number, panel in actor.panels.items():
        if panel.fits(actor.session):
            yield Entry(
                "Panels", _line(panel.key, panel.TITLE), partial(actor.run_action, f"panel({number})")
            )


def _words_to_read() -> Iterator[Entry]:
    clicked = "a click on a map, a plot or a ruler goes to that timestep; on a unit, selects it"
    yield Entry("Mouse", _line("", clicked))
    for entry in GLOSSARY:
        also = f"  (also: {entry.also})" if entry.also else ""
        yield Entry("Glossary", ((f"{entry.name:<8}", entry.name), (entry.meaning, "text"), (also, "muted")))
    for cell in CELLS.values():
        yield Entry("Cells", ((f"{cell.name:<18}", "text"), (cell.summary, "muted")))
    for text in (
        "N  NaN   ^  +inf   v  −inf   0  zero on a log scale; a line is never drawn across them",
        "blank: past the end of a shorter sequence; ·: recorded code did not bind the name",
    ):
        yield Entry("Marks", _line("", text))

"""Checks a script without its numbers: which commands would be refused whatever the numbers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lstmtui.expressions import Expression
from lstmtui.expressions.hits import unfit
from lstmtui.session.execute import execute
from lstmtui.session.language import Command
from lstmtui.session.language.question import Question
from lstmtui.session.session import Session
from lstmtui.session.verbs import VERBS
from lstmtui.session.what_ifs import Progress
from lstmtui.trace import Trace, Traces
from lstmtui.trace.edits import Edit, LossAt

_NEEDS_THE_WAY = ("out", "answer", "older", "newer")
"""Verbs whose refusal depends on where a search stopped, or on what somebody answered."""


def rehearse(traces: Traces, commands: Iterable[Command]) -> Iterator[tuple[Command, str]]:
    """The commands that would be refused, each with the sentence that refuses it.

    Movements, selections, breakpoints and what-ifs are carried out, so that what follows is held against the
    model, layer and sequence that are selected then. Of what depends on numbers only the names and units are
    looked at; nothing is searched, and no file is written.

    Args:
        traces: of the right shapes; their numbers mean nothing.
        commands: of a script, in order.
    """
    session = Session(traces, _NothingRuns())
    for command in commands:
        verb = VERBS[command.verb]
        if verb.ends:
            return
        is_bookkeeping = verb.reads == "nothing" or verb.changes_run or verb.changes_saved_state
        if is_bookkeeping and command.verb not in _NEEDS_THE_WAY:
            outcome = execute(session, command)
            wrong = "" if outcome.ok else outcome.text
        else:
            misfits = (unfit(session.view, expression) for expression in _expressions(command.arguments))
            wrong = next(filter(None, misfits), "")
        if wrong:
            yield command, wrong


def _expressions(arguments: Sequence[object]) -> Iterator[Expression]:
    for argument in arguments:
        if isinstance(argument, Expression):
            yield argument
        elif isinstance(argument, Question):
            yield from argument.expressions


class _NothingRuns:
    """An engine with which no what-if changes the run."""

    def rerun(
        self,
        trace: Trace,
        edits: Sequence[Edit],
        loss_at: LossAt | None = None,
        progress: Progress | None = None,
    ) -> Trace:
        return trace

"""Verbs that change a run: what-ifs, another loss, and a run to compare with."""

from __future__ import annotations

from collections.abc import Callable

from lstmtui.analysis.comparison import divergence
from lstmtui.errors import UserError
from lstmtui.session.compare import compared_with
from lstmtui.session.language import Change, arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.completions import Begun
from lstmtui.session.verbs.selecting import model_names
from lstmtui.session.verbs.verb import Execute, Verb
from lstmtui.session.what_ifs import WhatIfs
from lstmtui.view import Cursor


def _what_if(change: Callable[..., str]) -> Execute:
    """What a verb executes on the what-ifs of a session, called with them, the cursor and the arguments."""

    def execute(session: Session, *arguments: object) -> Outcome:
        if session.what_ifs is None:
            raise UserError(
                "this session cannot run models again: it shows saved traces without their models"
            )
        return Outcome(True, change(session.what_ifs, session.cursor, *arguments))

    return execute


def _set(what_ifs: WhatIfs, cursor: Cursor, change: Change) -> str:
    return what_ifs.set(cursor, change)


def _loss(what_ifs: WhatIfs, cursor: Cursor, t: int, name: str | None, unit: int | None) -> str:
    return what_ifs.loss(cursor, t, name, unit)


def _unset(what_ifs: WhatIfs, _cursor: Cursor, number: int | None) -> str:
    return what_ifs.unset(number)


def _reset(what_ifs: WhatIfs, _cursor: Cursor) -> str:
    return what_ifs.reset()


def _complete_set(session: Session, begun: Begun) -> list[str]:
    before, names = begun.before, completions.quantities(session)
    if not before:
        settable = (q for q in names if not (q.startswith("d") and q[1:] in names))
        return completions.beginning(begun.last, settable)
    words: tuple[str, ...] = ()
    if "=" in " ".join(before):
        if "from" not in before:
            words = () if before[-1].endswith("=") else ("from",)
        elif before[-2] == "from":
            words = ("to",)
    return completions.beginning(begun.last, words)


def _complete_loss(session: Session, begun: Begun) -> list[str]:
    return completions.beginning(begun.last, {0: ("at",), 2: ("unit",)}.get(len(begun.before), ()))


def _compare(session: Session, word: str | None) -> Outcome:
    session.compared = compared_with(session, word)
    if session.compared is None:
        return Outcome(True, "nothing is compared")
    try:
        where = divergence(session.view, session.compared)
    except UserError as error:
        return Outcome(True, f"compared with {word}; where they part cannot be said: {error}")
    return Outcome(True, f"compared with {word}; {where or 'the two runs do not differ by more than 1e-06'}")


CHANGING = (
    Verb(
        name="set",
        usage="set QUANTITY[UNIT] = VALUE [from T [to T2]]",
        help="what if: run again with a value changed, beside the baseline",
        parse=arguments.change,
        execute=_what_if(_set),
        complete=_complete_set,
        reads="arrays",
        runs_model=True,
        changes_run=True,
    ),
    Verb(
        name="unset",
        usage="unset [N]",
        help="take back what-if N, or the latest",
        parse=arguments.optional_identity("the what-if"),
        execute=_what_if(_unset),
        reads="arrays",
        runs_model=True,
        changes_run=True,
    ),
    Verb(
        name="reset",
        usage="reset",
        help="take back every what-if",
        parse=arguments.nothing,
        execute=_what_if(_reset),
        reads="arrays",
        changes_run=True,
    ),
    Verb(
        name="loss",
        usage="loss at T [of NAME] [unit K]",
        help="take the gradients of h at one timestep",
        parse=arguments.loss_place,
        execute=_what_if(_loss),
        complete=_complete_loss,
        reads="arrays",
        runs_model=True,
        changes_run=True,
    ),
    Verb(
        name="compare",
        usage="compare MODEL|TRACE|none",
        help="look at two runs on one cursor",
        parse=arguments.compared,
        execute=_compare,
        complete=completions.name(lambda session: (*model_names(session), "none")),
        reads="arrays",
        changes_run=True,
    ),
)

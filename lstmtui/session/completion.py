"""What may come next in a line that is being typed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lstmtui.expressions import FUNCTIONS, SCALARS
from lstmtui.printable import printable
from lstmtui.session.language.verbs import ALIASES, VERBS
from lstmtui.session.session import Session

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*$")
_NAMED = {"model", "compare"}
"""Verbs whose argument is a name with spaces in it, perhaps."""


def complete(text: str, session: Session) -> list[str]:
    """The words that may stand where the last word of `text` is being typed; sorted, each whole and once.

    The last word is what follows the last space; in an expression, the name at the very end; for a model,
    everything after the verb.
    """
    words = text.split()
    typing_verb = not words or (len(words) == 1 and not text[-1].isspace())
    if typing_verb:
        return _beginning(words[0] if words else "", VERBS)
    verb = ALIASES.get(words[0], words[0])
    begun = text.lstrip()[len(words[0]) :].lstrip()
    if verb in _NAMED:
        others = ("none",) if verb == "compare" else ()
        return _beginning(begun, (*map(printable, session.traces), *others))
    if text[-1].isspace():
        before, last = words[1:], ""
    else:
        before, last = words[1:-1], words[-1]
    return _arguments(verb, before, last, session)


def _arguments(verb: str, before: list[str], last: str, session: Session) -> list[str]:
    """Candidates after a verb, the words `before` and the begun word `last`."""
    if verb in ("print", "watch", "expect"):
        return _in_expression(last, session)
    if verb == "break":
        if before[:1] == ["when"] and "note" not in before:
            return _in_expression(last, session, ("note",) if len(before) > 1 else ())
        return _beginning(last, () if before else ("when", "at"))
    if verb == "set":
        return _beginning(last, _after_set(before, session))
    if verb == "loss":
        return _beginning(last, {0: ("at",), 2: ("unit",)}.get(len(before), ()))
    return _beginning(last, () if before else _single(verb, session))


def _single(verb: str, session: Session) -> Iterable[str]:
    """The only argument of a verb, where what there is can be listed."""
    match verb:
        case "first-bad":
            return ("forward", "backward")
        case "direction":
            return session.layer.directions
        case "layer":
            return (str(n) for n in range(len(session.trace.layers)))
        case "delete" | "enable" | "disable":
            return (str(point.id) for point in session.breakpoints)
        case "unwatch":
            return (str(watch.id) for watch in session.watches)
        case _:
            return ()


def _after_set(before: list[str], session: Session) -> Iterable[str]:
    if not before:
        return (q for q in _quantities(session) if not (q.startswith("d") and q[1:] in _quantities(session)))
    if "=" not in " ".join(before):
        return ()
    if "from" not in before:
        return () if before[-1].endswith("=") else ("from",)
    return ("to",) if before[-2] == "from" else ()


def _in_expression(last: str, session: Session, others: Iterable[str] = ()) -> list[str]:
    match = _NAME.search(last)
    if match is None and last[-1:] in (")", "]", *"0123456789"):
        return []
    names = (*_quantities(session), *FUNCTIONS, *SCALARS, "and", "or", "not", *others)
    return _beginning(match[0] if match else "", names)


def _quantities(session: Session) -> tuple[str, ...]:
    return session.trace.quantities(session.cursor.layer)


def _beginning(begun: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(begun)})

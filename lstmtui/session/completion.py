"""What may come next in a line that is being typed."""

from __future__ import annotations

from lstmtui.session.session import Session
from lstmtui.session.verbs import ALIASES, VERBS
from lstmtui.session.verbs.completions import Begun, beginning


def complete(text: str, session: Session) -> list[str]:
    """The words that may stand where the last word of `text` is being typed; sorted, each whole and once.

    The last word is what follows the last space; in an expression, the name at the very end; for a model,
    everything after the verb.
    """
    words = text.split()
    ends_with_blank = text[-1:].isspace()
    if not words or (len(words) == 1 and not ends_with_blank):
        return beginning(words[0] if words else "", VERBS)
    verb = VERBS.get(ALIASES.get(words[0], words[0]))
    if verb is None:
        return []
    arguments = text.lstrip()[len(words[0]) :].lstrip()
    complete_words, last = (words[1:], "") if ends_with_blank else (words[1:-1], words[-1])
    return verb.complete(session, Begun(arguments, tuple(complete_words), last))

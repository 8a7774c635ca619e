"""Which run `compare` means: a model of the session, or a saved trace."""

from __future__ import annotations

from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.session.session import Session
from lstmtui.trace import Trace, Traces, is_trace, load


def compared_with(session: Session, word: str | None) -> Trace | None:
    """The run that the word of `compare` means: of a model of this session, with its what-ifs, or saved.

    Args:
        session: whose models are meant, before any file.
        word: a model's name, the path of a saved trace, or None (in the command language `none`). Of a
            trace of several models the one named as the selected model is taken.

    Raises:
        UserError: there is no such run, it is the one on screen already, or the trace cannot be read.
    """
    if word is None:
        return None
    if word == session.cursor.model:
        raise UserError(f"{printable(word)}: is on screen already; compare it with {_others(session)}")
    if word in session.traces:
        return session.changed.get(word, session.traces[word])
    load_run = saved_run if session.backend is None else session.backend.load
    run = load_run(word, session.cursor.model)
    if run is None:
        raise UserError(f"{printable(word)}: no model and no saved trace; compare with {_others(session)}")
    return run


def saved_run(word: str, model: str) -> Trace | None:
    """A run that was saved in this file system; None where there is no trace.

    Args:
        word: the path of the trace.
        model: which one is taken of a trace of several.

    Raises:
        UserError: the trace cannot be read, or there is no such model in it.
    """
    try:
        path = Path(word).expanduser()
        has_trace = is_trace(path)
    except (OSError, ValueError, RuntimeError):
        has_trace = False
    return _chosen(load(path), model, word) if has_trace else None


def _chosen(saved: Trace | Traces, model: str, word: str) -> Trace:
    if isinstance(saved, Trace):
        return saved
    if model in saved:
        return saved[model]
    if len(saved) == 1:
        return next(iter(saved.values()))
    names = ", ".join(printable(name) for name in saved)
    raise UserError(f"{printable(word)}: holds {names}, and none is called {printable(model)}")


def _others(session: Session) -> str:
    """The other models of the session, and the words for a saved trace."""
    names = [printable(name) for name in session.traces if name != session.cursor.model]
    return ", ".join([*names, "the path of a saved trace"])

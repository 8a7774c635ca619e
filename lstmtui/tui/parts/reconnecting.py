"""Reconnecting to the machine that has the arrays."""

from __future__ import annotations

from lstmtui.session import Outcome, Session


def reconnect(session: Session) -> Outcome:
    """Try a lost link again now."""
    backend = session.backend
    if backend is None or not backend.link_status:
        why = "the link is up" if backend else "the arrays are here"
        return Outcome(False, f"nothing to reconnect: {why}")
    backend.reconnect()
    return Outcome(True, "reconnecting")

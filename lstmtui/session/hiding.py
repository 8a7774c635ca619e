"""The text that is shown in place of hidden values."""

from __future__ import annotations

from collections.abc import Iterable

from lstmtui.session.session import Session


def hidden_text(session: Session, quantities: Iterable[str]) -> str:
    """Which of these quantities are hidden, in a sentence; empty where none is."""
    names = sorted(session.unseen.intersection(quantities))
    verb = "is" if len(names) == 1 else "are"
    return f"{', '.join(names)} {verb} hidden; `reveal` shows everything again" if names else ""

"""A question of a lesson that waits for its answer."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.session.language.question import Question
from lstmtui.view import View


@dataclass(frozen=True)
class OpenQuestion:
    """A question that waits for its answer, wherever the cursor goes meanwhile."""

    question: Question
    view: View
    """The run and the place it is about."""
    hidden_before: frozenset[str]
    """What was hidden before it was asked, and stays so after the answer."""

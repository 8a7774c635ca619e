"""What a verb selects one of: layers, directions, models and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lstmtui.errors import UserError
from lstmtui.session.session import Session


@dataclass(frozen=True)
class Selection:
    """What can be selected, as it is written after the verb."""

    choices: Callable[[Session], Sequence[str]]
    selected: Callable[[Session], str]
    noun: str = ""
    """What a choice is called where there is no other; empty: then the same is selected again."""

    def next(self, session: Session, by: int) -> str:
        """The choice `by` places on from the selected one, round to the first.

        Raises:
            UserError: there is no other.
        """
        choices = self.choices(session)
        if len(choices) == 1 and self.noun:
            raise UserError(f"there is only one {self.noun}")
        return choices[(choices.index(self.selected(session)) + by) % len(choices)]


def numbers(count: int) -> list[str]:
    """From 0 on."""
    return [str(number) for number in range(count)]

"""A question of a script, parsed: what `ask` asks, and the form of its answer."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.expressions import Expression

TOLERANCE = 0.05
"""How far an answer may lie from the value and be right, relative to it, where `ask` does not say."""


@dataclass(frozen=True)
class Choice:
    """One of the answers to choose from."""

    text: str
    when: Expression | None = None
    """The condition under which it is the right one; None: where no other is."""


@dataclass(frozen=True)
class Question:
    """A question about a value: the answer is a number, or one of several choices."""

    text: str
    value: Expression | None = None
    """What is asked for; None: there are choices."""
    tolerance: float = TOLERANCE
    """Relative to the value."""
    choices: tuple[Choice, ...] = ()

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What its answer is worked out of."""
        conditions = (choice.when for choice in self.choices)
        return tuple(e for e in (self.value, *conditions) if e is not None)

    @property
    def quantities(self) -> frozenset[str]:
        """The quantities that would give the answer away; the input never does."""
        return frozenset(q for e in self.expressions for q in e.quantities if q != "x")

    @property
    def options(self) -> tuple[str, ...]:
        """The choices in the order in which they are shown, which does not give the right one away."""
        texts = tuple(choice.text for choice in self.choices)
        return texts if self.is_decided_by_run else tuple(sorted(texts))

    @property
    def is_decided_by_run(self) -> bool:
        """Whether a choice has a condition; of choices without any the first is the right one."""
        return any(choice.when is not None for choice in self.choices)

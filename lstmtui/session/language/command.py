"""One command of the language, parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A what-if: what `set` asks for."""

    quantity: str
    """A quantity of the layer, or x; never a derivative."""
    unit: int | tuple[int, ...] | None
    """One unit, or its number along each axis, negative numbers counting from the last; None: every unit."""
    value: float
    start: int | None
    """The first timestep that is changed; None: the first of the sequence."""
    stop: int | None
    """The last timestep that is changed; None: the last of the sequence."""

    def __str__(self) -> str:
        numbers = self.unit if isinstance(self.unit, tuple) else (self.unit,)
        unit = "" if self.unit is None else f"[{', '.join(map(str, numbers))}]"
        start = "" if self.start is None else f" from {self.start}"
        stop = "" if self.stop is None else f" to {self.stop}"
        return f"{self.quantity}{unit} = {self.value:.12g}{start}{stop}"


@dataclass(frozen=True)
class Command:
    """A verb and its arguments, ready to be executed."""

    verb: str
    """A key of `VERBS`; an alias is written out."""
    arguments: tuple[Any, ...]
    """As the verb's `parse` leaves them: int, float, str, Expression, Change, or None where left out."""
    text: str
    """The command as it was written, without its comment; safe to show."""
    line: int = 1
    """The line of the script, counted from 1."""

    def refused(self, why: str) -> str:
        """The message that a command cannot be executed, and why; no phrase is said twice."""
        name, colon, rest = why.partition(": ")
        is_said = bool(colon) and f" {self.text}".endswith(f" {name}")
        return f"{self.text}: {rest if is_said else why}"

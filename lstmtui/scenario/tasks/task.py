"""What a task is: a seeded generator of sequences together with what is to be learned from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from lstmtui.arrays import Array


@dataclass(frozen=True)
class TaskData:
    """The sequences of a task, and its objective."""

    labels: tuple[str, ...]
    """The channels, or the vocabulary."""
    loss: str
    at: str
    target: Array
    """(T, B, O) float64, or (T, B) int64 ids."""
    defined: Array
    """(T, B) bool: the timesteps that have a target."""
    values: Array | None = None
    """(T, B, I) float64."""
    tokens: Array | None = None
    """(T, B) int64."""

    @property
    def mask(self) -> Array:
        """(T, B) bool: where the task's own loss is taken."""
        if self.at == "every":
            return self.defined
        mask = self.defined.copy()
        mask[:-1] = False
        return mask


@dataclass(frozen=True)
class Option:
    """A key of a task besides length, batch and seed."""

    default: float
    least: float
    most: float
    help: str
    """One line, without a full stop."""

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return isinstance(self.default, int)


@dataclass(frozen=True)
class Task:
    """A task that a scenario can name."""

    name: str
    summary: str
    """One line: what is to be learned."""
    generate: Callable[..., TaskData]
    """Called as generate(length, batch, rng, **options)."""
    length: int
    """The default number of timesteps."""
    least_length: Callable[[Mapping[str, float]], int]
    """The shortest length for given options."""
    options: Mapping[str, Option] = field(default_factory=dict)

    def settings(self, options: Mapping[str, float]) -> dict[str, float]:
        """Every option, as given or by default."""
        return {name: options.get(name, option.default) for name, option in self.options.items()}


Generator: TypeAlias = "np.random.Generator"

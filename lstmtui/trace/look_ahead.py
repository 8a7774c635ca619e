"""Whether what the loss reads at a timestep depends on later input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LookAheadKind = Literal["none", "ahead", "meant", "copied", "unknown"]
"""It does not; it does; it does because of what a layer is, such as one that reads backward; what is to be
predicted is the very input that has just been read; it could not be seen."""


@dataclass(frozen=True)
class LookAhead:
    """Whether the loss of a whole run looks ahead."""

    kind: LookAheadKind
    text: str
    """In a sentence without a full stop; where it could not be seen, why."""
    t: int = 0
    """A timestep that the loss reads, and that does."""
    until: int = 0
    """The last timestep of the input that it depends on, as far as that was looked at."""

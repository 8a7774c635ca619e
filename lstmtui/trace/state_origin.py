"""Where the states of a layer come from: what it begins with, and what its model does to them in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lstmtui.wording import first_of

BeginningKind = Literal[
    "zeros", "given", "parameter", "layer", "computed", "drawn", "carried", "earlier graph"
]
"""zeros; given by the caller; a learned parameter; what another layer ended with; computed from what other
layers returned; drawn at random in the call; kept by the model since an earlier call; made in an earlier
call, with the graph of that call behind it."""

ChangeKind = Literal["reset", "changed", "detached", "attached"]
"""To zeros, in some sequence or all; to other numbers; out of the graph; left in a graph that a
backward pass has gone through already."""

SHOWN = 8
"""So many timesteps are named."""


@dataclass(frozen=True)
class StateChange:
    """What happened to the states before some of the timesteps."""

    kind: ChangeKind
    timesteps: tuple[int, ...]
    """The first of them."""
    count: int
    """How many there are."""

    def __str__(self) -> str:
        attached = "on the graph of calls that backward had gone through"
        words = attached if self.kind == "attached" else self.kind
        return f"{words} before t={first_of([str(t) for t in self.timesteps], SHOWN, self.count)}"


@dataclass(frozen=True)
class StateOrigin:
    """The origin of the states of one layer and direction."""

    kind: BeginningKind
    begins: str
    """From what, in words: "zeros", "what encoder l0 forward ended with"."""
    changes: tuple[StateChange, ...] = ()

    def sentence(self, calls: int) -> str:
        """The origin in words, without a full stop.

        Args:
            calls: how many calls the timesteps come from.
        """
        parts = [f"begins from {self.begins}"]
        for change in self.changes:
            is_every = change.count == calls - 1 > 1 and change.kind != "attached"
            parts.append(f"{change.kind} before each of {calls:,} calls" if is_every else str(change))
        return "; ".join(parts)

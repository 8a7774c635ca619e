"""How the two ends name runs and places: with all that an agent that is new needs to answer."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.arrays import Array
from lstmtui.trace import Header
from lstmtui.trace.edits import Edit, LossAt


@dataclass(frozen=True)
class Run:
    """One run: as it was recorded, with what-ifs, or saved elsewhere."""

    model: int
    """The number of the model among those that were opened."""
    edits: tuple[Edit, ...] = ()
    loss: LossAt | None = None
    """What the gradients are taken of in place of the loss."""
    path: str | None = None
    """A saved trace on the agent's machine; `model` then says which one is taken of several."""
    generation: int = 0
    """How often what was opened has grown; the agent has but the latest."""

    @property
    def is_recorded(self) -> bool:
        """Whether it is one of those that were opened."""
        return not self.edits and self.loss is None and self.path is None


@dataclass(frozen=True)
class State:
    """The runs of a session."""

    traces: tuple[Run, ...]
    """Those without what-ifs, in the session's order."""
    changed: tuple[tuple[int, Run], ...] = ()
    """By position in `traces`, those with what-ifs."""
    compared: Run | None = None


@dataclass(frozen=True)
class Where:
    """A cursor; the model by its position in the session."""

    model: int = 0
    layer: int = 0
    direction: str = "forward"
    batch: int = 0
    unit: int = 0
    t: int = 0
    stage: int | None = None


@dataclass(frozen=True)
class ArrayShape:
    """An array that stays where it is."""

    key: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy writes it: <f4."""


@dataclass(frozen=True, eq=False)
class Model:
    """What a client knows of a run."""

    header: Header
    arrays: tuple[ArrayShape, ...]
    lengths: dict[str, Array]
    """By key, the small arrays that say how long the sequences are, (B,)."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What came of opening a target."""

    names: tuple[str, ...]
    models: tuple[Model, ...]
    several: bool
    """Whether they are `Traces`, be it of one model."""
    token: str = ""
    """Another one for whatever is not the same."""
    state: str = ""
    """ "live" while it is being recorded, how that ended, or empty where it was complete from the start."""

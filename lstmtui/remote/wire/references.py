"""How client and agent name runs and places: with all that a new agent needs to answer."""

from __future__ import annotations

from msgspec import Struct

from lstmtui.arrays import Array
from lstmtui.trace import Header
from lstmtui.trace.edits import Edit, LossAt


class RunReference(Struct, frozen=True, omit_defaults=True):
    """One run: the recorded one, one with what-ifs, or one saved on the agent's machine."""

    model: int
    """The number of the model among those that were opened."""
    edits: tuple[Edit, ...] = ()
    loss: LossAt | None = None
    """What the gradients are taken of in place of the loss; None: of the loss."""
    path: str | None = None
    """A saved trace on the agent's machine, `model` then says which of its models; None: what was opened."""
    generation: int = 0
    """How often what was opened has grown; the agent has but the latest."""

    @property
    def is_recorded(self) -> bool:
        """Whether it is one of those that were opened."""
        return not self.edits and self.loss is None and self.path is None


class ViewedRuns(Struct, frozen=True, omit_defaults=True):
    """The runs of a view."""

    run: RunReference
    """The runs that a view shows."""
    baseline: RunReference | None = None
    """The same without what-ifs; None: there are none."""


class CursorReference(Struct, frozen=True, omit_defaults=True):
    """A cursor; the model by its number among those that were opened."""

    model: int = 0
    layer: int = 0
    direction: str = "forward"
    batch: int = 0
    unit: int = 0
    t: int = 0
    stage: int | None = None
    """None: at whole timesteps."""


class ArrayShape(Struct, frozen=True):
    """An array that stays on the agent's machine."""

    key: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy writes it: <f4."""


class RunDescription(Struct, frozen=True, eq=False):
    """The description of a run that a client gets."""

    header: Header
    arrays: tuple[ArrayShape, ...]
    lengths: dict[str, Array]
    """By key, the small arrays that say how long the sequences are, (B,)."""


class Opened(Struct, frozen=True, eq=False):
    """The result of opening a target."""

    models: dict[str, RunDescription]
    """By name, in order."""
    several: bool
    """Whether they are `Traces`, be it of one model."""
    token: str = ""
    """The same for the same traces, and for no others."""
    state: str = ""
    """ "live" while it is being recorded, how that ended, or empty where it was complete from the start."""


def is_lengths(key: str) -> bool:
    """Whether an array says how many timesteps the sequences have."""
    return key == "lengths" or key.endswith("/lengths")

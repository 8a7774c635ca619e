"""What a command asks of a front end, as a session has no screen, no files and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lstmtui.analysis.jacobian_map import JacobianMap
from lstmtui.analysis.laws import LawResult
from lstmtui.analysis.why.ledger import Ledger


@dataclass(frozen=True)
class Note:
    """Show a text."""

    text: str


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Screenshot:
    """Save the screen as a picture."""

    file: str


@dataclass(frozen=True)
class Export:
    """Save the selected numbers."""

    file: str


@dataclass(frozen=True)
class Help:
    """Show the reference."""

    topic: str | None
    """One of `help.TOPICS`, or a word that one of them is about; None: what there is."""


@dataclass(frozen=True)
class ShowLaws:
    """Show the results of the laws of state."""

    results: tuple[LawResult, ...]


PANELS = (*"1234567890iv", "all")
"""The keys of panels, and what gives each its place again after one had the screen."""


@dataclass(frozen=True)
class ShowPanel:
    """Jump to a panel."""

    key: str
    """One of `PANELS`."""


@dataclass(frozen=True)
class Fit:
    """Let timesteps share columns."""

    timesteps: int | None
    """So many at most; None: as many as bring all of a run on the screen, or, where they do, one."""


@dataclass(frozen=True)
class ShowDifference:
    """Show maps of the difference to the other run, or of the values again."""


THEMES = ("dark", "light", "auto")
"""Kinds of background, and what it was at the start."""


@dataclass(frozen=True)
class ShowTheme:
    """Use the colours for a kind of background."""

    name: str
    """One of `THEMES`."""


@dataclass(frozen=True)
class ShowMessages:
    """Show the earlier messages."""


@dataclass(frozen=True)
class ShowJacobian:
    """Show how much each timestep depends on each other one."""

    map: JacobianMap
    t: int
    text: str
    names: tuple[str, ...]
    """Of what there are maps by: the states, h first, and x."""


@dataclass(frozen=True)
class ShowWhy:
    """Show what a number is made of, with a way to ask about its parts."""

    ledger: Ledger


@dataclass(frozen=True)
class Quit:
    """Leave."""


Request: TypeAlias = (
    Note
    | Pause
    | Screenshot
    | Export
    | Help
    | ShowLaws
    | ShowMessages
    | ShowPanel
    | Fit
    | ShowDifference
    | ShowTheme
    | ShowJacobian
    | ShowWhy
    | Quit
)

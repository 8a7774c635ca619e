"""What the app begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.trace import Trace, Traces

if TYPE_CHECKING:
    from lstmtui.session import Engine, Session
    from lstmtui.trace.growth import Follower
    from lstmtui.view import RemoteBackend

Progress = Callable[[str, int, int], None]
"""Called with (what is being recorded, timesteps done, timesteps in all)."""


@dataclass(frozen=True)
class Opening:
    """Something that becomes traces: a name to show, and the work, done off the event loop."""

    name: str
    work: Callable[[Progress], Trace | Traces]
    place: Path | str | None = None
    """The scenario's file or address, which its breakpoints and watches are kept for."""
    doing: str = "Recording"
    first: str = "loading torch"
    """What is said to be done, and the first step of it, until the work itself says more."""


COURSE_GROUP = "Course"
"""The group of the choices that are lessons, each followed by the next."""


@dataclass(frozen=True)
class Choice:
    """One scenario to pick."""

    path: Path
    title: str
    note: str = ""
    """A line about it."""
    group: str = ""
    """What it stands under in the list."""
    notes: Callable[[], str] | None = None
    """What its author says about it, in Markdown; read when it is looked at."""


@dataclass(frozen=True)
class Start:
    """Traces that are there, something to open, or a list to pick from."""

    traces: Trace | Traces | None = None
    session: Session | None = None
    """In place of traces: a session that is shown as it is."""
    place: Path | str | None = None
    """Where the traces come from, which their breakpoints and watches are kept for."""
    engine: Engine | None = None
    """What runs models again for what-ifs; without it there are none."""
    opening: Opening | None = None
    choices: Sequence[Choice] = ()
    opener: Callable[[Path], Opening] | None = None
    """Makes something to open of a choice; raises `lstmtui.UserError` where it cannot be opened."""
    backend: RemoteBackend | None = None
    """Where the arrays of the traces are, if they are not in this process."""
    follower: Follower | None = None
    """What the traces are asked of again, where they may grow."""
    follow: bool = False
    """Whether the cursor goes along with them from the start."""

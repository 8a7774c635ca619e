"""The history of a session: settings that `undo` restores, and places that `older` goes back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.view import Cursor

if TYPE_CHECKING:
    from lstmtui.session.breakpoints import Breakpoint
    from lstmtui.session.watches import WatchedExpression

MOST = 200
"""So many changes, and so many places, are remembered; older ones are forgotten."""


@dataclass(frozen=True)
class Setting:
    """Everything that can be undone, without the runs of what-ifs, which would fill memory."""

    breakpoints: tuple[Breakpoint, ...]
    watches: tuple[WatchedExpression, ...]
    edits: tuple[Edit, ...]
    losses: Mapping[str, LossAt]
    compared: str | Trace | None
    """What `compare` named: a model of the session, or a run of its own."""


@dataclass(frozen=True)
class Change:
    """What a command changed."""

    text: str
    """The command as it was written."""
    before: Setting
    after: Setting


@dataclass(frozen=True)
class History:
    """The earlier states of a session, and after `undo` or `older` also the later ones."""

    changes: tuple[Change, ...] = ()
    """What can be undone, the latest last."""
    undone: tuple[Change, ...] = ()
    """What can be done again, the next one last."""
    older: tuple[Cursor, ...] = ()
    """Where the cursor was, the latest last."""
    newer: tuple[Cursor, ...] = ()
    """Where it was before going back, the next one last."""
    walk: str = ""
    """What kind of movement the latest one was, where more of it belongs to it; empty where none does."""

    def changed(self, change: Change) -> History:
        """The history with one more change; what was undone before is forgotten."""
        return replace(self, changes=(*self.changes, change)[-MOST:], undone=())

    def moved(self, before: Cursor, walk: str = "") -> History:
        """The history with one more place that the cursor has left.

        Args:
            before: the place.
            walk: the kind of the movement; many of the same kind, one after another, left one place.
        """
        older = self.older if walk and walk == self.walk else (*self.older, before)[-MOST:]
        return replace(self, older=older, newer=(), walk=walk)

"""What a session asks of whoever can run its models again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lstmtui.trace import Trace

if TYPE_CHECKING:
    from lstmtui.session.language import Change


class Variants(Protocol):
    """The what-ifs of a session.

    Every method but `baseline` runs what has to be run, leaves the result in `Session.traces`, says in a
    sentence what it did, and raises UserError where that cannot be done.
    """

    def baseline(self, model: str) -> Trace | None:
        """The run of a model without what-ifs; None where that is the one in the session."""

    def set(self, change: Change) -> str:
        """Run with one more change."""

    def unset(self, number: int | None) -> str:
        """Take back one change; None: the latest."""

    def reset(self) -> str:
        """Take back every change."""

    def loss(self, t: int, unit: int | None) -> str:
        """Take the gradients of h at a timestep, of one unit or of their sum."""

    def compare(self, other: str | None) -> str:
        """Look at another model or saved trace on the same cursor; None: at one alone."""

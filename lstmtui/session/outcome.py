"""The outcome of a command, as data and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.analysis.why.ledger import Ledger
from lstmtui.arrays import Array
from lstmtui.session.grading import Grade
from lstmtui.session.requests import Request
from lstmtui.session.stop import Stop


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one command did: what a front end shows, prints or acts on."""

    ok: bool
    """Whether the command did what it asks; False: refused, or an `expect` that did not hold."""
    text: str
    """The same in one sentence, safe to show."""
    stop: Stop | None = None
    """Where a movement ended, and why."""
    value: float | bool | Array | None = None
    """What `print` found: one value, or (units,)."""
    ledger: Ledger | None = None
    """What `why` found: what a number is made of."""
    request: Request | None = None
    """What only a front end can do."""
    expect: bool | None = None
    """Whether an `expect` held; None for every other command."""
    grade: Grade | None = None
    """How near an `answer` came; None for every other command."""
    notes: tuple[tuple[int, str], ...] = ()
    """(t, text) of breakpoints with a note that were passed, in the order they were."""

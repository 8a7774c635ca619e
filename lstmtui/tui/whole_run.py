"""Whether a whole run is read at once, or off the event loop because that takes a while."""

from __future__ import annotations

from lstmtui.session import Session

_NUMBERS = 1 << 18
"""A quantity of so many numbers is read in a moment; so are the dozen or two of a layer."""


def is_small(session: Session) -> bool:
    """Whether reading every run of a session takes no longer than drawing a screen."""
    return session.backend is None and all(
        trace.steps * trace.batch * sum(layer.hidden_size for layer in trace.layers) <= _NUMBERS
        for trace in session.traces.values()
    )

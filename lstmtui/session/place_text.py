"""How the cursor's place is written where there is no panel: on the prompt, in logs, for screen readers."""

from __future__ import annotations

from lstmtui.printable import printable
from lstmtui.session.session import Session


def place_text(session: Session) -> str:
    """ "t=12", and as much of the rest of the cursor as there is a choice of."""
    cursor, trace = session.cursor, session.trace
    parts = [f"t={cursor.t}"]
    if len(session.traces) > 1:
        parts.append(f"model {cursor.model}")
    if len(trace.layers) > 1:
        parts.append(f"layer {cursor.layer}")
    if len(session.layer.directions) > 1:
        parts.append(cursor.direction)
    if trace.batch > 1:
        parts.append(f"batch {cursor.batch}")
    return printable(", ".join(parts))

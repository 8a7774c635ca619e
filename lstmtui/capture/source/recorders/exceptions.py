"""Which call raised the exception that ended a run."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.capture.source.bindings import Call


def raising_call(calls: Sequence[Call]) -> Call | None:
    """The innermost recorded call that the exception has left which left the outermost; None where none did.

    Exceptions that the code has caught have left inner calls only.

    Args:
        calls: in the order in which they began.
    """
    raised = [call for call in reversed(calls) if call.raised]
    innermost = next((call for call in raised if call.caller is None), None)
    here = innermost
    while here is not None:
        innermost = here
        # The last that it called: the exception ended it.
        here = next((c for c in raised if c.caller is innermost and c.raised == innermost.raised), None)
    return innermost

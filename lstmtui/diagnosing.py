"""`lstmtui.diagnose`: what is wrong with a recorded run, if anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmtui.trace import Trace

if TYPE_CHECKING:
    from lstmtui.analysis.diagnosis import Verdict


def diagnose(trace: Trace) -> tuple[Verdict, ...]:
    """Every verdict on a run: what is bad first, then what is worth a look, then what is fine.

    Each has a `name` such as "vanishing", a `severity` ("bad", "worth a look", "fine"), the `number` that
    was measured, and a `text`; `str` of one is a sentence. All of the run is read once.

    Args:
        trace: one run; of several, as `lstmtui.run` gives them, name one.

    Raises:
        TypeError: it is not a trace.
    """
    from lstmtui.analysis.diagnosis import diagnose_trace

    if not isinstance(trace, Trace):
        raise TypeError(f"trace: must be an lstmtui.Trace, is {type(trace).__name__}")
    return diagnose_trace(trace)

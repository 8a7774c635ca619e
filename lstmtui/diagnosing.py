"""`lstmtui.diagnose`: what is wrong with a recorded run, if anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmtui.trace import Trace

if TYPE_CHECKING:
    from lstmtui.analysis.diagnosis import Verdict


def diagnose(trace: Trace) -> tuple[Verdict, ...]:
    """Every verdict on a run: first what is bad, then what is worth a look, then what is fine.

    Each verdict has a `name` such as "vanishing", a `severity` ("bad", "worth a look", "fine", "not
    measured"), the `number` that was measured, and a `text`; `str(verdict)` is a sentence. The whole run is
    read once.

    Args:
        trace: one run. `lstmtui.run` returns several by name; pass one of them.

    Raises:
        TypeError: it is not a trace.
    """
    from lstmtui.analysis.diagnosis import diagnose_trace

    if not isinstance(trace, Trace):
        raise TypeError(f"trace: must be an lstmtui.Trace, is {type(trace).__name__}")
    return diagnose_trace(trace)

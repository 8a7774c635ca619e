"""Verdicts on NaN and inf."""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.analysis.diagnosis.verdict import BAD, FINE, Verdict, not_measured
from lstmtui.analysis.first_bad.answer import first_bad_of, why_no_backward
from lstmtui.trace import Trace


def finite_verdicts(trace: Trace) -> Iterator[Verdict]:
    """nonfinite: the first bad value of the run, and the first among its derivatives; any is bad."""
    absent = why_no_backward(trace)
    passes = [which for which in ("forward", "backward") if which == "forward" or not absent]
    bad = [_bad(trace, which) for which in passes]
    yield from (verdict for verdict in bad if verdict is not None)
    finite = "every number of the forward pass is finite"
    if absent:
        # Of a pass that did not happen nothing is known.
        after = "" if any(bad) else f"{finite}, so that a NaN that you met was made after the layers; "
        yield not_measured("nonfinite", None, "", f"{after}no backward pass was recorded: {absent}")
    elif not any(bad):
        yield Verdict("nonfinite", FINE, None, "", "", 0.0, 1.0, "every recorded number is finite")


def _bad(trace: Trace, which: str) -> Verdict | None:
    bad = first_bad_of(trace, which)
    if bad is None:
        return None
    next_ = "first-bad" if which == "forward" else "first-bad backward"
    units = (bad.unit,) if bad.layer is not None else ()
    text = f"{bad.what}; {bad.how}" if bad.how else bad.what
    return Verdict("nonfinite", BAD, bad.layer, bad.direction, bad.quantity, 1.0, 1.0, text, units, next_)

"""Verdicts on NaN and inf."""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.analysis.diagnosis.verdict import BAD, FINE, Verdict
from lstmtui.analysis.first_bad import first_bad_of
from lstmtui.trace import Trace


def finite_verdicts(trace: Trace) -> Iterator[Verdict]:
    """nonfinite: the first bad value of the run, and the first among its derivatives; any is bad."""
    for which in ("forward", "backward"):
        found = first_bad_of(trace, which)
        if found is None:
            continue
        next_ = "first-bad" if which == "forward" else "first-bad backward"
        # Every verdict is shown with its place before it.
        text = str(found).replace(f" in layer {found.layer} {found.direction}", "", 1)
        units = (found.unit,) if found.layer is not None else ()
        yield Verdict(
            "nonfinite", BAD, found.layer, found.direction, found.quantity, 1.0, 1.0, text, units, next_
        )
    if first_bad_of(trace) is None and first_bad_of(trace, "backward") is None:
        yield Verdict("nonfinite", FINE, None, "", "", 0.0, 1.0, "every recorded number is finite")

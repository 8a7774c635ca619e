"""Verdicts on NaN and inf."""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.analysis.diagnosis.verdict import BAD, FINE, Verdict
from lstmtui.analysis.first_bad import first_bad_of
from lstmtui.trace import Trace


def finite_verdicts(trace: Trace) -> Iterator[Verdict]:
    """nonfinite: the first bad value of the run, and the first among its derivatives; any is bad."""
    for which in ("forward", "backward"):
        bad = first_bad_of(trace, which)
        if bad is None:
            continue
        next_ = "first-bad" if which == "forward" else "first-bad backward"
        # Every verdict is shown with its place before it.
        text = str(bad).replace(f" in layer {bad.layer} {bad.direction}", "", 1)
        units = (bad.unit,) if bad.layer is not None else ()
        yield Verdict(
            "nonfinite",
            BAD,
            bad.layer,
            bad.direction,
            bad.quantity,
            1.0,
            1.0,
            text,
            units,
            next_,
        )
    if first_bad_of(trace) is None and first_bad_of(trace, "backward") is None:
        yield Verdict("nonfinite", FINE, None, "", "", 0.0, 1.0, "every recorded number is finite")

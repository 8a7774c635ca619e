"""Why a line whose operands are all finite gave a NaN or inf."""

from __future__ import annotations

import re

import numpy as np

from lstmtui.analysis.first_bad.operands import largest_of
from lstmtui.analysis.first_bad.parameter import bad_parameter
from lstmtui.cells.notation import UNICODE
from lstmtui.printable import printable
from lstmtui.trace import Trace

_POLES = re.compile(r"/|\*\*|\b(?:true_)?div(?:ide)?\b|pow|log|rsqrt|reciprocal")
"""What a statement is written with that has no finite result at 0."""


def parameter_that_is_not(trace: Trace) -> str:
    """That a parameter is not finite while all operands are, as the end of a sentence; empty if all are."""
    parameter = bad_parameter(trace.parameters)
    if parameter is None:
        return ""
    name, value = parameter
    return f"all of these are finite, and the parameter {printable(name)} is {UNICODE.number(value)}"


def why_not_finite(trace: Trace, statement: str, result: float) -> str:
    """Why finite operands gave this result, as the end of a sentence.

    Args:
        trace: the run.
        statement: the text of the line.
        result: a NaN or inf.
    """
    if parameter := parameter_that_is_not(trace):
        return parameter
    if np.isnan(result):
        return (
            "all of these are finite: the line, or what it calls, has 0/0, 0 · inf, inf − inf, "
            "or a root or logarithm below 0"
        )
    largest, dtype = UNICODE.number(largest_of(trace), 4), trace.header.dtype
    if _POLES.search(statement):
        poles = "the line divides by 0, has a logarithm or power of 0"
        return f"all of these are finite: {poles}, or {dtype} ends at {largest}"
    return f"all of these are finite, and {dtype} ends at {largest}"

"""Where the model's code raised an exception, as a sentence."""

from __future__ import annotations

from pathlib import PurePath

from lstmtui.analysis.statements import statement_at
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.source import Function, Raised, Source


def raised_text(trace: Trace) -> str:
    """ "my_cell.py:88: c = f @ g: RuntimeError: … at t=37, where the recording ends"; empty if it did not."""
    raised = trace.header.raised
    if raised is None:
        return ""
    source = trace.layers[raised.layer].source
    function = None if source is None else raising_function(source, raised)
    place = f"line {raised.line}: " if raised.line else ""
    if function is not None:
        text = statement_at(function, raised.line).text
        place = f"{PurePath(function.file).name}:{raised.line}: {text}{': ' * bool(text)}"
    layer = f" in layer {raised.layer}" if len(trace.layers) > 1 else ""
    return printable(f"{place}{raised.text}{layer} at t={raised.t}, where the recording ends")


def raised_forms(trace: Trace) -> tuple[str, ...]:
    """The same in full, and so that the beginning says what and when also where it is cut; else empty."""
    raised, full = trace.header.raised, raised_text(trace)
    if raised is None:
        return ()
    return full, f"{printable(raised.text.partition(':')[0])} at t={raised.t}: {full}"


def raising_function(source: Source, raised: Raised) -> Function | None:
    """The function that raised; where that is not said, the first that has the line; None where none has."""
    if raised.function >= 0:
        return source.functions[raised.function]
    for function in source.functions:
        if function.first_line <= raised.line < function.first_line + len(function.text.splitlines()):
            return function
    return None

"""`lstmtui.debug`: the debugger on traces that are already there, in the middle of a program."""

from __future__ import annotations

from lstmtui.trace import Trace, Traces


def debug(trace: Trace | Traces) -> None:
    """Open the debugger in this terminal, like `breakpoint()`; returns when the user quits.

    Args:
        trace: what `lstmtui.record`, `lstmtui.run` or `lstmtui.load` returned.

    Raises:
        RuntimeError: the program has no terminal, or an event loop of its own is running.
    """
    from lstmtui.capture.engine import Engine
    from lstmtui.tui.launch import launch
    from lstmtui.tui.start import Start

    launch(Start(traces=trace, engine=Engine()))

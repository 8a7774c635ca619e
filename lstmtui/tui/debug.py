"""`lstmtui.debug`: the debugger on traces that are already there, in the middle of a program."""

from __future__ import annotations

from lstmtui.trace import Trace, Traces

_INSTEAD = "`trace.save(path)` here and `lstmtui open PATH` in one, or lstmtui.diagnose(trace)"


def debug(trace: Trace | Traces) -> None:
    """Open the debugger in this terminal, like `breakpoint()`. It returns when the user quits.

    In a notebook, which has no terminal, it draws the run with its verdicts, saves it, and says how to open
    it in a terminal.

    Args:
        trace: what `lstmtui.record`, `lstmtui.run` or `lstmtui.load` returned.

    Raises:
        RuntimeError: the program has no terminal, or runs an event loop of its own.
    """
    from lstmtui.notebook import is_notebook, show

    if is_notebook():
        show(trace)
        return
    from lstmtui.capture.laws.engine import ModelEngine
    from lstmtui.tui.launch import launch
    from lstmtui.tui.start import Start

    launch(Start(traces=trace, engine=ModelEngine()), instead=_INSTEAD)

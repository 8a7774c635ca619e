"""gdb for recurrent cells: record an RNN, LSTM or GRU, and walk through it timestep by timestep.

Everything is imported when first used, so `import lstmtui` loads neither torch nor Textual.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstmtui.version import __version__ as __version__

if TYPE_CHECKING:
    from lstmtui.block_recording import recording
    from lstmtui.capture.laws.hold import laws
    from lstmtui.capture.record import record
    from lstmtui.capture.run import run
    from lstmtui.cells import Cell
    from lstmtui.cells.parameters import Parameter
    from lstmtui.cells.registry import register
    from lstmtui.diagnosing import diagnose
    from lstmtui.errors import Cancelled, UserError
    from lstmtui.lightning import lightning_watch
    from lstmtui.models.recurrent import Recurrent
    from lstmtui.trace import Trace, Traces, load
    from lstmtui.tui.debug import debug
    from lstmtui.watching import watch


_HOMES = {
    "Cancelled": "lstmtui.errors",
    "Cell": "lstmtui.cells",
    "Parameter": "lstmtui.cells.parameters",
    "Recurrent": "lstmtui.models.recurrent",
    "Trace": "lstmtui.trace",
    "Traces": "lstmtui.trace",
    "UserError": "lstmtui.errors",
    "debug": "lstmtui.tui.debug",
    "diagnose": "lstmtui.diagnosing",
    "laws": "lstmtui.capture.laws.hold",
    "lightning_watch": "lstmtui.lightning",
    "load": "lstmtui.trace",
    "record": "lstmtui.capture.record",
    "register": "lstmtui.cells.registry",
    "recording": "lstmtui.block_recording",
    "run": "lstmtui.capture.run",
    "watch": "lstmtui.watching",
}

__all__ = [
    "Cancelled",
    "Cell",
    "Parameter",
    "Recurrent",
    "Trace",
    "Traces",
    "UserError",
    "debug",
    "diagnose",
    "laws",
    "lightning_watch",
    "load",
    "record",
    "recording",
    "register",
    "run",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lstmtui' has no attribute {name!r}")
    if _HOMES[name].startswith(("lstmtui.capture", "lstmtui.models")):
        from lstmtui.libraries import load_library

        load_library("torch")
    value = getattr(import_module(_HOMES[name]), name)
    _teach_traces()
    return value


def _teach_traces() -> None:
    """Give `Trace` the functions that draw it and answer why, which live in rooms that it must not import."""
    module = sys.modules.get("lstmtui.trace.trace")
    if module is not None and module.Trace.draw_html is None:
        module.Trace.draw_html = staticmethod(_html_of)
        module.Trace.answer_why = staticmethod(_why_of)


def _html_of(trace: Trace) -> str:
    from lstmtui.notebook import html_of

    return html_of(trace)


def _why_of(trace: Trace, quantity: str, t: int, *place: Any) -> Any:
    from lstmtui.analysis.why.answer import why_of

    return why_of(trace, quantity, t, *place)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

"""The debugger: a cursor over traces and what can be seen from it. No Textual, no torch, no print."""

from lstmtui.session.breakpoints import Breakpoint, Breakpoints
from lstmtui.session.cursor import Cursor
from lstmtui.session.equations import equations_at
from lstmtui.session.hits import Marks, marks
from lstmtui.session.language import Command, ScriptError, parse_line, parse_script
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.variants import Engine, Variants
from lstmtui.session.watches import Watch, Watched, Watches
from lstmtui.session.windows import Page, Window, color_limit, extent, gradient_norms, vector, window

__all__ = [
    "Breakpoint",
    "Breakpoints",
    "Command",
    "Cursor",
    "Engine",
    "Marks",
    "Outcome",
    "Page",
    "ScriptError",
    "Session",
    "Stop",
    "Variants",
    "Watch",
    "Watched",
    "Watches",
    "Window",
    "color_limit",
    "equations_at",
    "extent",
    "gradient_norms",
    "marks",
    "parse_line",
    "parse_script",
    "vector",
    "window",
]

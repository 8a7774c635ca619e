"""The debugger: verbs that move a cursor, breakpoints, watches, what-ifs. No Textual, no torch, no print."""

from lstmtui.session.breakpoint_hits import BreakpointMarks, marks
from lstmtui.session.breakpoints import Breakpoint, Breakpoints
from lstmtui.session.language import Command, ScriptError
from lstmtui.session.outcome import Outcome
from lstmtui.session.parse import parse_line, parse_script
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.watches import Watched, WatchedExpression, Watches
from lstmtui.session.what_ifs import Engine, WhatIfs

__all__ = [
    "Breakpoint",
    "BreakpointMarks",
    "Breakpoints",
    "Command",
    "Engine",
    "Outcome",
    "ScriptError",
    "Session",
    "Stop",
    "Watched",
    "WatchedExpression",
    "Watches",
    "WhatIfs",
    "marks",
    "parse_line",
    "parse_script",
]

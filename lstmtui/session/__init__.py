"""The debugger: a cursor over traces and what can be seen from it. No Textual, no torch, no print."""

from lstmtui.session.cursor import Cursor
from lstmtui.session.equations import equations_at
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.windows import Page, Window, color_limit, extent, gradient_norms, vector, window

__all__ = [
    "Cursor",
    "Page",
    "Session",
    "Stop",
    "Window",
    "color_limit",
    "equations_at",
    "extent",
    "gradient_norms",
    "vector",
    "window",
]

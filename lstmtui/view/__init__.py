"""A place in a run: what every question about a run is asked of, here or on another machine."""

from lstmtui.view.cursor import Cursor
from lstmtui.view.query import query, together
from lstmtui.view.view import NotReady, Query, RemoteBackend, View

__all__ = ["Cursor", "NotReady", "Query", "RemoteBackend", "View", "query", "together"]

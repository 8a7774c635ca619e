"""The functions of a run, with their text as it stands in their files."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType

from lstmtui.capture.source.bindings import Call
from lstmtui.capture.source.code.source_files import is_readable
from lstmtui.trace.source import Function

_MOST_LINES, _MOST_BYTES = 5_000, 1 << 20
"""Of a function that are kept."""
_LONGEST_LINE = 4_000
"""Characters, past which a line is cut."""


def functions_of(calls: Iterable[Call]) -> tuple[list[CodeType], tuple[Function, ...]]:
    """Each function once, in the order in which they were first called, and what is kept of it."""
    names: dict[CodeType, str] = {}
    for call in calls:
        names.setdefault(call.code, call.name)
    return list(names), tuple(_function(code, name) for code, name in names.items())


def _function(code: CodeType, name: str) -> Function:
    try:
        if not is_readable(code.co_filename):
            raise OSError
        # Of the lines of a file itself, outside of all functions, all are its text.
        is_file = code.co_name == "<module>"
        lines, first = (inspect.findsource(code)[0], 1) if is_file else inspect.getsourcelines(code)
    except (OSError, TypeError, SyntaxError, IndexError):
        # Code that was never in a file, or whose file is gone or is something else by now.
        lines, first = [], code.co_firstlineno
    return Function(name, code.co_filename, max(first, 1), "".join(_kept(lines)))


def _kept(lines: Sequence[str]) -> Iterator[str]:
    size = 0
    for line in lines[:_MOST_LINES]:
        cut = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "\n"
        size += len(cut.encode(errors="replace"))
        if size > _MOST_BYTES:
            return
        yield cut

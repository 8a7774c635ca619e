"""For code that has Python parse something while another thread may do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Parsed = TypeVar("Parsed")
_MOST = 5
"""How often it is tried; it hardly ever fails twice."""


def retried(parse: Callable[[], Parsed]) -> Parsed:
    """What a function returns that calls Python's parser, or numpy's reader of headers, which calls it.

    The parser fails with a `SystemError` now and then where two threads parse at once, whatever the text is:
    https://github.com/python/cpython/issues/106905. It is called again then.
    """
    for _ in range(_MOST - 1):
        try:
            return parse()
        except SystemError:
            continue
    return parse()

"""How `diagnose` and `laws` print what they found: JSON for programs, columns of text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

_WIDTH = 80
"""Columns of the plain text."""


def json_lines(model: str, results: Iterable[Mapping[str, Any]]) -> list[str]:
    """An object for each result, in ASCII; what JSON has no numbers for is "NaN", "+inf" and "-inf"."""
    import json

    from lstmtui.playback.reports import json_value

    return [
        json.dumps({"model": model} | {key: json_value(value) for key, value in result.items()})
        for result in results
    ]


def wrapped(head: str, text: str) -> list[str]:
    """A text behind its head; lines after the first begin below the text."""
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))

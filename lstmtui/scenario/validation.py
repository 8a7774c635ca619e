"""Tables checked against the schema: what pydantic finds becomes sentences in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from lstmtui.closest import closest
from lstmtui.scenario.lines import Location
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.schema import Table

T = TypeVar("T", bound=Table)

_TYPES = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a table",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be {} or more, is {}"),
    "less_than_equal": ("le", "must be {} or less, is {}"),
}


def validate(
    kind: type[T], raw: Mapping[str, Any], location: Location, report: Report
) -> tuple[T, frozenset[str]]:
    """Read a table, and report every key that is unknown or has a value of another type.

    Returns:
        the table without its mistaken keys, and the names of these (for a misspelt key, what was meant).
    """
    broken: set[str] = set()
    try:
        return kind.model_validate(raw), frozenset()
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if report.is_full():
                report.count()
                broken.add(str(details["loc"][0]))
            else:
                broken |= _report(kind, details, location, report)
    return kind.model_validate({k: v for k, v in raw.items() if k not in broken}), frozenset(broken)


def known_keys(kind: type[Table]) -> tuple[str, ...]:
    """The keys a table may have, as they are written in the file."""
    return tuple(field.alias or name for name, field in kind.model_fields.items())


def unknown_key(location: Location, keys: tuple[str, ...], report: Report) -> str:
    """Report an unknown key, and give the one that was probably meant."""
    meant = closest(str(location[-1]), keys)
    report.add(location, "unknown key", one_of(keys), meant)
    return meant


def _report(kind: type[Table], details: Any, table: Location, report: Report) -> set[str]:
    inside: Location = details["loc"]
    location = (*table, *inside)
    value = details["input"]
    if details["type"] == "extra_forbidden":
        return {str(inside[0]), unknown_key(location, known_keys(kind), report)}
    if details["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", details["ctx"]["expected"])
        meant = closest(value, words) if isinstance(value, str) else ""
        report.add(location, f"is {shown(value)}", one_of(words), meant)
    elif details["type"] in _BOUNDS:
        bound, sentence = _BOUNDS[details["type"]]
        report.add(location, sentence.format(details["ctx"][bound], shown(value)))
    elif details["type"] in _TYPES:
        report.add(location, f"must be {_TYPES[details['type']]}, is {shown(value)}")
    else:
        report.add(location, details["msg"][:1].lower() + details["msg"][1:])
    return {str(inside[0])}

"""What annotations mean, those included that name what a module imports for type checkers only."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from typing import Any, get_type_hints

from lstmtui.session.readings import Reading


@cache
def hints_of(annotated: Any) -> dict[str, Any]:
    """The annotations of a class or a function, by name."""
    try:
        return get_type_hints(annotated)
    except NameError:
        return get_type_hints(annotated, localns=_public_names())


def argument_hints(reading: Reading) -> dict[str, Any]:
    """By name, what the arguments of a reading are, the session left out."""
    names = list(inspect.signature(reading.function).parameters)[1:]
    hints = hints_of(reading.function)
    return {name: hints[name] for name in names}


def answer_hint(reading: Reading) -> Any:
    """What a reading answers."""
    return hints_of(reading.function)["return"]


@cache
def _public_names() -> dict[str, Any]:
    """Every public class and alias of the packages whose values travel."""
    known: dict[str, Any] = {}
    for name, module in sorted(sys.modules.items()):
        if name.startswith(("lstmtui.cells", "lstmtui.trace", "lstmtui.session")):
            for key, value in vars(module).items():
                if key[0].isupper() and not key.isupper():
                    known.setdefault(key, value)
    return known

"""The quantity of each name of the code: an identifier that means one thing in expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from keyword import iskeyword
from types import CodeType

from lstmtui.capture.source.layers.series import Key, Series
from lstmtui.trace.source_validation import LONGEST_NAME
from lstmtui.words import WORDS

TAKEN = WORDS | {"y", "reads"}
"""What expressions and traces use for something else: y is the model's output, reads what the loss reads."""
_OF_THE_ROUND = re.compile(r"\[(-1|[^\W\d]\w*([+-]\d+)?)\]$")
"""The item of a list that a round binds, states[-1] or states[t+1]; it is no tensor under its own name."""
_LONGEST_PART = LONGEST_NAME // 2 - 10
"""Characters of a function's name and of a name in it, so that both and a number fit in a quantity's."""


def name_all(series: Sequence[Series], own: CodeType) -> None:
    """Give each series its quantity.

    A name of the run's own function is the quantity as it stands. One of a function that it calls is led by
    that function's where an outer function, or one before it, has the same, and attributes by their object's.
    Of several places of one name the last has the plain name, the others have a number behind it.

    Args:
        series: of a run.
        own: the code of the run's own function.
    """
    keys = list(dict.fromkeys((part.code, part.written) for part in series))
    depths: dict[CodeType, int] = {}
    for part in series:
        if part.code not in depths:
            depths[part.code] = 0 if part.code is own else part.first.call.depth_below(own)
    # Locals of the run's own function first, then its attributes, then what the functions bind that it calls.
    keys.sort(key=lambda key: (depths[key[0]], "." in key[1]))
    plain: dict[Key, str] = {}
    for key in keys:
        plain[key] = _first_free(_names(key, own), set(plain.values()))
    used = set(plain.values())
    for part in series:
        name = plain[part.code, part.written]
        if part.place:
            name = _first_free(_followed(f"{name}_{part.place}"), used)
            used.add(name)
        part.name = name


def _names(key: Key, own: CodeType) -> Iterator[str]:
    """What the quantity of a name may be called, the best first."""
    code, written = key
    if _OF_THE_ROUND.search(written):
        yield _identifier(_OF_THE_ROUND.sub("", written).removeprefix("self."))
    name = _identifier(written.removeprefix("self."))
    yield name
    if "." in written:
        name = _identifier(written)
        yield name
    if code is not own:
        yield f"{code.co_name.strip('<>')[:_LONGEST_PART]}_{name}"
    yield from _followed(name)


def _identifier(written: str) -> str:
    name = re.sub(r"\W+", "_", written).strip("_")[:_LONGEST_PART]
    return name if name.isidentifier() else f"_{name}"


def _followed(name: str) -> Iterator[str]:
    yield name
    yield name + "_"
    yield from (f"{name}_{number}" for number in count(2))


def _first_free(names: Iterator[str], used: set[str]) -> str:
    """The first that nothing else has, neither as a quantity nor as the derivative of one."""
    for name in names:
        derivatives = {"d" + name, name.removeprefix("d")} if name.startswith("d") else {"d" + name}
        is_word = not iskeyword(name) and not iskeyword("d" + name)
        if is_word and name not in used and name not in TAKEN and not derivatives & (used | TAKEN):
            return name
    raise AssertionError("there is no end to them")

"""Whether the lines of a function read a name before they bind it, by its instructions."""

from __future__ import annotations

import dis
from collections.abc import Collection, Iterator
from functools import lru_cache
from types import CodeType

from lstmtui.capture.source.code.syntax_tree import first_lines


def reads_first(code: CodeType, name: str, lines: Collection[int], *, attribute: bool) -> bool:
    """Whether lines of a function, in the order of its code, load a name before they store it.

    Args:
        code: of the function.
        name: of a local, or of an attribute.
        lines: of the file.
        attribute: whether it is that of an attribute.
    """
    return next(accesses(code, name, lines, attribute=attribute), "") == "LOAD"


def reads_before_binding(code: CodeType, written: str, lines: Collection[int]) -> bool:
    """The same of a local, or an attribute of self, from the first of some lines to the last."""
    name, is_attribute = written.removeprefix("self."), written.startswith("self.")
    return reads_first(code, name, range(min(lines), max(lines) + 1), attribute=is_attribute)


def accesses(code: CodeType, name: str, lines: Collection[int], *, attribute: bool) -> Iterator[str]:
    """LOAD and STORE, as lines of a function do with a name, in the order of its code."""
    line, first = 0, first_lines(code)
    lines = {first.get(own, own) for own in lines}
    for instruction in _instructions(code):
        line = _line(instruction) or line
        if first.get(line, line) not in lines:
            continue
        operation, names = instruction.opname, instruction.argval
        if attribute != operation.endswith(("ATTR", "METHOD")) or operation == "LOAD_FAST_AND_CLEAR":
            continue  # the last is how a comprehension keeps a name's value, to put it back
        parts = names if isinstance(names, tuple) else (names,)
        # 3.13 has instructions of two names: STORE_FAST_LOAD_FAST stores the first and loads the second.
        kinds = [kind for kind in operation.split("_") if kind in ("LOAD", "STORE")]
        yield from (kind for kind, part in zip(kinds, parts, strict=False) if part == name)


@lru_cache(maxsize=32)
def _instructions(code: CodeType) -> list[dis.Instruction]:
    return list(dis.get_instructions(code))


def reads_key_first(code: CodeType, key: str, lines: Collection[int]) -> bool | None:
    """Whether lines load the item of a dict that has this key before they store it; None: they do neither."""
    line, loaded, first = 0, "", first_lines(code)
    lines = {first.get(own, own) for own in lines}
    for instruction in _instructions(code):
        line = _line(instruction) or line
        if first.get(line, line) in lines:
            if "SUBSCR" in instruction.opname or instruction.argrepr == "[]":
                if loaded == key:
                    return not instruction.opname.startswith("STORE")
            elif instruction.opname not in ("CACHE", "EXTENDED_ARG"):
                loaded = str(instruction.argval) if instruction.opname == "LOAD_CONST" else ""
    return None


def _line(instruction: dis.Instruction) -> int | None:
    positions = instruction.positions
    return None if positions is None else positions.lineno

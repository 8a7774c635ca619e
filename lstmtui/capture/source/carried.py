"""Which variables a round leaves to the next."""

from __future__ import annotations

import dis
from collections.abc import Sequence
from itertools import pairwise
from types import CodeType

import torch

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.runs import Run
from lstmtui.capture.source.series import Series, key_of

_LEAST = 3
"""In how many rounds an argument has the numbers of the round before, until that is no chance."""


def carried_by(series: Sequence[Series], run: Run) -> dict[Series, list[Series]]:
    """For each series those to which the next round binds the same tensor, or which it reads under its name.

    The tensor that a name has at the end of a round goes on where the next round binds the very same object
    to a name, where its code reads the name before it binds it anew, and where an argument of the next round
    has the same numbers in every round (a state that was stacked and taken apart in between).
    """
    ends = [part for part in series if not part.place and part.rounds]
    carried: dict[Series, list[Series]] = {}
    for part in ends:
        targets = [other for other in series if other.rounds and _goes_on(part, other)]
        if not targets and _is_read_first(part, run):
            targets = [part]
        if targets:
            carried[part] = targets
    taken = {other for targets in carried.values() for other in targets}
    for part in ends:
        if part not in carried:
            same = [o for o in series if o.rounds and o not in taken and _has_same_numbers(part, o)]
            carried |= {part: [min(same, key=lambda other: other.first.order)]} if same else {}
    return {part: _outermost(targets, run) for part, targets in _once(carried, run).items()}


def _once(carried: dict[Series, list[Series]], run: Run) -> dict[Series, list[Series]]:
    """Each tensor under one name: the last of the run's own function, where that has any."""
    names: dict[int, Series] = {}
    for part in carried:
        last = next(own[-1].identity for own in reversed(part.rounds) if own)
        other = names.get(last)
        if other is None or part.code is run.call.code or other.code is not run.call.code:
            names[last] = part
    return {part: carried[part] for part in names.values()}


def _outermost(targets: list[Series], run: Run) -> list[Series]:
    """Those of the run's own function where there are any: others are handed them from there."""
    return [part for part in targets if part.code is run.call.code] or targets


def initial_of(target: Series, run: Run) -> Binding | None:
    """What a carried state was before the first round; None where nothing has bound it."""
    first = target.rounds[0]
    if target.line == 0 and first:
        return first[0]
    before = [b for b in run.before() if key_of(run, b) == (target.code, target.written)]
    if before:
        return before[-1]
    return first[0] if first and not _is_read_first(target, run) else None


def _goes_on(part: Series, other: Series) -> bool:
    """Whether the tensor at the end of a round is bound to another name in the next, and not in its own."""
    if part is other:
        return False
    pairs = [(a[-1], b) for a, b in pairwise_rounds(part, other) if a and b]
    same = [left for left, right in pairs if any(left.identity == b.identity for b in right)]
    stays = any(
        a and b and a[-1].identity == b[-1].identity for a, b in zip(part.rounds, other.rounds, strict=True)
    )
    constant = len({left.identity for left in same}) < len(same)
    return bool(same) and not stays and not constant


def pairwise_rounds(part: Series, other: Series) -> list[tuple[list[Binding], list[Binding]]]:
    """What one binds in a round, and another in the next."""
    return list(zip(part.rounds, other.rounds[1:], strict=False))


def _has_same_numbers(part: Series, other: Series) -> bool:
    if part is other or len(part.rounds) < _LEAST:
        return False
    pairs = [(a[-1].value, b[0].value) for a, b in pairwise_rounds(part, other) if a and b]
    if len(pairs) < _LEAST - 1 or not pairs[0][0].is_floating_point():
        return False
    if any(a.shape != b.shape or a.dtype != b.dtype for a, b in pairs):
        return False
    if not all(torch.equal(a, b) for a, b in pairs):
        return False
    return not all(torch.equal(a, b) for (a, _), (b, _) in pairwise(pairs))  # a constant


def _is_read_first(part: Series, run: Run) -> bool:
    """Whether a round reads a name before it binds it: a loop's variable, or an attribute."""
    lines = {b.line for own in run.rounds for b in own if b.call.code is part.first.call.code and b.line}
    if not lines:
        return False
    is_attribute = "." in part.written
    if not is_attribute and len({binding.call.number for binding in part.bindings}) > 1:
        return False  # the locals of a call are gone with it
    name = part.written.rpartition(".")[2]
    return reads_first(part.first.call.code, name, min(lines), max(lines), attribute=is_attribute)


def reads_first(code: CodeType, name: str, first: int, last: int, *, attribute: bool) -> bool:
    """Whether the lines of a function, in the order of its code, load a name before they store it.

    Args:
        code: of the function.
        name: of a local, or of an attribute.
        first: line.
        last: line.
        attribute: whether it is that of an attribute.
    """
    line = 0
    for instruction in dis.get_instructions(code):
        line = _line(instruction) or line
        if not first <= line <= last:
            continue
        operation, names = instruction.opname, instruction.argval
        if attribute != operation.endswith(("ATTR", "METHOD")):
            continue
        parts = names if isinstance(names, tuple) else (names,)
        # 3.13 has instructions of two names: STORE_FAST_LOAD_FAST stores the first and loads the second.
        kinds = [kind for kind in operation.split("_") if kind in ("LOAD", "STORE")]
        for kind, part in zip(kinds, parts, strict=False):
            if part == name:
                return kind == "LOAD"
    return False


def _line(instruction: dis.Instruction) -> int | None:
    positions = instruction.positions
    return None if positions is None else positions.lineno

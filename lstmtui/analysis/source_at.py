"""The code of the timestep at the cursor: its lines, what each has bound, and where the stage is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lstmtui.analysis.bound_values import BoundValue, Place, bound_values, places_of
from lstmtui.analysis.raised import raising_function
from lstmtui.printable import printable
from lstmtui.trace.source import Function, Raised, Source, Variable
from lstmtui.view.cursor import Cursor
from lstmtui.view.view import View


@dataclass(frozen=True)
class SourceBinding:
    """A name that a line binds, with its value at the cursor."""

    variable: Variable
    now: BoundValue
    is_current: bool
    """Whether the stage at the cursor bound it."""
    carried_from: tuple[str, ...]
    """The names whose tensor of the round before it is: new_h for h_prev."""
    inner_step: int
    """Which of the variable's inner steps the value is of; −1: it has none."""


@dataclass(frozen=True)
class SourceLine:
    """A line of a function, safe to show."""

    number: int
    """Of the file."""
    text: str
    bindings: tuple[SourceBinding, ...]
    is_marked: bool
    """Whether the stage at the cursor is here, or in a function that is called here."""


@dataclass(frozen=True)
class SourceFunction:
    """A function of the code."""

    name: str
    file: str
    lines: tuple[SourceLine, ...]
    """All of them; of a function whose text is not there, those that bind a name, without text."""


@dataclass(frozen=True)
class SourceAt:
    """The code of a run at the cursor."""

    functions: tuple[SourceFunction, ...]
    """As in `Source.functions`: the run's own first."""
    stack: tuple[int, ...]
    """The numbers of the functions that run, outermost first; the last is the one that the stage is in."""


def source_at(view: View) -> SourceAt | None:
    """The code of the selected layer at the cursor; None where the layer is a cell of ours.

    Raises:
        NotReady: the values have not arrived.
        UserError: there can be no answer.
    """
    source = view.layer.source
    if source is None:
        return None
    values = bound_values(view)
    places = places_of(source)
    raised = _raised_here(view)
    marks = _marks(source, view.cursor) if raised is None else _marks_where_raised(source, raised)
    at = {(p.function, _line_of(p, source)): [] for p in places}  # type: ignore[var-annotated]
    for place, value in zip(places, values, strict=bool(values)):
        at[place.function, _line_of(place, source)].append(_binding(place, value, source, view.cursor))
    functions = []
    for number, function in enumerate(source.functions):
        bindings = {line: tuple(bound) for (owner, line), bound in at.items() if owner == number}
        functions.append(_function(function, bindings, {line for owner, line in marks if owner == number}))
    return SourceAt(tuple(functions), tuple(owner for owner, _ in marks))


def _raised_here(view: View) -> Raised | None:
    """What ended the run in the timestep at the cursor, where that is shown as a whole."""
    raised, cursor = view.trace.header.raised, view.cursor
    here = raised is not None and raised.layer == cursor.layer and raised.t >= cursor.t == view.last_t
    return raised if here and cursor.stage is None else None


def _marks_where_raised(source: Source, raised: Raised) -> tuple[tuple[int, int], ...]:
    function = raising_function(source, raised)
    number = 0 if function is None else source.functions.index(function)
    return ((0, 0), (number, raised.line)) if number else ((0, raised.line),)


@lru_cache(maxsize=64)
def argument_line(function: Function) -> int:
    """The line of the file where the arguments of a function stand: that of its def."""
    for offset, line in enumerate(function.text.split("\n")):
        if line.lstrip().startswith(("def ", "async def ")):
            return function.first_line + offset
    return function.first_line


def _line_of(place: Place, source: Source) -> int:
    return place.line or argument_line(source.functions[place.function])


def _binding(place: Place, value: BoundValue, source: Source, cursor: Cursor) -> SourceBinding:
    variable, now = source.variable(place.quantity), cursor.stage
    assert variable is not None
    past = [n for n in place.stages if (now is None or n <= now) and source.comes_to(n, cursor.t)]
    return SourceBinding(
        variable,
        value,
        now is not None and now in place.stages,
        tuple(v.name for v in source.variables if place.quantity in v.carried_to),
        source.stages[past[-1]].inner_step if past else -1,
    )


def _function(
    function: Function, bindings: dict[int, tuple[SourceBinding, ...]], marked: set[int]
) -> SourceFunction:
    lines, others = list(_plain_lines(function)), []
    for number in sorted({*bindings, *marked}):
        at = number - function.first_line
        if 0 <= at < len(lines):
            lines[at] = SourceLine(number, lines[at].text, bindings.get(number, ()), number in marked)
        elif number in bindings:
            others.append(SourceLine(number, "", bindings[number], number in marked))
    if others:
        lines = sorted((*lines, *others), key=lambda line: line.number)
    return SourceFunction(printable(function.name), printable(function.file), tuple(lines))


@lru_cache(maxsize=64)
def _plain_lines(function: Function) -> tuple[SourceLine, ...]:
    """The lines of a function, of which nothing is said yet."""
    texts = function.text.removesuffix("\n").split("\n") if function.text else []
    return tuple(
        SourceLine(number, printable(text), (), False)
        for number, text in enumerate(texts, function.first_line)
    )


def _marks(source: Source, cursor: Cursor) -> tuple[tuple[int, int], ...]:
    """(function, line) of each function that runs at a stage, outermost first.

    Where a function was called is the line of its caller's next binding, as that waits for what it returns.
    """
    now = cursor.stage
    if now is None:
        return ((0, 0),)
    stage = source.stages[now]
    come_to = [s if source.comes_to(n, cursor.t) else None for n, s in enumerate(source.stages)]
    marks = [(stage.function, stage.line or argument_line(source.functions[stage.function]))]
    for depth in range(stage.depth - 1, -1, -1):
        later = (s for s in come_to[now + 1 :] if s and s.depth <= depth)
        earlier = (s for s in reversed(come_to[:now]) if s and s.depth <= depth)
        caller = next((s for s in (next(later, None), next(earlier, None)) if s and s.depth == depth), None)
        if caller is not None:
            marks.insert(0, (caller.function, caller.line))
    return tuple(marks)

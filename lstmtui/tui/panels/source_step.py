"""The code of the timestep at the cursor as rows of the Step panel: its lines, and what they have bound."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
from rich.cells import cell_len

from lstmtui.analysis.raised import raising_function
from lstmtui.analysis.source_at import SourceAt, SourceBinding
from lstmtui.cells.notation import Notation
from lstmtui.printable import printable
from lstmtui.trace.source import Raised, Source, Variable
from lstmtui.tui.panels.hiding import MARK
from lstmtui.tui.panels.listing import Listing, Value
from lstmtui.tui.source_code import code_lines
from lstmtui.tui.theme import quantity_role
from lstmtui.tui.widgets.spans import Spans
from lstmtui.view.cursor import Cursor


@dataclass(frozen=True)
class SourceStep:
    """The code of the timestep at the cursor, as the Step panel shows it."""

    code: SourceAt
    source: Source
    cursor: Cursor
    notation: Notation
    raised: Raised | None = None
    """Where the run ends with an exception."""
    changed: Collection[str] = ()
    """The variables that a what-if has set here."""
    hidden: Collection[str] = ()
    """The variables whose values are not shown."""

    def listings(self) -> list[Listing]:
        """Inside a timestep the function that runs; at whole timesteps all of them, the run's own first."""
        is_inside = self.cursor.stage is not None
        numbers = self.code.stack[-1:] if is_inside else range(len(self.code.functions))
        return [self._listing(number, alone=len(numbers) == 1) for number in numbers]

    def _listing(self, number: int, *, alone: bool) -> Listing:
        function, kept = self.code.functions[number], self.source.functions[number]
        place = f"{_base(function.file)}:{kept.first_line}"
        heading: Spans = () if alone else ((f"{function.name}  ", "title"), (place, "muted"))
        if not kept.text:
            heading = ((f"no source text: {function.name}, {_base(function.file)}", "muted"),)
        errors = self._errors(number)
        marked = next((line.number for line in function.lines if line.is_marked), None)
        return Listing(
            code=code_lines(kept, _names(self.source, number)),
            first_line=kept.first_line,
            values={
                line.number: [self.value_of(binding) for binding in line.bindings]
                for line in function.lines
                if line.bindings
            },
            marked=next(iter(errors), None) if self.cursor.stage is None else marked,
            errors=errors,
            heading=heading,
        )

    def value_of(self, binding: SourceBinding) -> Value:
        """A name, what it came from or which inner step it is of, and its value at the cursor."""
        variable, now = binding.variable, binding.now
        name = variable.name + _index(variable, self.cursor.unit)
        others = [state for state in binding.carried_from if state != variable.name]
        if others:
            name = f"{name} ← {', '.join(others)}"
        if now.status == "later":
            return Value(name, quantity_role(variable.name))
        if now.status == "bound" and binding.inner_step >= 0:
            name = f"{name} {binding.inner_step + 1}/{variable.inner_steps}"
        if variable.name in self.hidden:
            return Value(name, quantity_role(variable.name), MARK, "warning")
        if variable.name in self.changed:
            name += " set to"
        text = "not bound" if now.status == "not bound" else number_of(variable, now.value, self.notation)
        role = "muted" if now.value is None else "number" if np.isfinite(now.value) else "error"
        if binding.is_current and role == "number":
            role = "selected"
        return Value(name, quantity_role(variable.name), text, role)

    def _errors(self, function: int) -> dict[int, str]:
        """What was raised at the cursor in a function, by line; in the run's own where none has the line."""
        raised = self.raised
        if raised is None or (raised.layer, raised.t) != (self.cursor.layer, self.cursor.t):
            return {}
        raising = raising_function(self.source, raised) or self.source.functions[0]
        return {raised.line: printable(raised.text)} if self.source.functions[function] is raising else {}


def _index(variable: Variable, unit: int) -> str:
    """Where the selected unit is in a variable of several axes: [0,1,2]; empty for every other one."""
    if len(variable.shape) < 2 or unit >= variable.size:
        return ""
    return f"[{','.join(map(str, np.unravel_index(unit, variable.shape)))}]"


def number_of(variable: Variable, value: float | None, notation: Notation) -> str:
    """A value as its type is written; of a name that has no such unit a dash."""
    if value is None:
        return "-" if notation.ascii else "–"
    if variable.dtype == "bool":
        return "true" if value else "false"
    if variable.dtype.startswith(("int", "uint")) and np.isfinite(value):
        return str(int(value)).replace("-", notation.minus)
    return notation.number(value)


def stage_text(source: Source, number: int, t: int) -> str:
    """Which name the stage binds, in which of its inner steps, and how far into the timestep that is."""
    here = [n for n in range(len(source.stages)) if source.stops_at(n, t)]
    past = sum(n <= number for n in here)
    stage = source.stages[number]
    variable = source.variable(stage.variable)
    inner = ""
    if stage.inner_step >= 0 and variable is not None:
        inner = f" {stage.inner_step + 1} of {variable.inner_steps}"
    return f"{stage.variable}{inner}: {past} of {len(here)}"


def stack_text(code: SourceAt, width: int) -> str:
    """The functions that run, outermost first, and where: MyCell.forward:88 › norm:12.

    In less room without their classes, then the innermost of them.
    """
    lines = (next((line.number for line in code.functions[k].lines if line.is_marked), 0) for k in code.stack)
    places = list(zip((code.functions[k].name for k in code.stack), lines, strict=True))
    short = [(name.rpartition(".")[2], line) for name, line in places]
    forms = (places, short, *(short[at:] for at in range(1, len(short))))
    texts = [" › ".join(name + (f":{line}" if line else "") for name, line in form) for form in forms]
    texts[2:] = [f"… › {text}" for text in texts[2:]]
    return next((text for text in texts if cell_len(text) <= width), texts[-1])


def also_recorded(source: Source) -> Iterator[Spans]:
    """A line for each constant, and for each name that cannot be shown over time."""
    for constant in source.constants:
        shape = "×".join(map(str, constant.shape)) or "a number"
        yield ((printable(constant.name), "muted"), (f"  constant, {shape}, {constant.dtype}", "muted"))
    for name in source.unrecorded:
        yield ((f"{printable(name.name)}  not over time: {printable(name.why)}", "muted"),)


def _names(source: Source, function: int) -> tuple[tuple[str, str], ...]:
    """As the source writes it, and its role, for each name that a function binds."""
    own = (variable for variable in source.variables if variable.function == function)
    return tuple((variable.written, quantity_role(variable.name)) for variable in own)


def _base(file: str) -> str:
    return PureWindowsPath(PurePosixPath(file).name).name

"""Panel 5: the equations of this timestep, or its code, with the numbers of one unit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from textual.binding import Binding, BindingType

from lstmtui.analysis.equations import equations_at, products_at
from lstmtui.analysis.source_at import source_at
from lstmtui.analysis.term_values import changed_text
from lstmtui.cells.formula import Equation
from lstmtui.cells.legibility import legible_sum_digits
from lstmtui.cells.notation import ASCII, UNICODE, Notation
from lstmtui.session import Session
from lstmtui.trace.source import Source
from lstmtui.tui.panels.hiding import hidden_line, shown_equation
from lstmtui.tui.panels.listing import fitted
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.products import product_lines
from lstmtui.tui.panels.source_step import SourceStep, also_recorded, stack_text, stage_text
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans, wrap
from lstmtui.tui.widgets.text_lines import TextLines

LINES_BELOW = 2
"""Of code, that are in sight below the marked one."""
MOST_ROWS = 1_000
"""Of code that is shown in full; of more, only the lines that bind a name."""


class StepPanel(Panel):
    """From x and the old state to the new one; inside a timestep, what is not evaluated yet stays grey."""

    NUMBER = 5
    TITLE = "Step"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", "scroll down", show=False),
        Binding("left_square_bracket", "turn(-1)", "scroll up", show=False),
    ]
    HELP = "One timestep, in the numbers of one unit. ↓: one equation or line after another; z: the weights."

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.lines = TextLines(look, wraps=True)
        self.notation = ASCII if look.ascii else UNICODE
        self._turned_at: object = None
        """The code and its stage that may have been turned."""

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.lines

    def action_turn(self, by: int) -> None:
        """Scroll by most of the height."""
        self.action_scroll_pages(by)

    def scroll_rows(self, rows: int) -> None:
        self.lines.scroll_to_row(self.lines.top + rows)

    def show(self, session: Session) -> None:
        cursor, size = session.cursor, self.lines.size
        if not self.changed(cursor, size, self.is_zoomed):
            return
        if session.layer.source is None:
            self._show_equations(session)
        else:
            self._show_source(session, session.layer.source)
        self.drawn()

    def _show_source(self, session: Session, source: Source) -> None:
        cursor, (width, height) = session.cursor, self.lines.size
        code = source_at(session.view)
        assert code is not None
        self.lines.wraps = False
        changed = session.what_ifs.set_at(cursor) if session.what_ifs else frozenset()
        raised = session.trace.header.raised
        shown = SourceStep(code, source, cursor, self.notation, raised, changed, session.unseen).listings()
        rows, marked = fitted(shown, width, self.look)
        is_whole = cursor.stage is None
        if len(rows) > (height if is_whole else MOST_ROWS):
            rows, marked = fitted(shown, width, self.look, folded=True)
        if is_whole:
            rows += also_recorded(source)
        more = f"{len(rows)} rows: [ ] turn" if is_whole and len(rows) > height else ""
        self.lines.set_lines(rows)
        # Where it was turned to is kept in time; a line is shown in one place, whichever was shown before.
        if (place := (cursor.model, cursor.layer, cursor.stage)) != self._turned_at:
            self._turned_at = place
            self.lines.scroll_to_row(0)
        if marked is not None:
            self.lines.scroll_to_line(min(marked + LINES_BELOW, len(rows) - 1))
            self.lines.scroll_to_line(marked)
        inside = "" if cursor.stage is None else f"  {stage_text(source, cursor.stage, cursor.t)}"
        self.set_title(
            f"Step: unit {cursor.unit} at t={cursor.t}{inside}",
            more or stack_text(code, self.outer_size.width - 6),
        )

    def _show_equations(self, session: Session) -> None:
        cursor, size = session.cursor, self.lines.size
        equations = equations_at(session.view, self.notation)
        products = products_at(session.view, self.notation) if self.is_zoomed else ()
        stage = cursor.stage
        self.lines.wraps = True
        changed = session.what_ifs.set_at(session.cursor) if session.what_ifs else frozenset()
        opened = {
            e.quantity: product_lines(products, e.quantity, cursor.unit, self.notation, session.unseen)
            for e in equations
        }
        lines, starts = step_lines(equations, stage, self.notation, changed, session.unseen, opened)
        rows = sum(-(-_width(line) // max(1, size.width)) for line in lines)
        if not self.is_zoomed and stage is None and rows > size.height:
            short = [short_line(e, self.notation, session.unseen) for e in equations]
            lines, starts = [(*made, *gives) for made, gives in short], []
            if sum(len(wrap(line, size.width, self.look)) for line in lines) > size.height:
                lines = [(*_beginning(made, size.width - _width(gives)), *gives) for made, gives in short]
        if equations and 0 < session.layer.parameters_until <= cursor.t:
            lines.append(((f"the parameters {changed_text(session.layer)}", "muted"),))
        self.lines.set_lines(lines)
        if stage is not None and stage < len(starts):
            self.lines.scroll_to_line(starts[stage])
        else:
            self.lines.scroll_to_row(0)
        inside = (
            ""
            if stage is None
            else f"  {session.cell.stages[stage]}: {stage + 1} of {len(session.cell.stages)}"
        )
        more = f"{len(lines)} rows: [ ] turn" if not starts and len(lines) > size.height else ""
        self.set_title(f"Step: unit {cursor.unit} at t={cursor.t}{inside}", more)


def step_lines(
    equations: tuple[Equation, ...],
    stage: int | None,
    notation: Notation,
    changed: Collection[str] = (),
    hidden: Collection[str] = (),
    opened: Mapping[str, Sequence[Spans]] = MappingProxyType({}),
) -> tuple[list[Spans], list[int]]:
    """Every equation in symbols and in numbers, and the line each one ends on.

    Args:
        equations: in order of evaluation.
        stage: the one evaluated last; later ones are muted and have no numbers. None: all are evaluated.
        notation: Unicode or ASCII.
        changed: the quantities that a what-if has set here.
        hidden: the quantities that have no numbers.
        opened: more lines below the equation of a quantity.
    """
    lines: list[Spans] = []
    ends: list[int] = []
    for at, equation in enumerate(equations):
        pending = stage is not None and at > stage
        mark = "▸ " if at == stage else "  "
        left = (*_marked(mark), *equation.left, (" = ", "sign"), *equation.symbols)
        if pending:
            lines.append(tuple((text, "muted") for text, _ in left))
        elif (shown := shown_equation(equation, hidden)) is None:
            lines.append((*_marked(mark), *hidden_line(equation)))
        else:
            lines.append(left)
            lines += number_lines(shown, notation, equation.quantity in changed)
            lines += opened.get(equation.quantity, ())
        ends.append(len(lines) - 1)
    return lines, ends


def number_lines(equation: Equation, notation: Notation, is_set: bool = False) -> list[Spans]:
    """The equation in numbers, down to its value, and what a state keeps and what is written to it.

    Where a what-if has set the value, what the equation would have given stands before it. A constant has
    none: its equation says the number.
    """
    if equation.is_constant and not is_set:
        return []
    spans: Spans = (("      ", "sign"),)
    for numbers in () if equation.is_constant else equation.numbers:
        spans = (*spans, ("= ", "sign"), *numbers, (" ", "sign"))
    final = (notation.number(equation.value), equation.quantity)
    computed = (notation.number(equation.computed), "muted")
    result = (("= ", "sign"), computed, (" set to ", "warning"), final) if is_set else (("= ", "sign"), final)
    lines: list[Spans] = [(*spans, *result)]
    if equation.parts:
        parts: Spans = (("      ", "sign"),)
        digits = legible_sum_digits([value for _, value in equation.parts], notation)
        for name, value in equation.parts:
            parts = (*parts, (f"{name} ", "muted"), (notation.number(value, digits), name), ("   ", "sign"))
        lines.append(parts)
    return lines


def short_line(equation: Equation, notation: Notation, hidden: Collection[str] = ()) -> tuple[Spans, Spans]:
    """An equation on one line, for a panel that is too small for all of it, and the end: what it gives."""
    shown = shown_equation(equation, hidden)
    if shown is None:
        line = hidden_line(equation)
        return line[:-1], line[-1:]
    right = shown.numbers[-1] if shown.numbers else equation.symbols
    if equation.is_constant and equation.value == equation.computed:
        return (*equation.left, (" = ", "sign")), right
    value = (notation.number(equation.value), equation.quantity)
    return (*equation.left, (" = ", "sign"), *right), ((" = ", "sign"), value)


def _beginning(line: Spans, width: int) -> Spans:
    """As many whole terms of an equation as fit."""
    if _width(line) <= width:
        return line
    while line and (_width(line) >= width or not line[-1][0].endswith(" ")):
        line = line[:-1]
    return (*line, ("…", "muted"))


def _marked(mark: str) -> Spans:
    return ((mark, "cursor"),)


def _width(line: Spans) -> int:
    return max(1, sum(len(text) for text, _ in line))

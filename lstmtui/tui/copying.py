"""What `y` copies: the numbers under the cursor in the panel with the focus, in full precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from textual.app import App

from lstmtui.analysis.unit_values import Numbers, numbers_at
from lstmtui.analysis.windows import vector
from lstmtui.errors import UserError
from lstmtui.expressions import Expression, open_vocabulary
from lstmtui.expressions.at_cursor import NoValue, evaluated
from lstmtui.printable import printable
from lstmtui.session import Outcome, Session
from lstmtui.session.breakpoints import Breakpoint
from lstmtui.session.hiding import hidden_text
from lstmtui.session.watches import Watched
from lstmtui.trace.edits import Edit
from lstmtui.tui.clipboard import clipboard_sequence
from lstmtui.tui.compat import write_to_terminal
from lstmtui.tui.panels.gradients import plotted
from lstmtui.tui.panels.states import split_states
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import crop_words
from lstmtui.view import NotReady
from lstmtui.wording import counted

Entry: TypeAlias = Watched | Edit | Breakpoint

_SHOWN = 40
"""Characters of what was copied that are shown."""


def copied_value(app: App[None], session: Session, number: int | None, entry: Entry | None = None) -> Outcome:
    """Send a value to the terminal's clipboard, and say what was sent, or why it was not.

    Args:
        app: what draws on the terminal.
        session: and the others: see `value_in_focus`.
    """
    try:
        what, text = value_in_focus(session, number, entry)
        sequence = clipboard_sequence(text)
    except (UserError, NotReady) as error:
        return Outcome(False, str(error) or "the value is not here yet")
    write_to_terminal(app, sequence)
    first = text.partition("\n")[0]
    return Outcome(True, f"copied {printable(what)}: {crop_words(first, _SHOWN, Look())}")


def value_in_focus(session: Session, number: int | None, entry: Entry | None = None) -> tuple[str, str]:
    """What the value is, in words, and the value as text.

    Args:
        session: whose cursor says where.
        number: of the panel with the focus, None where none has it.
        entry: what is chosen in the panel of watches.

    Raises:
        UserError: the run has no such numbers, or something is hidden.
    """
    cursor = session.cursor
    if session.hidden:
        raise UserError(hidden_text(session, session.hidden))
    if number == 7 and entry is not None:
        return _entry(session, entry)
    if number in (2, 5, 9, 10):
        numbers = numbers_at(session.view)
        if number == 2 and session.cell.gates and session.layer.source is None:
            numbers = tuple(n for n in numbers if n.quantity in session.cell.gates)
        return f"unit {cursor.unit} at t={cursor.t}", unit_text(numbers)
    inner, outputs = split_states(session)
    output = outputs[0] if outputs else session.cell.quantities[-1]
    plots = plotted(session) or (output,)
    about = {1: "x", 3: inner[0] if inner else output, 6: "d" + plots[-1]}
    quantity = about.get(number or 0, output)
    values = vector(session.view, quantity)
    return f"{quantity} at t={cursor.t}, {counted(len(values), 'number')}", exact(values)


def unit_text(numbers: Sequence[Numbers]) -> str:
    """A line for each quantity, `f = 0.87`, and for each derivative, `df = -0.01`."""
    lines = []
    for number in numbers:
        lines.append(f"{number.quantity} = {exact(number.value)}")
        if number.derivative is not None:
            lines.append(f"d{number.quantity} = {exact(number.derivative)}")
    return "\n".join(lines)


def exact(value: object) -> str:
    """A value as the shortest text that reads back as the same number; of a vector all of them."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(exact(item) for item in value) + "]"
    number = float(value)  # type: ignore[arg-type]
    single = np.float32(number) if abs(number) < 3e38 else number
    return str(single) if float(single) == number else repr(number)


def _entry(session: Session, entry: Entry) -> tuple[str, str]:
    if isinstance(entry, Watched):
        # The panel has only the first units of a vector.
        result = evaluated(session.view, (Expression(entry.text, open_vocabulary()),))[0]
        return entry.text, result.error if isinstance(result, NoValue) else exact(result.value)
    if isinstance(entry, Breakpoint):
        return f"breakpoint {entry.id}", f"t == {entry.t}" if entry.when is None else entry.when.text
    return f"what-if {entry.id}", str(entry)

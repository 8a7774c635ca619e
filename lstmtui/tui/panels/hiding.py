"""What panels show of quantities that are hidden: their names and how they are made, and no number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from lstmtui.analysis.signal import Signal
from lstmtui.analysis.windows import Window
from lstmtui.cells.formula import Equation
from lstmtui.session import Session
from lstmtui.session.watches import Watched
from lstmtui.tui.widgets.spans import Spans

MARK = "?"
"""What stands in place of a number."""


def masked_map(
    session: Session, quantity: str, shown: tuple[Window, float] | None
) -> tuple[Window, float] | None:
    """A map and where its colours end; of a hidden quantity, a blank one on a scale of 1."""
    if shown is None or quantity not in session.unseen:
        return shown
    window, _ = shown
    blank = replace(window, values=np.zeros_like(window.values), bound=np.zeros_like(window.valid))
    return blank, 1.0


def without_hidden(session: Session, signal: Signal) -> Signal:
    """What is drawn over the sequence, without the lines and rows of what is hidden."""
    hidden = session.unseen
    return Signal(
        tuple(line for line in signal.lines if line.quantity not in hidden),
        tuple(row for row in signal.rows if row.name not in hidden),
    )


def shown_equation(equation: Equation, hidden: Collection[str]) -> Equation | None:
    """An equation without numbers that would give away what is hidden; None: its value is itself hidden."""
    if equation.quantity in hidden:
        return None
    reads = {role for _, role in equation.symbols}
    return replace(equation, numbers=(), parts=()) if reads.intersection(hidden) else equation


def hidden_line(equation: Equation) -> Spans:
    """A hidden quantity, and how it is made."""
    return (*equation.left, (" = ", "sign"), *equation.symbols, (f" = {MARK}", "warning"))


def is_hidden(watched: Watched, session: Session) -> bool:
    """Whether a watch reads what is hidden."""
    return any(
        watch.id == watched.id and session.unseen.intersection(watch.expression.quantities)
        for watch in session.watches
    )

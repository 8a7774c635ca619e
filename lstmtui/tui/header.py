"""The line at the top: which model, where the cursor is, and whether the numbers can be trusted."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len, set_cell_size

from lstmtui.analysis.layer_names import layer_name
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.status import Part

_SELECTED = ("model", "unit", "layer", "batch")
"""What a click on the header selects the next of."""
_ARROWS = {"forward": "→", "backward": "←"}


def header_parts(session: Session, width: int, growth: str = "") -> list[Part]:
    """Title and facts; where there is no room for all, the title and then the last facts give way.

    A click on what can be selected selects the next; on the timestep it asks for another.

    Args:
        session: what it is about.
        width: in cells.
        growth: how a trace stands that is being recorded.
    """
    facts = _facts(session, growth, width)
    while _length(facts, between=2) > width and len(facts) > 2:
        facts.pop()
    room = width - _length(facts) - 4
    title = session.trace.header.title
    if room < 8:
        return [((*fact, ("  ", "sign")), _action(fact)) for fact in facts]
    if cell_len(title) > room:
        title = set_cell_size(title, room - 1).rstrip() + "…"
    head: Spans = ((f" {title}   ", "title") if title else (" ", "title"),)
    return [(head, ""), *(((*fact, ("   ", "sign")), _action(fact)) for fact in facts)]


def _action(fact: Spans) -> str:
    """What a click on a fact does."""
    text, role = fact[0]
    word = "model" if role == "accent" and len(fact) == 2 else text.split()[0] if text.strip() else ""
    if word.startswith("t="):
        return "command('goto ')"
    if role == "warning" and ("what-if" in text or text.startswith("loss at")):
        return "panel(7)"
    return f"select('{word}', 1)" if word in _SELECTED else ""


def _facts(session: Session, growth: str, width: int) -> list[Spans]:
    """The facts, the most important first."""
    cursor, trace = session.cursor, session.trace
    layer_text = " ".join(filter(None, (f"layer {cursor.layer}", layer_name(trace, cursor.layer))))
    is_known = trace.header.loss_is_known and not (trace.header.live and np.isnan(trace.loss))
    status = "" if session.backend is None else session.backend.link_status
    if len(status) > width // 2:
        status = status[: width // 2 - 1] + "…"  # the place stays in sight
    facts: list[Spans] = [
        *([((status, "warning"),)] if status else []),
        ((cursor.model, "accent"), (f" {_what_runs(session)}", "muted")),
        ((f"t={cursor.t}/{session.last_t}", "cursor"),),
        *([((growth, "accent"),)] if growth else []),
        *([((trace.header.untrained, "warning"),)] if trace.header.untrained else []),
        *(((text, "warning"),) for text in _changes(session)),
        ((f"unit {cursor.unit}", "text"),),
        ((f"{layer_text} {_ARROWS[cursor.direction]}", "text"),),
        ((f"batch {cursor.batch}", "text"),),
        (("loss ", "muted"), (UNICODE.number(trace.loss) if is_known else "–", "number")),
        ((f"{trace.header.device} {trace.header.numbers}", "muted"),),
    ]
    if trace.parity is None:
        facts.append((("parity –", "muted"),))
    else:
        trusted = trace.parity < _TOLERANCE.get(trace.header.dtype, 1e-5)
        role = "muted" if trusted else "warning"
        facts.append((("parity ", "muted"), (UNICODE.number(trace.parity), role)))
    return facts


def _changes(session: Session) -> list[str]:
    """How the run that is shown is not the recorded one: how many values are set, and another loss."""
    model, what_ifs = session.cursor.model, session.what_ifs
    if model not in session.changed or what_ifs is None:
        return []
    count = sum(edit.model == model for edit in what_ifs.edits)
    place = what_ifs.loss_at(model)
    edits = [] if not count else ["what-if"] if count == 1 else [f"{count} what-ifs"]
    return edits if place is None else [*edits, f"loss at t={place.t}"]


def _what_runs(session: Session) -> str:
    """The cell, how many layers there are and of how many units; of recorded code, what it is and where."""
    layer, layers = session.layer, session.trace.layers
    if layer.source is None:
        return f"{layer.cell} {len(layers)}×{layer.hidden_size}"
    is_named_beside = bool(layer_name(session.trace, session.cursor.layer))
    return f"{layer.cell} {'' if is_named_beside else layer.path}".rstrip()


_TOLERANCE = {"float64": 1e-12, "float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
"""A larger parity than this is shown as a warning."""


def _length(facts: list[Spans], between: int = 3) -> int:
    return sum(cell_len(text) for fact in facts for text, _ in fact) + between * len(facts)

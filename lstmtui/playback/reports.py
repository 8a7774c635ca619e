"""What is printed for every command that was played: sentences, or JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from lstmtui.analysis.why.ledger import Ledger
from lstmtui.playback.player import Played
from lstmtui.printable import printable
from lstmtui.session import Outcome


def plain_lines(played: Played) -> list[str]:
    """One sentence, or the lines of a topic; before it a line for each note of a breakpoint passed."""
    notes = [f"note at t={t}: {text}" for t, text in played.outcome.notes]
    return [printable(line) for line in (*notes, *played.outcome.text.split("\n"))]


def json_line(played: Played) -> str:
    """One JSON object, in ASCII; values that JSON has no numbers for are "NaN", "+inf" and "-inf".

    Always there: command, t, model, layer, direction, batch, unit (where the cursor is afterwards), ok, text
    and line (of the script). Sometimes: stage (the quantity, inside a timestep), value (of `print` and
    `why`), ledger (of `why`: what its value is made of), expect (whether it held), reason (what stopped a
    movement, or that the command was refused), notes.
    """
    cursor, outcome = played.cursor, played.outcome
    record: dict[str, Any] = {
        "command": printable(played.command.text),
        "t": cursor.t,
        "model": printable(cursor.model),
        "layer": cursor.layer,
        "direction": cursor.direction,
        "batch": cursor.batch,
        "unit": cursor.unit,
        "ok": outcome.ok,
        "text": printable(outcome.text, lines=True),
        "line": played.command.line,
    }
    if played.stage is not None:
        record["stage"] = played.stage
    if outcome.value is not None:
        record["value"] = json_value(outcome.value)
    if outcome.ledger is not None:
        record["ledger"] = ledger_value(outcome.ledger)
    if outcome.expect is not None:
        record["expect"] = outcome.expect
    if outcome.stop is not None or played.refused:
        record["reason"] = _reason(outcome)
    if outcome.notes:
        record["notes"] = [{"t": t, "text": printable(text)} for t, text in outcome.notes]
    return json.dumps(record, allow_nan=False)


def ledger_value(ledger: Ledger) -> dict[str, Any]:
    """A ledger as JSON has it."""
    record: dict[str, Any] = json_value(asdict(ledger))
    record["residual"] = json_value(ledger.residual)
    for part, entry in zip(ledger.parts, record["parts"], strict=True):
        entry["share"] = json_value(ledger.share(part))
    return record


def _reason(outcome: Outcome) -> dict[str, Any]:
    if outcome.stop is None:
        return {"kind": "refused", "text": printable(outcome.text)}
    hit = outcome.stop.breakpoints
    which = {"id": hit[0], "ids": list(hit)} if hit else {}
    return {"kind": outcome.stop.kind, **which, "text": printable(outcome.stop.text)}


def json_value(value: Any) -> Any:
    """A value as JSON has it: arrays as lists, and "NaN", "+inf" and "-inf" for what has no number there."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+inf" if value > 0 else "-inf"
    return value

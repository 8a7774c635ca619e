"""[laws]: what the laws of state need to know about a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.scenario.models.factory_models import CODE
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input, LawsSpec
from lstmtui.scenario.schema import LawsTable
from lstmtui.scenario.validation import validate
from lstmtui.wording import counted

_CODE_KEYS = ("run", "step", "reset")


def read_laws(raw: Mapping[str, Any], source: Input | None, trust: bool, report: Report) -> LawsSpec:
    """Read [laws]; nothing of it is imported here, and a missing --trust is a problem.

    Args:
        raw: the table, empty where the file has none.
        source: the input; None where that is not known.
        trust: whether the file may name Python code.
        report: gets every problem.
    """
    table, broken = validate(LawsTable, raw, ("laws",), report)
    code = {key: getattr(table, key) for key in _CODE_KEYS}
    for key, target in code.items():
        if target is None:
            continue
        if not CODE.fullmatch(target):
            report.add(("laws", key), f"is {shown(target)}", 'allowed: "package.module:function"')
        if not trust:
            wrong = "runs Python code of the scenario's maker, and a scenario never does so by itself"
            report.add(("laws", key), wrong, "if you trust it, pass --trust, or lstmtui.run(…, trust=True)")
    starts = None if table.starts is None or "starts" in broken else _starts(table.starts, source, report)
    return LawsSpec(starts, **code)


def _starts(raw: list[Any], source: Input | None, report: Report) -> Array | None:
    """bool (T, B): a list of timesteps for all sequences, or one for each."""
    place = ("laws", "starts")
    is_nested = any(isinstance(part, list) for part in raw)
    allowed = "a list of timesteps, or such a list for each sequence"
    if is_nested and not all(isinstance(part, list) for part in raw):
        report.add(place, "mixes timesteps and lists of them", allowed)
        return None
    batch, steps = (None, None) if source is None else (source.batch, source.steps)
    if is_nested and batch is not None and len(raw) != batch:
        report.add(place, f"has {counted(len(raw), 'list')} for {counted(batch, 'sequence')}", allowed)
    before = len(report)
    rows = raw if is_nested else [raw]
    for number, row in enumerate(rows):
        for position, t in enumerate(row):
            where = (*place, number, position) if is_nested else (*place, position)
            if isinstance(t, bool) or not isinstance(t, int):
                report.add(where, f"is {shown(t)}", "allowed: a timestep")
            elif t < 0 or (steps is not None and t >= steps):
                last = "" if steps is None else f" to {steps - 1}"
                report.add(where, f"there is no timestep {shown(t)}", f"allowed: 0{last}")
    if source is None or len(report) > before or (is_nested and len(raw) != batch):
        return None
    starts = np.zeros((source.steps, source.batch), bool)
    for number, row in enumerate(rows):
        starts[np.array(row, int), number if is_nested else slice(None)] = True
    return starts

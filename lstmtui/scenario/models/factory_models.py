"""[[model]] with factory = "package.module:function": a model that the user's own Python builds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lstmtui.scenario.models.checkpoints import Checkpoint
from lstmtui.scenario.models.model_reader import Context, ModelReader
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError
from lstmtui.scenario.scenario import FactorySpec
from lstmtui.scenario.schema import ModelTable
from lstmtui.scenario.validation import validate

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
CODE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
"""package.module:function"""


class FactoryReader(ModelReader):
    """Reads such a [[model]]; nothing is imported here."""

    def __init__(self, raw: Mapping[str, Any], position: int, context: Context) -> None:
        super().__init__(position, context)
        self._trust = context.trust
        self.table, self.broken = validate(ModelTable, raw, self.place, self.report)

    def read(self) -> FactorySpec | None:
        """The model, or None where it has problems; a missing --trust is one."""
        before, table, place = len(self.report), self.table, (*self.place, "factory")
        target = table.factory or ""
        name = self.unique_name(table.name, target.partition(":")[2] or "factory", "factory")
        if not self._trust:
            wrong = "runs Python code of the scenario's maker, and a scenario never does so by itself"
            allowed = "if you trust it, pass --trust, or lstmtui.run(…, trust=True)"
            self.report.add(place, wrong, allowed)
        if "factory" not in self.broken and not CODE.fullmatch(target):
            self.report.add(place, f"is {shown(target)}", 'allowed: "package.module:function"')
        weights, source = self._weights(), self._source()
        if len(self.report) > before or self.broken:
            return None
        arguments = dict(table.arguments or {})
        return FactorySpec(name, target, arguments, self.folder, weights, table.batch_first, source)

    def _source(self) -> bool | tuple[str, ...] | None:
        """What of the model's code is recorded by source."""
        source = self.table.source
        if source is None or isinstance(source, bool):
            return source
        names = [source] if isinstance(source, str) else source
        if not names or not all(isinstance(name, str) and _DOTTED.fullmatch(name) for name in names):
            allowed = 'allowed: true, false, "package.module.name", or a list of such names'
            self.report.add((*self.place, "source"), f"is {shown(source)}", allowed)
        return tuple(names)

    def _weights(self) -> Checkpoint | None:
        """The checkpoint whose tensors the model gets, opened; its numbers are read later."""
        keys = [key for key in ("weights", "checkpoint") if getattr(self.table, key) is not None]
        if len(keys) > 1:
            self.report.add((*self.place, "checkpoint"), "there are weights already", "one of them")
        for key in keys[:1]:
            try:
                return Checkpoint(self.folder / getattr(self.table, key))
            except DataError as error:
                self.report.add_error((*self.place, key), error)
        return None

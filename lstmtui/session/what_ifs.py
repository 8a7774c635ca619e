"""The what-ifs of a session: runs with some values changed, beside those that were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan
from typing import Protocol

from lstmtui.cells.notation import plain
from lstmtui.errors import UserError
from lstmtui.session.language.command import Change
from lstmtui.session.what_if_checks import edit_of, loss_place, out_of_range
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.view import Cursor

Progress = Callable[[int, int], None]
"""Called with (timesteps done, timesteps in all); raises `lstmtui.Cancelled` to stop."""


class Engine(Protocol):
    """Something that can run a recorded model again."""

    def rerun(
        self,
        trace: Trace,
        edits: Sequence[Edit],
        loss_at: LossAt | None = None,
        progress: Progress | None = None,
    ) -> Trace:
        """The run of `trace` with its what-ifs, from the first changed timestep on.

        Derivatives are worked out when they are first asked for.

        Raises:
            UserError: it cannot be run again; the message says why.
        """


class WhatIfs:
    """The what-ifs of every model of a session, and the runs they make.

    Every verb runs what has to be run and says in a sentence what it did. Where that fails, with UserError
    or because it was cancelled, everything is as it was.

    Args:
        engine: what runs the models again.
        recorded: the runs without what-ifs, by model name.
    """

    def __init__(self, engine: Engine, recorded: Mapping[str, Trace]) -> None:
        self._engine = engine
        self.recorded = recorded
        """The runs without what-ifs, by model name."""
        self.runs: dict[str, Trace] = {}
        """The runs with what-ifs, of the models that have any."""
        self._edits: dict[int, Edit] = {}
        self._losses: dict[str, LossAt] = {}
        self._last = 0
        self.progress: Progress | None = None
        """Told how far a run has come, by every verb that runs."""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every what-if, of all models, in the order they were made."""
        return tuple(self._edits.values())

    @property
    def texts(self) -> tuple[str, ...]:
        """Every what-if in words, also what gradients are taken of in place of a loss."""
        losses = (f"gradients of {self.runs[model].header.loss_text}" for model in self._losses)
        return (*map(self.describe, self.edits), *losses)

    @property
    def losses(self) -> Mapping[str, LossAt]:
        """What gradients are taken of in place of a loss, by model."""
        return self._losses

    def set_at(self, cursor: Cursor) -> frozenset[str]:
        """The quantities of the selected unit that a what-if sets at the cursor."""
        place = (cursor.model, cursor.layer, cursor.direction, cursor.batch)
        return frozenset(
            edit.quantity
            for edit in self._edits.values()
            if (edit.model, edit.layer, edit.direction, edit.batch) == place
            and edit.sets(cursor.t, cursor.unit)
        )

    def describe(self, edit: Edit) -> str:
        """A what-if in words, with its place as far as there is more than one."""
        trace, place = self.recorded[edit.model], []
        if edit.quantity not in ("x", "y") or trace.layers[edit.layer].source is not None:
            if len(trace.layers) > 1:
                place.append(f"layer {edit.layer}")
            if len(trace.layers[edit.layer].directions) > 1:
                place.append(edit.direction)
        if trace.batch > 1:
            place.append(f"batch {edit.batch}")
        if len(self.recorded) > 1:
            place.append(f"model {edit.model}")
        return f"{edit} in {', '.join(place)}" if place else str(edit)

    def loss_at(self, model: str) -> LossAt | None:
        """What the gradients of a model are taken of in place of its loss."""
        return self._losses.get(model)

    def set(self, cursor: Cursor, change: Change) -> str:
        """Run the model with one more change to what is selected."""
        edit = edit_of(change, self._last + 1, self.recorded[cursor.model], cursor)
        self._change({**self._edits, edit.id: edit}, self._losses, (cursor.model,))
        self._last = edit.id
        beyond = out_of_range(edit, self.recorded[cursor.model])
        remark = f" ({beyond})" if beyond else ""
        return f"what-if {edit.id}: {self.describe(edit)}{remark}{self._effect(cursor.model)}"

    def unset(self, number: int | None = None) -> str:
        """Take back one change; None: the latest."""
        if not self._edits:
            raise UserError("there are no what-ifs")
        number = max(self._edits) if number is None else number
        if number not in self._edits:
            numbers = ", ".join(map(str, self._edits))
            raise UserError(f"what-if {number}: there is no such what-if; there are: {numbers}")
        edit = self._edits[number]
        self._change({n: e for n, e in self._edits.items() if n != number}, self._losses, (edit.model,))
        return f"took back what-if {number}: {self.describe(edit)}{self._effect(edit.model)}"

    def reset(self) -> str:
        """Take back every change, and take the gradients of the recorded losses again."""
        count = len(self._edits) + len(self._losses)
        self._edits, self._losses, self.runs = {}, {}, {}
        return "everything is as it was recorded" if count else "there are no what-ifs"

    def put_back(self, edits: Iterable[Edit], losses: Mapping[str, LossAt]) -> str:
        """Restore these what-ifs, as far as their models exist, and report what became of the losses."""
        there = {edit.id: edit for edit in edits if edit.model in self.recorded}
        losses = {model: place for model, place in losses.items() if model in self.recorded}
        models = {edit.model for edit in {*self.edits}.symmetric_difference(there.values())}
        models |= {model for model, _ in {*self._losses.items()} ^ {*losses.items()}}
        changed = [model for model in self.recorded if model in models]
        self._change(there, losses, changed)
        return "".join(map(self._effect, changed))

    def loss(self, cursor: Cursor, t: int, name: str | None = None, unit: int | None = None) -> str:
        """Take the gradients of the output at a timestep of the selected sequence: of one unit, or their sum.

        The output is y where there is a head, else h of the last layer, both directions side by side; of
        recorded code it is what that returned for each timestep, or a variable.
        """
        place = loss_place(t, name, unit, self.recorded[cursor.model], cursor)
        self._change(self._edits, {**self._losses, cursor.model: place}, (cursor.model,))
        trace = self.runs[cursor.model]
        return f"the gradients are of {trace.header.loss_text}, which is {plain(trace.loss)}"

    def _change(self, edits: Mapping[int, Edit], losses: Mapping[str, LossAt], models: Sequence[str]) -> None:
        """Run the models whose what-ifs are others now, and keep everything only if that goes well."""
        runs = dict(self.runs)
        for model in models:
            own = [edit for edit in edits.values() if edit.model == model]
            runs.pop(model, None)
            if own or model in losses:
                recorded = self.recorded[model]
                runs[model] = self._engine.rerun(recorded, own, losses.get(model), self.progress)
        self._edits, self._losses, self.runs = dict(edits), dict(losses), runs

    def _effect(self, model: str) -> str:
        """How the loss of a model differs from the recorded one, as the end of a sentence."""
        recorded = self.recorded[model]
        now = self.runs.get(model, recorded)
        if now is recorded:
            return f"; the run is as it was recorded, loss {plain(recorded.loss)}"
        if isnan(now.loss) and now.header.absent and model not in self._losses:
            return f"; {now.header.absent}"
        was = "" if model in self._losses else f", was {plain(recorded.loss)}"
        return f"; loss {plain(now.loss)}{was}"

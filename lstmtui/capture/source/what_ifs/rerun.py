"""What-ifs of recorded code: the model runs again, with other values put into its variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from lstmtui.capture.source.code.statement_starts import is_read_at_once
from lstmtui.capture.source.recorders.recorder import SourceRecorder
from lstmtui.capture.source.tracing.addresses import Address, Addresses
from lstmtui.capture.source.tracing.attributes import is_bindable
from lstmtui.capture.source.tracing.replacements import Replacement, Replacements
from lstmtui.capture.source.what_ifs.changed_numbers import changed_by
from lstmtui.capture.source.what_ifs.chosen_loss import ChosenLoss
from lstmtui.capture.source.what_ifs.same_again import check_same
from lstmtui.errors import UserError
from lstmtui.trace import Header, Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.source import Variable
from lstmtui.wording import counted

_BESIDE = ("lengths", "mask", "target", "tokens", "shift", "scale")
"""What the arrays of a trace hold of its input and its objective."""


def holds_source(trace: Trace) -> bool:
    """Whether code was recorded in a trace, so that a what-if runs all of its model again."""
    return any(layer.source is not None for layer in trace.layers)


def rerun_source(trace: Trace, edits: Sequence[Edit], loss_at: LossAt | None = None) -> Trace:
    """The run of a model's code with other values in its variables, as if the code had been changed by hand.

    The model runs twice: as it was recorded, to find where each variable is bound and whether it still runs
    so, and then with the edits. Values, the loss and derivatives are those of that run.

    Args:
        trace: recorded by source in this process.
        edits: of its variables; where two meet, the later one counts.
        loss_at: what the gradients are taken of: what the model returned, or a variable; None: its own loss.

    Raises:
        UserError: it cannot be run again, or not so; the message says why.
    """
    again = trace.rerun_source
    if again is None:
        raise UserError(
            f"{trace.name}: a what-if runs its code again, which only the process that recorded it can do: "
            "open its scenario, or call lstmtui.debug(trace) where it is recorded"
        )
    for edit in edits:
        _check(_variable(trace, edit.layer, edit.quantity), edit.value)
    if loss_at is not None and loss_at.quantity:
        _variable(trace, loss_at.layer, loss_at.quantity)
    if not edits and loss_at is None:
        return trace
    recorders: list[SourceRecorder] = []
    try:
        same = again(recorders.append)
    except Exception as error:
        raise UserError(f"{trace.name}: cannot be run again: {_first_line(error)}") from error
    check_same(trace, same)
    addresses = Addresses()
    numbers = {
        id(binding): addresses.of(binding.call, binding.name, binding.line, binding.passes)
        for binding in recorders[0].tracer.bindings
    }
    wanted = _replacements(recorders[0], trace, numbers, edits)
    loss = None if loss_at is None else ChosenLoss(loss_at, trace, recorders[0], numbers)
    addresses.begin()
    replacements = Replacements(addresses, wanted, None if loss is None else loss.address)
    changed = _run_changed(trace.name, again, replacements, loss)
    if not replacements.count and wanted:
        names = ", ".join(dict.fromkeys(edit.quantity for edit in edits))
        raise UserError(
            f"{names} cannot be set: it is part of a tuple or of an argument, not a name of its own"
        )
    variant = _variant(trace, changed, edits)
    if loss is None:
        return variant
    header = replace(variant.header, loss_text=loss.text, loss_kind="custom", loss_at=loss_at)
    return Trace(header, variant.arrays)


def _run_changed(
    name: str, again: Callable[..., Trace], replacements: Replacements, loss: ChosenLoss | None
) -> Trace:
    """Run the code with the replacements in place.

    Args:
        name: of the model.
        again: runs and records it.
        replacements: the other values of its variables.
        loss: what the gradients are taken of; None: its own loss.

    Raises:
        UserError: the code raises an exception with them.
    """
    recorders: list[SourceRecorder] = []

    def prepare(recorder: SourceRecorder) -> None:
        recorders.append(recorder)
        recorder.tracer.replace(replacements)

    try:
        changed = again(prepare, None if loss is None else loss.of(recorders, replacements))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: with this change its code raises {_first_line(error)}") from error
    failure = recorders[0].tracer.failure
    if failure is not None:
        raise UserError(f"{name}: {_first_line(failure)}") from failure
    return changed


def _variant(trace: Trace, changed: Trace, edits: Sequence[Edit]) -> Trace:
    """The run with the edits, together with the input and objective that only the recorded trace holds."""
    beside = {key: trace.arrays[key] for key in _BESIDE if key in trace.arrays}
    if changed.steps != trace.steps or changed.batch != trace.batch:
        beside = {}
    return Trace(_header(trace.header, changed.header, edits), {**changed.arrays, **beside})


def _variable(trace: Trace, layer: int, quantity: str) -> Variable:
    if not 0 <= layer < len(trace.layers):
        layers = counted(len(trace.layers), "layer")
        raise UserError(f"{quantity}: there is no layer {layer}: the trace has {layers}, from 0")
    source = trace.layers[layer].source
    variable = None if source is None else source.variable(quantity)
    if variable is None:
        raise UserError(
            f"{quantity}: in a model whose code was recorded, only the variables of that code can be set, "
            "or be what gradients are taken of"
        )
    return variable


def _check(variable: Variable, value: float) -> None:
    """Refuse a value that cannot be put into a variable."""
    if not is_bindable(variable.written):
        raise UserError(
            f"{variable.name}: {variable.written} is what a function returns, not a name that can be set"
        )
    kinds = {"bool": {0.0, 1.0}}
    is_real = variable.dtype.startswith(("float", "bfloat", "double", "half"))
    if not is_real and (not float(value).is_integer() or value not in kinds.get(variable.dtype, {value})):
        raise UserError(f"{variable.name} is {variable.dtype}, which cannot hold {value:.12g}")


def _replacements(
    recorder: SourceRecorder, trace: Trace, numbers: Mapping[int, Address], edits: Sequence[Edit]
) -> dict[Address, list[Replacement]]:
    """The edits by where the names are bound that they are of."""
    wanted: dict[Address, list[Replacement]] = {}
    for edit in edits:
        bound = [*changed_by(recorder.layers, trace, edit)]
        if not bound:
            when = (
                f"at t={edit.start}" if edit.start == edit.stop else f"from t={edit.start} to t={edit.stop}"
            )
            raise UserError(f"{edit.quantity} is not bound {when}, so it cannot be set there")
        for binding, positions in bound:
            if is_read_at_once(binding.call.code, binding.line, binding.name):
                raise UserError(
                    f"{edit.quantity}: line {binding.line} reads it for its next statement as it binds it; "
                    "write each statement on a line of its own"
                )
            replacement = Replacement(torch.as_tensor(positions, device="cpu"), edit.value)
            wanted.setdefault(numbers[id(binding)], []).append(replacement)
    return wanted


def _header(recorded: Header, changed: Header, edits: Sequence[Edit]) -> Header:
    """What the variant's header says, with what only the recorded one knows."""
    return replace(
        changed,
        name=recorded.name,
        title=recorded.title,
        notes=recorded.notes,
        script=recorded.script,
        labels=recorded.labels,
        module=recorded.module,
        loss_text=recorded.loss_text,
        loss_kind=recorded.loss_kind,
        parity=None,
        what_ifs=tuple(str(edit) for edit in edits),
        edits=tuple(edits),
    )


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

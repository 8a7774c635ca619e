"""What-ifs of recorded code: the model runs again, with other values put into its variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from lstmtui.arrays import Array
from lstmtui.capture.source.addresses import Address, Addresses
from lstmtui.capture.source.attributes import is_bindable
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.recorder import SourceRecorder
from lstmtui.capture.source.replacements import Replacement, Replacements
from lstmtui.capture.source.source_layer import SourceLayer
from lstmtui.errors import UserError
from lstmtui.trace import Header, Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.keys import array_key
from lstmtui.trace.source import Variable

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
        loss_at: must be None: which tensor of the user's is an output is not known.

    Raises:
        UserError: it cannot be run again, or not so; the message says why.
    """
    again = trace.rerun_source
    if again is None:
        raise UserError(
            f"{trace.name}: what-ifs run its code again, which is only where it was recorded: in that process"
        )
    if loss_at is not None:
        raise UserError(f"{trace.name}: its loss is its own code's; gradients of another are not to be had")
    for edit in edits:
        _check(trace, edit)
    if not edits:
        return trace
    recorders: list[SourceRecorder] = []
    try:
        same = again(recorders.append)
    except Exception as error:
        raise UserError(f"{trace.name}: cannot be run again: {_first_line(error)}") from error
    _check_same(trace, same)
    addresses = Addresses()
    wanted = _replacements(recorders[0], addresses, edits)
    addresses.begin()
    replacements = Replacements(addresses, wanted)
    recorders.clear()

    def prepare(recorder: SourceRecorder) -> None:
        recorders.append(recorder)
        recorder.tracer.replace(replacements)

    try:
        changed = again(prepare)
    except Exception as error:
        raise UserError(f"{trace.name}: with this change its code raises {_first_line(error)}") from error
    failure = recorders[0].tracer.failure
    if failure is not None:
        raise UserError(f"{trace.name}: {_first_line(failure)}") from failure
    if not replacements.count and wanted:
        names = ", ".join(dict.fromkeys(edit.quantity for edit in edits))
        raise UserError(f"{names}: is a place in a tuple or of an argument, not a name that can be set")
    beside = {key: trace.arrays[key] for key in _BESIDE if key in trace.arrays}
    if changed.steps != trace.steps or changed.batch != trace.batch:
        beside = {}
    return Trace(_header(trace.header, changed.header, edits), {**_arrays(changed), **beside})


def _check(trace: Trace, edit: Edit) -> None:
    source = trace.layers[edit.layer].source
    variable = None if source is None else source.variable(edit.quantity)
    if variable is None:
        raise UserError(
            f"{edit.quantity}: of a model whose code was recorded only the variables of that code can be set"
        )
    if not is_bindable(variable.written):
        raise UserError(
            f"{edit.quantity}: {variable.written} is what a function returns, not a name that can be set"
        )
    _check_number(variable, edit.value)


def _check_number(variable: Variable, value: float) -> None:
    kinds = {"bool": {0.0, 1.0}}
    is_real = variable.dtype.startswith(("float", "bfloat", "double", "half"))
    if not is_real and (not float(value).is_integer() or value not in kinds.get(variable.dtype, {value})):
        raise UserError(f"{variable.name} is of {variable.dtype}, which {value:.12g} is no number of")


def _check_same(trace: Trace, same: Trace) -> None:
    """That the model runs as it did when it was recorded.

    Raises:
        UserError: it does not; the message says by what.
    """
    why = _difference(trace, same)
    if why:
        raise UserError(
            f"{trace.name}: does not run as it did when it was recorded: {why}; record it again, or have "
            "its code do the same each time"
        )


def _difference(trace: Trace, same: Trace) -> str:
    """What is other in a second run, in words; empty where nothing is."""
    changed = [key for key in trace.arrays if key.startswith("parameters/")]
    changed = [
        key for key in changed if key not in same.arrays or not _equal(trace.arrays[key], same.arrays[key])
    ]
    if changed:
        return f"its parameter {changed[0].partition('/')[2]} has other values by now"
    first: tuple[int, int, str] | None = None
    is_close = True
    for number, layer in enumerate(trace.layers):
        for variable in () if layer.source is None else layer.source.variables:
            key = array_key(variable.name, number, "forward")
            if key not in same.arrays or trace.arrays[key].shape != same.arrays[key].shape:
                return f"{variable.written} of line {variable.line} is not bound as often"
            if not _equal(trace.arrays[key], same.arrays[key]):
                t = _first_step(trace.arrays[key], same.arrays[key])
                place = t, variable.line, f"{variable.written} of line {variable.line} is another at t={t}"
                first = place if first is None else min(first, place)
            # Parameters behind the last variable are seen in the derivatives alone.
            key = array_key("d" + variable.name, number, "forward")
            if key in trace.arrays:
                is_close &= key in same.arrays and _is_close(trace.arrays[key], same.arrays[key])
    if first is not None:
        return first[2] + ", with the same parameters and generators (its input, a file, a clock?)"
    return "" if is_close and np.array_equal(trace.loss, same.loss, equal_nan=True) else "its loss is another"


def _first_step(one: Array, other: Array) -> int:
    """The first timestep in which two arrays differ."""
    differs = (one != other) & ~((one != one) & (other != other))
    return int(np.argmax(differs.reshape(len(one), -1).any(1)))


def _is_close(one: Array, other: Array) -> bool:
    """Whether derivatives are the same, which a GPU may add up in another order."""
    scale = float(np.abs(one).max(initial=0, where=np.isfinite(one)))
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)


def _equal(one: Array, other: Array) -> bool:
    is_real = one.dtype.kind in "fc"
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=is_real)


def _replacements(
    recorder: SourceRecorder, addresses: Addresses, edits: Sequence[Edit]
) -> dict[Address, list[Replacement]]:
    """The edits by where the names are bound that they are of."""
    numbers = {
        id(binding): addresses.of(binding.call, binding.name, binding.line, binding.passes)
        for binding in recorder.tracer.bindings
    }
    wanted: dict[Address, list[Replacement]] = {}
    for edit in edits:
        for binding, positions in _changed(recorder.layers[edit.layer], edit):
            replacement = Replacement(torch.as_tensor(positions), edit.value)
            wanted.setdefault(numbers[id(binding)], []).append(replacement)
    return wanted


def _changed(layer: SourceLayer, edit: Edit) -> Iterator[tuple[Binding, Array]]:
    """The bindings that an edit changes, and which numbers of each."""
    part = layer.series[edit.quantity]
    places = layer.places(part)
    units = slice(None) if edit.unit is None else slice(edit.unit, edit.unit + 1)
    if part.whole is not None:
        yield part.whole, _positions(places.values[edit.start : edit.stop + 1, edit.batch, units])
        return
    for t in range(edit.start, min(edit.stop + 1, len(part.rounds))):
        for step, binding in enumerate(part.rounds[t]):
            own = places.values[t] if places.inner is None else places.inner[t, step]
            yield binding, _positions(own[edit.batch, units])


def _positions(numbered: Array) -> Array:
    """From 0; a sequence that has ended has none."""
    flat = numbered.reshape(-1)
    return flat[flat > 0] - 1


def _arrays(trace: Trace) -> dict[str, Array]:
    return {key: trace.arrays[key] for key in trace.arrays}


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

"""The first NaN or inf of a run, with what made it, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.first_bad.derivatives import derivative_made_by
from lstmtui.analysis.first_bad.in_blocks import Which
from lstmtui.analysis.first_bad.lines import bad_derivative_line, bad_line, read_of_its_line
from lstmtui.analysis.first_bad.operands import made_by
from lstmtui.analysis.first_bad.parameter import bad_parameter
from lstmtui.analysis.first_bad.values import BadValue, first_bad_value
from lstmtui.analysis.layer_names import module_path
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.source import Source
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True)
class FirstBad:
    """The first NaN or inf in one pass of a run."""

    which: str
    """forward, or backward: among the derivatives."""
    layer: int | None
    """None for what no layer owns: y, dy, the loss, and a parameter that spoils no recorded value."""
    direction: str
    quantity: str
    """d… for a derivative; a parameter's name, or loss, where no recorded value is bad."""
    t: int
    """The timestep; −1 before the first one, and for what has none."""
    unit: int
    batch: int
    value: float
    where: str
    """The place in a sentence."""
    how: str
    """What made it, with the numbers; may be empty."""
    stage: int | None = None
    """Of recorded code, which binding it is of."""
    module: str = ""
    """The layer's place in the recorded module, "encoder.l1"; empty for that module itself."""

    @property
    def what(self) -> str:
        """`where` without the layer."""
        return self.where.replace(f" in {_owner(self.layer, self.direction, self.module)}", "", 1)

    @property
    def forms(self) -> tuple[str, ...]:
        """The same with ever less of it; the last says what and when at its beginning, in case it is cut."""
        is_late = self.stage is not None  # in the sentence, behind the text of a line
        brief = f"{UNICODE.number(self.value)} at t={self.t}: {self.where}" if is_late else self.where
        return str(self), self.where, brief

    def __str__(self) -> str:
        return f"{self.where}; {self.how}" if self.how else self.where


@query()
def first_bad(view: View, which: str = "forward") -> FirstBad | None:
    """The first NaN or inf of the selected run, of all its layers and sequences; None where there is none.

    Args:
        view: whose selected model is looked at, with its what-ifs.
        which: "forward", or "backward" for the derivatives.

    Raises:
        UserError: there is no such pass.
    """
    return first_bad_of(view.trace, which)


def first_bad_of(trace: Trace, which: str = "forward") -> FirstBad | None:
    """The first NaN or inf in one pass of a trace.

    Forward, a parameter that is not finite comes first, as it is there before anything is computed; then
    the recorded values in order of evaluation (`first_bad_value`), then the loss. Backward, the
    derivatives in reverse order, then those by the parameters.
    """
    if which == "forward":
        return _first_forward(trace)
    if which == "backward":
        return _first_backward(trace)
    raise UserError(f"{which}: the passes are forward and backward")


def why_no_backward(trace: Trace) -> str:
    """Why no derivative of any layer was recorded, in a sentence; empty where one was."""
    layers = range(len(trace.layers))
    names = (
        array_key("d" + q, at, d)
        for at in layers
        for q in trace.layers[at].quantities
        for d in trace.layers[at].directions
    )
    if any(name in trace.arrays for name in names):
        return ""
    why = next((trace.absent(at) for at in layers if trace.absent(at)), "")
    return why or "the trace has no derivatives"


def _first_forward(trace: Trace) -> FirstBad | None:
    parameter, bad = bad_parameter(trace.parameters), first_bad_value(trace)
    if bad is None:
        if parameter is not None:
            return _nowhere("forward", *parameter, "no recorded value is bad for that")
        header = trace.header
        if header.loss_is_known and not header.absent and not np.isfinite(trace.loss):
            return _nowhere("forward", "loss", trace.loss, "every recorded value is finite")
        return None
    source = _source_of(trace, bad)
    place, how = (_place(trace, bad), made_by(trace, bad)) if source is None else bad_line(trace, source, bad)
    if parameter is None:
        return _at(trace, "forward", bad, place, how)
    name, value = parameter
    where = f"{name} is {UNICODE.number(value)} before anything is computed; {place}"
    return _at(trace, "forward", bad, where, how)


def _first_backward(trace: Trace) -> FirstBad | None:
    if why_no_backward(trace):
        return None
    bad = first_bad_value(trace, "backward")
    if bad is not None:
        source = _source_of(trace, bad)
        if source is not None:
            bad = read_of_its_line(trace, source, bad)
            return _at(trace, "backward", bad, *bad_derivative_line(trace, source, bad))
        return _at(trace, "backward", bad, _place(trace, bad), derivative_made_by(trace, bad))
    gradient = bad_parameter(trace.parameter_gradients)
    if gradient is None:
        return None
    name, value = gradient
    return _nowhere("backward", f"the gradient of {name}", value, "every recorded derivative is finite")


def _source_of(trace: Trace, bad: BadValue) -> Source | None:
    return None if bad.layer is None else trace.layers[bad.layer].source


def _owner(layer: int | None, direction: str, module: str) -> str:
    return "" if layer is None else f"layer {layer}{f' ({module})' if module else ''} {direction}"


def _module_of(trace: Trace, bad: BadValue) -> str:
    return "" if bad.layer is None else module_path(trace, bad.layer)


def _place(trace: Trace, bad: BadValue) -> str:
    value, name = UNICODE.number(bad.value), f"{bad.quantity}[{bad.unit}]"
    owner = _owner(bad.layer, bad.direction, _module_of(trace, bad))
    when = "before the first timestep" if bad.t < 0 else f"at t={bad.t}"
    return f"{value} first appears{f' in {owner}' if owner else ''} {when}: {name} of sequence {bad.batch}"


def _at(trace: Trace, which: Which, bad: BadValue, where: str, how: str) -> FirstBad:
    layer, direction, quantity, t, unit, batch, value, stage = bad
    module = _module_of(trace, bad)
    return FirstBad(which, layer, direction, quantity, t, unit, batch, value, where, how, stage, module)


def _nowhere(which: Which, name: str, value: float, how: str) -> FirstBad:
    """A bad value that belongs to no timestep."""
    where = f"{name} is {UNICODE.number(value)}"
    return FirstBad(which, None, "", name, -1, 0, 0, value, where, how)

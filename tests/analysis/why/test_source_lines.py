"""Of recorded code: what a line has read, and from there the line that bound each name, down to arguments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from source_traces import source_trace
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.raised import raised_text
from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.ledger import Ledger, Place
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.source import Raised


def ask(trace: Trace, name: str, t: int, unit: int = 0) -> Ledger:
    return ledger_at(trace, Place(name, t, unit, 0, "forward", 1))


def test_a_state_is_made_of_the_names_of_its_line() -> None:
    trace = source_trace()
    ledger = ask(trace, "new_c", 5, 2)
    assert ledger.kind == "operands"
    assert ledger.equation.endswith("new_c = (f * c_prev + i * u)")
    values = {part.text.partition("[")[0]: part.value for part in ledger.parts}
    assert set(values) == {"f", "c_prev", "i", "u"}
    made = values["f"] * values["c_prev"] + values["i"] * values["u"]
    assert ledger.value == pytest.approx(made, rel=1e-5)
    for part in ledger.parts:
        assert part.leads_to is not None
        lead = part.leads_to
        assert trace.values(lead.quantity)[lead.t, 1, lead.unit] == part.value


def test_what_is_carried_on_leads_to_the_round_before() -> None:
    trace = source_trace()
    ledger = ask(trace, "new_c", 5, 2)
    before = next(part for part in ledger.parts if part.text.startswith("c_prev"))
    assert before.leads_to == Place("new_c", 4, 2, 0, "forward", 1)
    assert ask(trace, "c_prev", 5, 2).asked == Place("new_c", 4, 2, 0, "forward", 1)


def test_the_input_is_where_the_question_ends() -> None:
    ledger = ask(source_trace(), "x", 5, 1)
    assert (ledger.kind, ledger.parts[0].text, ledger.parts[0].leads_to) == (
        "origin",
        "an argument of the call",
        None,
    )


class Scaled(nn.Module):
    """A recurrence whose rounds call a function."""

    def scaled(self, total: Tensor) -> Tensor:
        """Half of it."""
        half = 0.5 * total
        return half + 0.1

    def forward(self, xs: Tensor) -> Tensor:
        """(T, B, 3) to the last state."""
        h = torch.zeros_like(xs[0])
        for x in xs:
            h = torch.tanh(self.scaled(x + h))
        return h


def test_the_argument_of_a_function_is_said_to_be_one_and_has_no_line() -> None:
    trace = lstmtui.record(Scaled(), torch.rand(4, 2, 3, requires_grad=True), source=True)
    assert ask(trace, "total", 2).parts[0].text == "an argument of Scaled.scaled"
    assert [part.text for part in ask(trace, "half", 2).parts] == ["total[0] (an argument)"]


def test_a_unit_is_named_once_by_all_of_its_axes() -> None:
    sentence = str(ask(source_trace(), "S", 5, 7))
    assert sentence.startswith("S[1, 0, 1] at t=5 is ")
    assert "S[7]" not in sentence
    assert sentence.count("S[1, 0, 1] ") == 1


def test_a_name_of_other_units_shows_its_norm_and_its_largest_unit() -> None:
    trace = source_trace()
    ledger = ask(trace, "energy", 5)
    (part,) = ledger.parts
    values = trace.values("new_h")[5, 1]
    assert part.value == pytest.approx(np.linalg.norm(values), rel=1e-6)
    assert part.leads_to == Place("new_h", 5, int(np.abs(values).argmax()), 0, "forward", 1)


def test_what_a_round_does_not_bind_and_derivatives_are_refused() -> None:
    trace = source_trace()
    with pytest.raises(UserError, match="noise: the round t=5 does not bind it"):
        ask(trace, "noise", 5)
    with pytest.raises(UserError, match="x has no gradient: requires none"):
        ask(trace, "dx", 5)
    with pytest.raises(UserError, match="knows its variables and their derivatives"):
        ask(trace, "routes dnew_c", 5)


def test_a_derivative_leads_to_the_lines_that_have_read_the_variable() -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(Leaky(), torch.randn(6, 2, 2), source=True)
    source = trace.layers[0].source
    line = max(variable.line for variable in source.variables) if source else 0
    ledger = trace.why("dstate", t=3, unit=1)
    (part,) = ledger.parts
    assert (ledger.kind, part.text, part.t) == ("operands", f"dstate[1] (line {line} at t=4)", 4)
    assert part.value == trace.values("dstate")[4, 0, 1] == 2 * ledger.value
    assert part.leads_to == Place("dstate", 4, 1, 0, "forward", 0)
    assert "how much of each comes back here is not recorded" in str(ledger)
    written = trace.why("dwritten", t=3, unit=1)
    assert [p.text for p in written.parts] == [f"dstate[1] (line {line})"]
    last = trace.why("dstate", t=5, unit=1)
    assert (last.kind, last.value) == ("origin", 1)
    assert "the loss reads it" in str(last)


class Leaky(nn.Module):
    """A loop of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inward = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[1], 3)
        for step in x:
            written = torch.tanh(self.inward(step))
            state = 0.5 * state + written
        return state


def test_it_is_asked_from_python_of_a_model_recorded_by_source() -> None:
    torch.manual_seed(0)
    trace = lstmtui.record(Leaky(), torch.randn(6, 2, 2), source=True)
    ledger = trace.why("state", t=4, unit=1)
    assert isinstance(ledger, Ledger)
    written = next(part for part in ledger.parts if part.text.startswith("written"))
    assert written.value == trace.values("written")[4, 0, 1]


def test_of_code_without_its_text_nothing_is_said_that_is_not_known() -> None:
    trace = source_trace()
    (layer,) = trace.layers
    assert layer.source is not None
    functions = tuple(replace(own, text="") for own in layer.source.functions)
    layer = replace(layer, source=replace(layer.source, functions=functions))
    raised = Raised(0, 3, 30, "ValueError: no", 0)
    trace = Trace(replace(trace.header, layers=(layer,), raised=raised), trace.arrays)
    gone = "the text of its code was not there when it was recorded"
    assert f": what its line has read is not known: {gone}" in str(ask(trace, "new_c", 5, 2))
    assert f": which line has read it is not known: {gone}" in str(ask(trace, "dnew_c", 5, 2))
    assert raised_text(trace) == "my_cell.py:30: ValueError: no at t=3, where the recording ends"

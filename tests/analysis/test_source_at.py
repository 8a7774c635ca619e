"""The code at the cursor has the values of this timestep beside the lines that bind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from source_traces import FIRST_LINE, INNER, RELAX_LINE, source_trace
from synthetic import synthetic

from lstmtui.analysis.source_at import SourceAt, SourceBinding, source_at
from lstmtui.trace import Trace
from lstmtui.trace.source import Stage
from lstmtui.view import View

TRACE = source_trace()
STAGES = TRACE.cell().stages


def at(t: int, stage: int | None = None, unit: int = 0, trace: Trace = TRACE) -> SourceAt:
    view = View.of(trace, batch=1)
    code = source_at(replace(view, cursor=replace(view.cursor, t=t, stage=stage, unit=unit)))
    assert code is not None
    return code


def bindings(code: SourceAt) -> dict[str, SourceBinding]:
    every = (b for function in code.functions for line in function.lines for b in line.bindings)
    return {binding.variable.name: binding for binding in every}


def marked(code: SourceAt) -> list[int]:
    return [line.number for function in code.functions for line in function.lines if line.is_marked]


def test_whole_timesteps_have_every_value_and_no_marked_line() -> None:
    code = at(3, unit=2)
    for name, binding in bindings(code).items():
        if name == "noise":
            continue
        own = TRACE.values(name)[3, 1]
        expected = own[0] if len(own) == 1 else own[2]
        assert binding.now.value == float(expected), name
        assert binding.now.norm is not None
        np.testing.assert_allclose(binding.now.norm, np.linalg.norm(own.astype(float)), rtol=1e-6)
    assert marked(code) == []
    assert code.stack == (0,)
    assert bindings(code)["S"].variable.shape == (2, 2, 3)


def test_a_name_is_bound_when_its_stage_has_run() -> None:
    now = STAGES.index("f")
    seen = bindings(at(3, now))
    assert {name for name, b in seen.items() if b.now.status == "later"} == {
        *("i", "o", "u_1", "u", "step", "new_c", "new_h", "S", "energy", "best")
    }
    assert seen["f"].is_current
    assert seen["f_1"].now.status == "bound"
    assert seen["x"].now.value == float(TRACE.values("x")[3, 1, 0])
    assert marked(at(3, now)) == [FIRST_LINE + 4]


def test_a_round_that_does_not_bind_a_name_says_so() -> None:
    assert bindings(at(3))["noise"].now.status == "not bound"
    assert bindings(at(4))["noise"].now.status == "bound"


def test_inner_steps_have_their_own_values_and_stand_in_the_function_that_is_called() -> None:
    first = STAGES.index("step")
    code = at(5, first + 2, unit=1)
    assert code.stack == (0, 1)
    assert marked(code) == [FIRST_LINE + 8, RELAX_LINE + 1]
    seen = bindings(code)
    assert seen["step"].inner_step == 1
    assert seen["step"].now.value == float(TRACE.arrays["0/forward/inner/step"][5, 1, 1, 1])
    assert seen["u"].now.value == float(TRACE.arrays["0/forward/inner/u"][5, 0, 1, 1])
    assert bindings(at(5))["u"].inner_step == INNER - 1


def test_a_stage_that_binds_an_argument_is_on_the_line_of_its_function() -> None:
    (layer,) = TRACE.layers
    assert layer.source is not None
    stages = (Stage("x", 0, 0), Stage("step", 1, 0, depth=1), *layer.source.stages)
    changed = replace(layer, source=replace(layer.source, stages=stages))
    trace = Trace(replace(TRACE.header, layers=(changed,)), TRACE.arrays)
    assert marked(at(1, 0, trace=trace)) == [FIRST_LINE]
    assert marked(at(1, 1, trace=trace))[-1] == RELAX_LINE


def test_what_is_carried_on_is_named() -> None:
    seen = bindings(at(2))
    assert seen["h_prev"].carried_from == ("new_h",)
    assert seen["S_prev"].carried_from == ("S",)
    assert seen["new_h"].carried_from == ()


def test_a_unit_that_a_variable_has_not_leaves_its_norm() -> None:
    seen = bindings(at(2, unit=10))
    assert seen["new_h"].now.value is None
    assert seen["new_h"].now.norm is not None
    assert seen["S"].now.value is not None


def test_what_a_terminal_obeys_is_no_part_of_a_line() -> None:
    trace = source_trace(steps=2)
    (layer,) = trace.layers
    assert layer.source is not None
    functions = tuple(
        replace(f, text=f.text.replace("#", "\x1b]0;"), file="\x1b[2J") for f in layer.source.functions
    )
    hostile = replace(layer, source=replace(layer.source, functions=functions))
    code = at(1, trace=Trace(replace(trace.header, layers=(hostile,)), trace.arrays))
    assert code.functions[0].file == "␛[2J"
    assert all(line.text.isprintable() for line in code.functions[0].lines)


def test_a_cell_of_ours_has_no_code() -> None:
    assert source_at(View.of(synthetic())) is None

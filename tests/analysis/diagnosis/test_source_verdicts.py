"""Code of a user's own gets the verdicts that hold for any code; of the others it is said why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from source_traces import source_trace

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, NOT_MEASURED, Verdict, diagnose_trace
from lstmtui.trace import Trace


def named(trace: Trace, name: str, quantity: str = "") -> Verdict:
    (verdict,) = [v for v in diagnose_trace(trace) if v.name == name and v.quantity == quantity]
    return verdict


def without_states(trace: Trace) -> Trace:
    (layer,) = trace.layers
    assert layer.source is not None
    variables = tuple(replace(v, carried_to=()) for v in layer.source.variables)
    layer = replace(layer, source=replace(layer.source, variables=variables))
    arrays = {key: array for key, array in trace.arrays.items() if "initial/" not in key}
    return Trace(replace(trace.header, layers=(layer,)), arrays)


def test_names_in_the_unit_interval_with_the_units_of_a_state_are_judged_as_gates() -> None:
    trace = source_trace(steps=40)
    trace.arrays["0/forward/f"][:] = 0.99  # type: ignore[index]
    trace.arrays["0/forward/i"][..., 0] = 0.01  # type: ignore[index]
    assert named(trace, "saturated", "f").number == 1.0
    assert named(trace, "saturated", "f").severity == LOOK  # it may be a gate that is to stay open
    assert named(trace, "stuck", "i").units == (0,)
    assert named(trace, "saturated", "o").severity == FINE
    assert not [v for v in diagnose_trace(trace) if v.quantity in ("x", "gates", "S", "energy")]


def test_a_gate_is_judged_by_the_timesteps_that_bind_it() -> None:
    trace = source_trace(steps=40)
    for rounds in (24, 3):
        bound = np.arange(40) < rounds
        arrays = {**trace.arrays, "0/forward/bound/f": bound}
        arrays["0/forward/f"] = np.full_like(trace.values("f"), 0.6) * bound[:, None, None]
        verdicts = diagnose_trace(Trace(trace.header, arrays))
        own = {v.name: (v.number, v.severity) for v in verdicts if v.quantity == "f"}
        assert own == ({"saturated": (0.0, FINE), "stuck": (0.0, FINE)} if rounds > 10 else {})


def test_what_needs_equations_or_states_says_that_it_is_not_measured() -> None:
    assert "it is not known which of its variables" in named(source_trace(steps=40), "unwritten").text
    stateless = without_states(source_trace(steps=40))
    assert named(stateless, "saturated").text.startswith("no name of the code stays in [0, 1]")
    assert named(stateless, "vanishing").text == "nothing is carried from one timestep to the next"
    assert {v.severity for v in diagnose_trace(stateless)} == {FINE, NOT_MEASURED}


def test_the_gradient_is_followed_by_the_state_that_it_reaches_furthest_by() -> None:
    trace = source_trace(steps=60)
    fading = np.logspace(-12, 0, 60, dtype=np.float32)[:, None, None]
    trace.arrays["0/forward/dnew_h"][:] = fading  # type: ignore[index]
    trace.arrays["0/forward/dS"][:] = fading  # type: ignore[index]
    trace.arrays["0/forward/dnew_c"][:] = 1.0  # type: ignore[index]
    assert named(trace, "vanishing", "dnew_c").severity == FINE
    trace = source_trace(steps=60)
    for state in ("new_h", "S", "new_c"):
        trace.arrays[f"0/forward/d{state}"][:] = fading  # type: ignore[index]
    (vanishing,) = [v for v in diagnose_trace(trace) if v.name == "vanishing"]
    assert vanishing.severity == BAD


def test_states_without_a_derivative_say_why() -> None:
    trace = source_trace(steps=40, derivatives=False)
    (vanishing,) = [v for v in diagnose_trace(trace) if v.name == "vanishing"]
    assert vanishing.text == "∂L/∂S is not there to be judged: S has no gradient: requires none"


def test_a_state_without_a_derivative_beside_others_is_passed_over() -> None:
    trace = source_trace(steps=40)
    trace.arrays = {key: array for key, array in trace.arrays.items() if not key.endswith("dS")}
    (layer,) = trace.layers
    assert layer.source is not None
    variables = tuple(
        replace(v, absent="detached" if v.name == "S" else v.absent) for v in layer.source.variables
    )
    layer = replace(layer, source=replace(layer.source, variables=variables))
    (vanishing,) = [
        v
        for v in diagnose_trace(Trace(replace(trace.header, layers=(layer,)), trace.arrays))
        if v.name == "vanishing"
    ]
    assert vanishing.quantity in ("dnew_h", "dnew_c")

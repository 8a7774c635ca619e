"""Panel 6 where many runs are open, as after `lstmtui.watch`: lines that can be told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keyboard import press, type_text
from synthetic import synthetic

from lstmtui.trace import Trace
from lstmtui.trace.writing import is_derivative
from lstmtui.tui.panels.gradients import MOST_MODELS
from lstmtui.tui.screens.debugger import DebuggerScreen


@pytest.mark.parametrize("count", [MOST_MODELS, MOST_MODELS + 1])
async def test_every_model_has_a_line_as_long_as_there_are_few(count: int, debugger, shown) -> None:
    traces = {f"step {n}": synthetic(name=f"step {n}", seed=n) for n in range(count)}
    async with debugger(traces, (160, 50)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        states, are_few = len(screen.session.cell.states), count <= MOST_MODELS
        lines = screen.panels[6].plot._plot.series
        assert len(lines) == states + (count - 1) * are_few
        assert (f"{count - 1} others: compare" in shown(pilot)) == (not are_few)
        await press(pilot, ":")
        await type_text(pilot, "compare step 3\n")
        assert len(screen.panels[6].plot._plot.series) == states + (count - 1 if are_few else 1)


MODELS = ("rnn_tanh", "rnn_relu", "LSTM", "LSTM with peepholes", "coupled LSTM", "GRU")


@pytest.mark.parametrize("size", [(100, 40), (110, 40), (120, 40), (160, 50)])
async def test_every_model_is_named_however_wide_the_lanes_are(size, debugger, shown) -> None:
    traces = {name: synthetic(name=name, seed=n) for n, name in enumerate(MODELS)}
    async with debugger(traces, size) as pilot:
        await press(pilot, "m")
        text = shown(pilot).partition("∂L/∂")[2]
        assert all(name[:7] in text for name in MODELS)


@pytest.mark.parametrize("size", [(80, 40), (120, 40)])
async def test_where_there_are_no_derivatives_the_lane_says_why(size, debugger, shown) -> None:
    trace = synthetic()
    known = {key: a for key, a in trace.arrays.items() if not is_derivative(key, trace.arrays)}
    async with debugger(Trace(replace(trace.header, absent="it ran without a graph"), known), size) as pilot:
        assert "6 No gradient norms: it ran without a graph" in shown(pilot)

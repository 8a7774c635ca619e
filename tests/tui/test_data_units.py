"""What a run has seen normalised is shown in the data's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from remote_backends import Echo

import lstmtui
from lstmtui.analysis.signal import signal
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.trace.storage import load, save
from lstmtui.tui.start import Start

RAW = np.array([112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118], float)
SCENARIO = """
[input]
file = "data.csv"
columns = ["passengers"]
normalize = "{method}"
[objective]
loss = "mse"
target = {target}
[[model]]
name = "m"
cell = "lstm"
hidden_size = 3
head = 1
"""


def recorded(folder: Path, method: str = "standard", target: str = '"next"') -> Trace:
    """A run over the numbers, kept in a file and read again."""
    (folder / "data.csv").write_text("passengers\n" + "\n".join(str(int(n)) for n in RAW), encoding="utf-8")
    (folder / "a.toml").write_text(SCENARIO.format(method=method, target=target), encoding="utf-8")
    traces = lstmtui.run(folder / "a.toml", device="cpu")
    save(traces, folder / "kept.trace")
    kept = load(folder / "kept.trace")
    return kept if isinstance(kept, Trace) else next(iter(kept.values()))


@pytest.mark.parametrize("method", ["standard", "minmax", "none"])
def test_the_numbers_of_the_data_come_back(method: str, tmp_path: Path) -> None:
    trace = recorded(tmp_path, method)
    x, target, y = signal(Session(trace).view, 0, 12).lines
    assert (x.name, target.name, y.name) == ("passengers", "target", "y")
    np.testing.assert_allclose(x.values * x.scale + x.shift, RAW, rtol=1e-6)
    np.testing.assert_allclose((target.values * target.scale + target.shift)[:-1], RAW[1:], rtol=1e-6)
    assert (x.shift, x.scale) == (target.shift, target.scale) == (y.shift, y.scale)


def test_a_target_of_its_own_is_not_in_units_of_the_input(tmp_path: Path) -> None:
    trace = recorded(tmp_path, target=str([0.5] * 12))
    x, *others = signal(Session(trace).view, 0, 12).lines
    assert x.scale != 1
    assert {(line.shift, line.scale) for line in others} == {(0.0, 1.0)}


@pytest.mark.parametrize("far", [False, True], ids=["here", "there"])
async def test_the_sequence_says_both_numbers_and_its_axis_those_of_the_data(
    far: bool, debugger, shown, tmp_path: Path
) -> None:
    trace = recorded(tmp_path)
    echo = Echo()
    start = Start(traces=trace)
    if far:
        start = Start(traces=echo.session(trace).traces, backend=echo)
    async with debugger(start, (120, 40)) as pilot:
        screen = pilot.app.screen
        for t in (0, 7):
            screen.run_text(f"goto {t}")
            await pilot.pause()
            assert f"passengers {RAW[t]:.0f}" in shown(pilot).splitlines()[1]
            assert f"target {RAW[t + 1]:.0f}" in shown(pilot).splitlines()[1]
        top = float(shown(pilot).splitlines()[2].split("┤")[0])
        assert top >= RAW.max() - 1
        await pilot.press("1", "z")
        await pilot.pause()
        normalised = (RAW[7] - RAW.mean()) / RAW.std()
        assert f"passengers 148 ({normalised:.2f}" in shown(pilot).splitlines()[1]
        screen.run_text("hide y")
        await pilot.pause()
        assert " y " not in shown(pilot).splitlines()[1]

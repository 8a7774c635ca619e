"""Every bundled scenario loads, runs, agrees with the stock modules, and speaks to a newcomer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstmtui.scenario import bundled_scenarios, load_scenario
from lstmtui.trace import Traces
from lstmtui.tui.keys import KEYS

FOLDER = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))

Recorded = Callable[[str], Traces]


@pytest.mark.parametrize("name", NAMES)
def test_runs_with_every_number_finite_and_close_to_the_stock_modules(name: str, recorded: Recorded) -> None:
    for trace in recorded(name).values():
        for key, array in trace.arrays.items():
            assert np.isfinite(array).all(), f"{trace.name}: {key}"
        assert trace.parity is None or trace.parity <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_has_a_title_and_notes_whose_keys_exist(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.toml")
    labels = {sign for key in KEYS for sign in key.label.split()} | set("123456789")
    named = set(re.findall(r"(?:[Pp]ress |^\d\. )`(.)`", scenario.notes, re.MULTILINE))
    assert scenario.title != name
    assert len(scenario.notes.splitlines()) > 15
    assert named
    assert named <= labels


def test_the_course_begins_by_hand_and_goes_on_with_real_data() -> None:
    assert [path.stem for path in bundled_scenarios()][:2] == ["first-steps", "airline"]


def test_weights_are_small_and_all_used() -> None:
    files = {path.name for path in (FOLDER / "weights").iterdir()}
    text = "".join((FOLDER / f"{name}.toml").read_text(encoding="utf-8") for name in NAMES)
    assert files == set(re.findall(r'(?:weights|onnx) = "weights/(.+?)"', text))
    assert all((FOLDER / "weights" / file).stat().st_size < 200_000 for file in files)


def test_somewhere_there_are_two_layers_and_two_directions(recorded: Recorded) -> None:
    trace = recorded("brackets")["BiLSTM, 2 layers"]
    assert [layer.directions for layer in trace.layers] == [("forward", "backward")] * 2


def test_the_airline_series_is_the_one_of_box_and_jenkins() -> None:
    lines = (FOLDER / "data" / "airline.csv").read_text(encoding="utf-8").splitlines()
    months, numbers = zip(*(line.split(",") for line in lines[1:]), strict=True)
    passengers = [int(number) for number in numbers]
    assert months == tuple(f"{year}-{month:02}" for year in range(1949, 1961) for month in range(1, 13))
    yearly = [sum(passengers[k : k + 12]) for k in range(0, 144, 12)]
    assert yearly == [1520, 1676, 2042, 2364, 2700, 2867, 3408, 3939, 4421, 4572, 5140, 5714]
    july = passengers[6::12]
    assert july == [148, 170, 199, 230, 264, 302, 364, 413, 465, 491, 548, 622]

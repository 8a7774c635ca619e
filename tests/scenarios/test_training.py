"""`scenarios/train.py` gives the same weights every time."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save

FOLDER = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The training script as a module."""
    spec = importlib.util.spec_from_file_location("bundled_training", FOLDER / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("name", ["airline", "brackets", "latch", "adding"])
def test_a_few_steps_twice_give_the_same_bytes(name: str, script: ModuleType) -> None:
    model = script.read(name)["model"][-1]
    first, again = (save(script.train(name, model, steps=3).weights()) for _ in range(2))
    untrained = save(script.train(name, model, steps=0).weights())
    assert first == again
    assert first != untrained


def test_every_weight_file_has_the_parameters_the_script_writes(script: ModuleType) -> None:
    for name in script.RECIPES:
        for model in script.read(name)["model"]:
            written = load_file(FOLDER / model["weights"])
            network = script.train(name, model, steps=0)
            shapes = {key: value.shape for key, value in network.weights().items()}
            assert {key: value.shape for key, value in written.items()} == shapes
            assert {value.dtype for value in written.values()} == {torch.float32}


def test_the_months_held_out_are_never_drawn(script: ModuleType) -> None:
    given = script.read("airline")["input"]
    assert len(script.draw_airline(given, 2, 0).x) == 144 - 24 - 1


def test_the_airline_is_shown_to_training_as_the_scenario_shows_it(script: ModuleType) -> None:
    from lstmtui.scenario import load_scenario

    values = load_scenario(FOLDER / "airline.toml").input.values
    assert values is not None
    shown = script.standard(script.passengers()).double().numpy()
    assert shown == pytest.approx(values[:, 0, 0], abs=1e-5)

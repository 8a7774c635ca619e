"""Writing scenarios for tests, and reading back what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lstmtui.scenario import Problem, Scenario, ScenarioError, load_scenario

MODEL = '\n[[model]]\ncell = "lstm"\nhidden_size = 3\n'


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Scenario]:
    """Loads a scenario from its text; unless `model` says otherwise with a small LSTM as its model."""

    def load(text: str, model: str = MODEL) -> Scenario:
        path = tmp_path / "a.toml"
        path.write_text(text + model, encoding="utf-8")
        return load_scenario(path)

    return load


@pytest.fixture
def problems(load: Callable[..., Scenario]) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a scenario that has some."""

    def problems(text: str, model: str = MODEL) -> tuple[Problem, ...]:
        with pytest.raises(ScenarioError) as caught:
            load(text, model)
        return caught.value.problems

    return problems


@pytest.fixture
def problem(problems: Callable[..., tuple[Problem, ...]]) -> Callable[..., str]:
    """The only problem of a scenario, without the file's name: `line: key: …`."""

    def problem(text: str, model: str = MODEL) -> str:
        found = problems(text, model)
        assert len(found) == 1, [str(one) for one in found]
        return str(found[0]).split("a.toml:", 1)[-1]

    return problem

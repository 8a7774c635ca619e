"""What a scenario file may say, its inputs and objectives, and how its mistakes are shown. No torch."""

from lstmtui.scenario.bundled import (
    bundled_scenarios,
    find_scenario,
    is_lesson,
    own_scenarios,
    scenario_notes,
    scenario_title,
)
from lstmtui.scenario.load import load_scenario
from lstmtui.scenario.problem import Problem, ScenarioError
from lstmtui.scenario.scenario import (
    FactorySpec,
    GraphSpec,
    Input,
    LawsSpec,
    ModelSpec,
    Objective,
    RunSpec,
    Scenario,
)

__all__ = [
    "FactorySpec",
    "GraphSpec",
    "Input",
    "LawsSpec",
    "ModelSpec",
    "Objective",
    "Problem",
    "RunSpec",
    "Scenario",
    "ScenarioError",
    "bundled_scenarios",
    "find_scenario",
    "is_lesson",
    "load_scenario",
    "own_scenarios",
    "scenario_notes",
    "scenario_title",
]

"""The script of a scenario, and the vocabulary it is parsed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmtui.expressions import Vocabulary
    from lstmtui.playback import Script
    from lstmtui.scenario import Scenario


def script_of(scenario: Scenario) -> Script:
    """Its script, with the lines of its file."""
    from lstmtui.playback import script_within
    from lstmtui.scenario.files import read_text

    return script_within(read_text(scenario.path), scenario.script, str(scenario.path))


def vocabulary(scenario: Scenario) -> Vocabulary:
    """The words of its script: any name may be one where code is to be run that has names of its own."""
    from lstmtui.expressions import cell_vocabulary, open_vocabulary
    from lstmtui.scenario.scenario import FactorySpec

    has_code = any(isinstance(model, FactorySpec) for model in scenario.models)
    return open_vocabulary() if has_code else cell_vocabulary()

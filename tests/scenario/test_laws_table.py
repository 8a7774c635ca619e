"""[laws]: where sequences begin anew, and the user's own code; every mistake at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmtui.scenario import ScenarioError, load_scenario

TEXT = """
[input]
tokens = [[1, 2, 3, 4], [4, 3, 2, 1]]
[[model]]
cell = "gru"
hidden_size = 2
seed = 0
"""


def loaded(folder: Path, laws: str, trust: bool = True) -> Any:
    (folder / "s.toml").write_text(f"{TEXT}[laws]\n{laws}\n", encoding="utf-8")
    return load_scenario(folder / "s.toml", trust).laws


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ("[0, 2]", [[1, 1], [0, 0], [1, 1], [0, 0]]),
        ("[[0, 2], [3]]", [[1, 0], [0, 0], [1, 0], [0, 1]]),
        ("[[], [1]]", [[0, 0], [0, 1], [0, 0], [0, 0]]),
    ],
)
def test_starts_are_of_all_sequences_or_of_each(tmp_path: Path, starts: str, expected: list[Any]) -> None:
    np.testing.assert_array_equal(loaded(tmp_path, f"starts = {starts}").starts, np.array(expected, bool))


def test_code_is_named_and_not_run(tmp_path: Path) -> None:
    spec = loaded(tmp_path, 'run = "no_such_module:run"\nreset = "pkg.mine:Model.reset"')
    assert (spec.run, spec.step, spec.reset, spec.starts) == (
        "no_such_module:run",
        None,
        "pkg.mine:Model.reset",
        None,
    )


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    laws = 'starts = [[0, -1], [true], ["x", 4]]\nrun = "mine"\nstepp = "a:b"\nreset = 3'
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, laws)
    said = "\n".join(map(str, caught.value.problems))
    for part in (
        "laws.starts: has 3 lists for 2 sequences",
        "laws.starts[0][1]: there is no timestep -1; allowed: 0 to 3",
        "laws.starts[1][0]: is true; allowed: a timestep",
        "laws.starts[2][0]: is 'x'; allowed: a timestep",
        "laws.starts[2][1]: there is no timestep 4",
        "laws.run: is 'mine'; allowed: \"package.module:function\"",
        "laws.stepp: unknown key",
        'did you mean "step"?',
        "laws.reset: must be a string, is 3",
    ):
        assert part in said, said

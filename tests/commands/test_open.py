"""`lstmtui open`: problems of the target are said before the screen opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmtui.__main__ import main
from lstmtui.tui import launch
from lstmtui.tui.start import Start


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Start]:
    """What the screen would have begun with."""
    starts: list[Start] = []
    monkeypatch.setattr(launch, "launch", lambda start, **_: starts.append(start))
    return starts


def test_a_target_that_is_not_there_is_a_sentence_with_the_bundled_names(capsys, started) -> None:
    assert main(["open", "airlin\x1b[2Je"]) == 2
    said = capsys.readouterr().err
    assert "there is no such file, trace or bundled scenario" in said
    assert "airline" in said
    assert "\x1b" not in said
    assert said.count("\n") == 1
    assert started == []


def test_a_directory_that_is_no_trace_and_a_broken_scenario_are_sentences(
    tmp_path: Path, capsys, started
) -> None:
    assert main(["open", str(tmp_path)]) == 2
    assert "not a trace" in capsys.readouterr().err
    broken = tmp_path / "broken.toml"
    broken.write_text('title = "x"\n[input]\nvalues = [[1.0]]\n[[model]]\nname = "a"\ncell = "lstmm"\n')
    assert main(["open", str(broken)]) == 2
    said = capsys.readouterr().err
    assert "broken.toml:6" in said
    assert "'lstmm'" in said
    assert started == []


def test_a_bundled_scenario_opens_by_its_name(started) -> None:
    assert main(["open", "airline"]) == 0
    assert started[0].opening is not None
    assert "irline" in started[0].opening.name


def test_without_a_target_there_is_a_list_to_pick_from(started) -> None:
    assert main([]) == 0
    assert len(started[0].choices) >= 3
    assert started[0].traces is None


@pytest.mark.parametrize(
    "verb", [["open"], ["play"], ["check"], ["record", "-o", "out"], ["diagnose"], ["train"]]
)
def test_a_misspelt_bundled_scenario_is_suggested_by_every_verb(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*verb, "airlin"]) == 2
    assert "did you mean" in (said := capsys.readouterr().err)
    assert said.rstrip().rstrip('?"').endswith("airline")

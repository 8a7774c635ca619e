"""Breakpoints and watches between runs: what is kept, for whom, and what becomes of a bad file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from synthetic import synthetic

from lstmtui.expressions import Expression
from lstmtui.session import Session
from lstmtui.session.breakpoints import MOST_BREAKPOINTS
from lstmtui.session.saved_state import LARGEST_FILE, load, save, state_file

E = Expression


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of these tests."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "tour.toml"


def fresh() -> Session:
    return Session(synthetic("lstm", 8, 3))


def filled() -> Session:
    """A session with one breakpoint of each kind, hit and disabled, and two watches."""
    session = fresh()
    session.breakpoints.add_at(3)
    session.breakpoints.add_at(4)
    session.breakpoints.add_when(E("min(f) < 0.1"), enabled=False)
    session.breakpoints.add_when(E("any(c > 1)"), "größer als 1 🎉")
    session.breakpoints.delete(1)
    session.breakpoints.count_hits(2, 5)
    session.watches.add(E("norm(dh)"))
    session.watches.add(E("c"))
    return session


def held(session: Session) -> tuple[list[tuple[object, ...]], list[str]]:
    """The breakpoints without their numbers, and the watches."""
    points: list[tuple[object, ...]] = [
        (p.t, p.when and p.when.text, p.note, p.enabled) for p in session.breakpoints
    ]
    return points, [watch.text for watch in session.watches]


EMPTY: tuple[list[Any], list[str]] = ([], [])


def test_what_was_saved_comes_back_unhit(scenario: Path) -> None:
    assert save(filled(), scenario)
    session = fresh()
    assert load(session, scenario)
    assert held(session) == held(filled())
    assert [(p.id, p.hits) for p in session.breakpoints] == [(1, 0), (2, 0), (3, 0)]
    assert save(session, scenario)
    again = fresh()
    load(again, scenario)
    assert held(again) == held(filled())


def test_what_was_deleted_stays_deleted(scenario: Path) -> None:
    save(filled(), scenario)
    assert save(fresh(), scenario)
    session = fresh()
    assert load(session, scenario)
    assert held(session) == EMPTY


def test_nothing_was_kept_of_a_new_scenario(scenario: Path, state: Path) -> None:
    session = fresh()
    assert not load(session, scenario)
    assert held(session) == EMPTY
    assert not state.exists()


def test_scenarios_do_not_mix(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    save(filled(), tmp_path / "a" / "tour.toml")
    assert not load(fresh(), tmp_path / "b" / "tour.toml")
    assert not load(fresh(), "ssh://host/tour.toml")
    save(fresh(), tmp_path / "b" / "tour.toml")
    session = fresh()
    assert load(session, tmp_path / "a" / "tour.toml")
    assert held(session) == held(filled())


def test_a_file_put_in_the_place_of_another_scenarios_is_not_read(tmp_path: Path) -> None:
    save(filled(), tmp_path / "a.toml")
    state_file(tmp_path / "a.toml").rename(state_file(tmp_path / "b.toml"))
    assert not load(fresh(), tmp_path / "b.toml")


def test_one_scenario_is_the_same_however_it_is_named(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.write_text("")
    (tmp_path / "link.toml").symlink_to(scenario)
    monkeypatch.chdir(tmp_path)
    save(filled(), "tour.toml")
    assert load(fresh(), scenario)
    assert load(fresh(), str(tmp_path / "link.toml"))


def test_names_that_are_not_utf_8_can_be_kept(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.toml")
    assert save(filled(), odd)
    assert load(fresh(), odd)


def test_without_the_variable_it_is_the_users_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("LSTMTUI_STATE_DIR")
    assert platformdirs.user_state_path("lstmtui") in state_file("tour.toml").parents


def written(**changes: object) -> str:
    """The file of the filled session with some of it changed."""
    return json.dumps({**json.loads(state_file("x").read_text()), **changes})


AT = {"at": 3, "enabled": True}
WHEN = {"when": "t > 3", "note": None, "enabled": True}

HOSTILE: dict[str, Any] = {
    "another schema": {"schema": 2},
    "not lists": {"breakpoints": {}},
    "watches of text": {"watches": "cc"},
    "a negative timestep": {"breakpoints": [AT | {"at": -1}]},
    "a timestep that is true": {"breakpoints": [AT | {"at": True}]},
    "a fraction": {"breakpoints": [AT | {"at": 1.5}]},
    "a huge timestep": {"breakpoints": [AT | {"at": 10**40}]},
    "no state": {"breakpoints": [{"at": 3}]},
    "a state that is a number": {"breakpoints": [AT | {"enabled": 1}]},
    "a list": {"breakpoints": [AT, []]},
    "a string": {"breakpoints": ["at"]},
    "null": {"breakpoints": [None]},
    "code": {"breakpoints": [WHEN | {"when": "__import__('os').system('true')"}]},
    "a vector": {"breakpoints": [WHEN | {"when": "c"}]},
    "a number as condition": {"breakpoints": [WHEN | {"when": 3}]},
    "a list as note": {"breakpoints": [WHEN | {"note": ["x"]}]},
    "a giant note": {"breakpoints": [WHEN | {"note": "x" * 10_001}]},
    "an attribute": {"watches": ["c.shape"]},
    "a nested watch": {"watches": [["c"]]},
    "too many": {"breakpoints": [AT] * (MOST_BREAKPOINTS + 1)},
    "too many watches": {"watches": ["c"] * 1_001},
}

DAMAGED = {
    "empty": b"",
    "half": b'{"schema": 1, "scen',
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a number": b"3",
    "null": b"null",
    "nothing in it": b"{}",
    "deep": b"[" * 100_000,
    "a giant number": b'{"schema": ' + b"9" * 10_000 + b"}",
    "too large": b" " * (LARGEST_FILE + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_left_out_whole_and_set_aside(name: str) -> None:
    save(filled(), "x")
    _is_left_out_and_set_aside(written(**HOSTILE[name]).encode())


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_left_out_whole_and_set_aside(name: str) -> None:
    save(filled(), "x")
    _is_left_out_and_set_aside(DAMAGED[name])


def _is_left_out_and_set_aside(content: bytes) -> None:
    path = state_file("x")
    path.write_bytes(content)
    session = fresh()
    session.breakpoints.add_at(2)
    assert not load(session, "x")
    assert held(session) == ([(2, None, None, True)], [])
    assert path.read_bytes() == content
    assert save(session, "x")
    assert path.with_suffix(".damaged").read_bytes() == content
    assert load(fresh(), "x")


def test_notes_of_a_file_are_made_safe_to_show() -> None:
    save(filled(), "x")
    state_file("x").write_text(written(breakpoints=[WHEN | {"note": "\x1b[2J\u202e"}]))
    session = fresh()
    assert load(session, "x")
    assert [point.note for point in session.breakpoints] == ["␛[2J�"]


def test_a_pipe_or_a_folder_in_its_place_does_not_hang() -> None:
    path = state_file("x")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert not load(fresh(), "x")
    assert save(filled(), "x")
    path.unlink()
    path.mkdir()
    assert not load(fresh(), "x")
    assert load(fresh(), "y") is False


def test_a_directory_that_cannot_be_written_is_said(state: Path) -> None:
    state.write_text("a file where the directory should be")
    assert not save(filled(), "x")
    assert not load(fresh(), "x")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    save(filled(), "x")
    before = state_file("x").read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    assert not save(fresh(), "x")
    assert state_file("x").read_bytes() == before
    assert list(state_file("x").parent.iterdir()) == [state_file("x")]


def test_more_than_can_be_read_back_is_not_written_over_what_was_kept() -> None:
    save(filled(), "x")
    session = fresh()
    for _ in range(MOST_BREAKPOINTS):
        session.breakpoints.add_when(E("t > 3"), "x" * 9_000)
    assert not save(session, "x")
    again = fresh()
    assert load(again, "x")
    assert held(again) == held(filled())


def test_a_session_that_is_full_already_is_left_as_it_is() -> None:
    save(filled(), "x")
    session = fresh()
    for t in range(MOST_BREAKPOINTS - 1):
        session.breakpoints.add_at(t)
    assert not load(session, "x")
    assert (len(session.breakpoints), len(session.watches)) == (MOST_BREAKPOINTS - 1, 0)

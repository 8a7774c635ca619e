"""What the bundled scripts say holds, and stops holding where a lesson's point is broken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from keyboard import press, settle

from lstmtui.__main__ import main
from lstmtui.capture.laws.engine import ModelEngine
from lstmtui.capture.run import build
from lstmtui.playback.lesson import pages_of
from lstmtui.scenario import bundled_scenarios, load_scenario
from lstmtui.scenario.tasks import make_task
from lstmtui.session import Command, Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line, parse_script
from lstmtui.trace import Traces
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.lesson_band import MOST_LINES, page_spans, spans_before, with_choices
from lstmtui.tui.parts.lesson_guide import LessonGuide
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start
from lstmtui.tui.theme import Look

FOLDER = Path(__file__).parents[2] / "scenarios"
SCRIPTED = [path for path in bundled_scenarios() if load_scenario(path).script.strip()]
LESSONS = [path for path in bundled_scenarios() if path.stem.startswith("lesson-")]

POINTS = {
    "dilution": ("weight_hh_l0 = [[0.6]]", "weight_hh_l0 = [[0.99]]", "0 < abs(h[0] - base(h[0])) < 0.001"),
    "highway": ("bias_ih_l0 = [-6, 9, 0, 3]", "bias_ih_l0 = [-6, 2, 0, 3]", "abs(c[0] - 0.758) < 0.001"),
    "forget-gate": ("set f = 1 from 1", "set f = 0.99 from 1", "c[0] == prev(c[0])"),
    "input-gate": ("bias_ih_l0 = [-8,", "bias_ih_l0 = [8,", "i[0] < 0.001"),
    "output-gate": ("bias_ih_l0 = [-6, 7, 0, -7]", "bias_ih_l0 = [-6, 7, 0, 7]", "abs(h[0]) < 0.001"),
    "ranges": ("bias_ih_l0 = [8, 9,", "bias_ih_l0 = [8, 0,", "c[0] > 10"),
    "boundary": ("[0, 0, 0, -10]", "[0, 0, 0, 0]", "x[3] == 1"),
    "vanishing-gradient": ("latch-rnn_tanh", "gap-5-rnn_tanh", "0 < norm(dh) < 1e-22"),
    "exploding-gradient": ("weight_hh_l0 = [[1.5]]", "weight_hh_l0 = [[0.9]]", "2e10 < norm(dh)"),
    "peephole": ("weight_co_l0 = [13]", "weight_co_l0 = [0]", "t == 7 and o[0] > 0.5"),
    "tied-gates": (
        "weight_ih_l0 = [[0, 12], [1, 0], [0, 0]]",
        "weight_ih_l0 = [[0, 3], [1, 0], [0, 0]]",
        "f[0] < 0.01 and abs(c[0] - 0.664) < 0.01",
    ),
    "gru": ("[[0], [0], [1]]", "[[0], [0], [0]]", "abs(n[0] - 0.745) < 0.01"),
    "what-ifs": ("set c = 0 from 50 to 50", "set c[4] = 0 from 50 to 50", "y[0] < -5 and base(y[0]) > 6"),
    "gap-5": ("gap-5-rnn_tanh", "latch-rnn_tanh", "y[0] > 3"),
    "gap-20": ("gap-20-rnn_tanh", "latch-rnn_tanh", "y[0] > 3"),
    "gap-100": ("latch-rnn_tanh", "gap-20-rnn_tanh", "abs(y[0] - base(y[0])) < 0.000001"),
    "memory": ("set x[0] = 1 from 0 to 0", "set x[0] = 1 from 20 to 20", "y[0] > 6"),
}
"""Of each lesson: what its point rests on, what breaks it, and an `expect` that then fails."""

UNTRAINED = (
    ("LSTM", "gap-100"),
    ("GRU", "gap-100"),
    ("LSTM with peepholes", "cousins"),
    ("coupled LSTM", "cousins"),
    ("GRU", "cousins"),
)
"""Networks that have to have learned their task, and the lesson that says so."""


def play(capsys: pytest.CaptureFixture[str], path: Path) -> tuple[int, str, str]:
    """Status, output and complaints."""
    status = main(["play", str(path), "--plain", "--device", "cpu"])
    said = capsys.readouterr()
    return status, said.out, said.err


def changed(name: str, old: str, new: str, folder: Path) -> Path:
    """A copy of a lesson with one thing changed wherever it is written."""
    text = (FOLDER / f"lesson-{name}.toml").read_text(encoding="utf-8")
    assert old in text
    copy = folder / "changed.toml"
    text = text.replace(old, new).replace('"weights/', f'"{(FOLDER / "weights").as_posix()}/')
    copy.write_text(text, encoding="utf-8")
    return copy


def test_every_bundled_scenario_has_a_script() -> None:
    assert list(bundled_scenarios()) == SCRIPTED


@pytest.mark.parametrize("path", SCRIPTED, ids=lambda path: path.stem)
def test_everything_expected_holds_and_is_said_in_the_same_bytes_again(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said, complaints = play(capsys, path)
    assert (status, complaints) == (0, "")
    assert play(capsys, path) == (status, said, complaints)
    assert " holds: " in said


@pytest.mark.parametrize("path", SCRIPTED, ids=lambda path: path.stem)
def test_a_tour_speaks_waits_and_expects_something_of_every_model_it_visits(path: Path) -> None:
    commands = parse_script(load_scenario(path).script)
    verbs = [command.verb for command in commands]
    assert min(verbs.count("note"), verbs.count("pause")) >= 3
    stations = "\n".join(verbs).split("model\n")
    assert all("expect" in station for station in stations if station)
    assert all(len(command.arguments[0]) <= 140 for command in commands if command.verb == "note")


@pytest.mark.parametrize("path", SCRIPTED, ids=lambda path: path.stem)
def test_every_page_speaks_or_asks_and_all_of_it_has_room_in_60_columns(path: Path) -> None:
    for page in pages_of(parse_script(load_scenario(path).script)):
        assert page.note or page.question
        assert len(with_choices(*spans_before(page), 60 - 2, Look())) < MOST_LINES, page.note or page.question


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_asks_for_two_or_three_predictions_and_ends_with_what_was_learned(path: Path) -> None:
    pages = pages_of(parse_script(load_scenario(path).script))
    assert 2 <= sum(page.question is not None for page in pages) <= 3
    assert pages[-1].note.startswith("**Learned.** ")
    assert [page.note.startswith("**Learned.**") for page in pages].count(True) == 1


def with_breakpoints(path: Path, traces: Traces) -> Session:
    """A session of a scenario in which somebody has set breakpoints and a watch, and stands at t=2."""
    engine, scenario = ModelEngine(), load_scenario(path)
    engine.remember(lambda: scenario, traces)
    session = Session(traces, engine)
    session.is_attended = True
    for line in ("break at 1", "break when t > 2", "watch h", "goto 2"):
        execute(session, parse_line(line))  # type: ignore[arg-type]
    return session


@pytest.mark.parametrize("path", SCRIPTED, ids=lambda path: path.stem)
def test_a_lesson_is_the_same_twice_in_a_row_beside_breakpoints_of_the_users_own(
    path: Path, recorded: Callable[[str], Traces]
) -> None:
    session = with_breakpoints(path, recorded(path.stem))
    mine = (session.cursor, [*session.breakpoints], [*session.watches])

    def start(command: Command) -> None:
        guide.took(command, execute(session, command))

    def nothing(*_: object) -> None:
        """There is no screen."""

    guide = LessonGuide(session, nothing, lambda: False, start, nothing, nothing, nothing)  # type: ignore[arg-type]
    passes: list[list[object]] = []
    for _ in range(2):
        passes.append([])
        guide.toggle()
        while not guide.is_last:
            if guide.waits_for_answer:
                assert session.hidden
                start(parse_line("reveal"))  # type: ignore[arg-type]
            assert guide.problem == ""
            assert len(with_choices(*page_spans(guide), 80 - 2, Look())) < MOST_LINES, guide.page.note
            passes[-1].append((session.cursor, tuple(guide.said), session.hidden))
            guide.next()
        guide.toggle()
        assert (session.cursor, [*session.breakpoints], [*session.watches]) == mine
        assert not session.changed
    assert passes[0] == passes[1]


@pytest.mark.parametrize("name", ["first-steps", "lesson-output-gate", "latch"])
async def test_a_lesson_goes_to_its_end_on_the_smallest_common_screen(
    name: str, recorded: Callable[[str], Traces]
) -> None:
    session = with_breakpoints(FOLDER / f"{name}.toml", recorded(name))
    mine = [*session.breakpoints]
    async with LstmtuiApp(Start(session=session)).run_test(size=(80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DebuggerScreen)
        guide = screen.lesson.guide
        await press(pilot, "t")
        async with asyncio.timeout(60):
            while not guide.is_last:
                await settle()
                if guide.waits_for_answer:
                    screen.run_text("reveal")
                words = guide.page.note.replace("*", "").replace("`", "").split()[:3]
                band = " ".join("".join(text for text, _ in line) for line in screen.lesson.band._lines)
                assert guide.page.question or screen.is_busy or " ".join(words) in band
                assert guide.problem == ""
                guide.next()
        await press(pilot, "escape")
        assert [*session.breakpoints] == mine


def test_lessons_are_numbered_in_the_order_in_which_they_are_listed() -> None:
    titles = [load_scenario(path).title for path in LESSONS]
    numbers = [int(re.match(r"Lesson (\d+): \S", title)[1]) for title in titles]  # type: ignore[index]
    assert numbers == list(range(1, len(LESSONS) + 1))
    places = [path.stem.startswith("lesson-") for path in bundled_scenarios()]
    assert "".join("x" if lesson else " " for lesson in places).strip() == "x" * len(LESSONS)


def test_every_lesson_has_a_point_to_break() -> None:
    assert {path.stem.removeprefix("lesson-") for path in LESSONS} == {
        *POINTS,
        *(name for _, name in UNTRAINED),
    }


@pytest.mark.parametrize("name", POINTS)
def test_a_lesson_fails_where_its_point_is_broken(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, expected = POINTS[name]
    status, _, complaints = play(capsys, changed(name, old, new, tmp_path))
    assert status == 1
    assert any(expected in line and "does not hold" in line for line in complaints.splitlines())


@pytest.mark.parametrize(("model", "name"), UNTRAINED)
def test_an_untrained_network_does_not_pass(
    model: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (FOLDER / f"lesson-{name}.toml").read_text(encoding="utf-8")
    table = next(part for part in text.split("[[model]]") if f'name = "{model}"\n' in part)
    weights = re.search(r"^weights = .*$", table, re.MULTILINE)
    assert weights
    status, _, complaints = play(capsys, changed(name, weights.group(), "seed = 0", tmp_path))
    assert status == 1
    assert all(f"model {model}, batch" in line for line in complaints.splitlines()[:-1])


@pytest.mark.parametrize(("name", "column"), [("gap-5", 2), ("gap-20", 3), ("gap-100", 4)])
def test_the_gap_lessons_give_the_figures_of_their_weights(name: str, column: int) -> None:
    scenario = load_scenario(FOLDER / f"lesson-{name}.toml")
    data = make_task("latch", length=int(name.removeprefix("gap-")) + 1, batch=1000, seed=2_000_000)
    assert data.values is not None
    for spec in scenario.models:
        with torch.no_grad():
            y = build(spec, scenario.input)(torch.as_tensor(data.values.astype(np.float32)))[0].numpy()
        right = 100 * ((y[-1] > 0) == (data.target[-1] > 0.5)).mean()
        for path in LESSONS:
            notes = load_scenario(path).notes
            if "| gap 5 | gap 20 | gap 100 |" in notes:
                row = next(line for line in notes.splitlines() if line.startswith(f"| {spec.name} |"))
                assert float(row.split("|")[column].strip(" *%")) == pytest.approx(right, abs=0.3)

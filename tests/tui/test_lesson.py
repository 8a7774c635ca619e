"""A lesson on the screen: its pages turn, its words are seen, and the user's own session comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from keyboard import press, settle, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.session import saved_state
from lstmtui.tui.parts.lesson_guide import LessonGuide
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import COURSE_GROUP, Choice, Opening, Start

SIZES = [(120, 40), (80, 24), (60, 20)]
SCRIPT = """goto 7
note look at **unit two**
unit 2
watch h[2]
note then on
expect h[2] < 9
break at 20
continue
note the end of it
"""


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def guide_of(pilot: Pilot[None]) -> LessonGuide:
    """What turns the pages."""
    return debugging(pilot).lesson.guide


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_note_is_on_screen_while_its_cursor_moves_and_pages_turn_both_ways(
    size: tuple[int, int], ascii: bool, debugger, shown
) -> None:
    async with debugger(synthetic(script=SCRIPT), size, ascii=ascii) as pilot:
        screen, session = debugging(pilot), debugging(pilot).session
        await press(pilot, "t")
        for keys, words, page, t, unit in (
            ((), "look at unit two", "1/3", 7, 0),
            (("space",), "then on", "2/3", 7, 2),
            (("right",), "the end of it", "3/3", 20, 2),
            (("left",), "then on", "2/3", 7, 2),
            (("left", "left"), "look at unit two", "1/3", 7, 0),
            (("u", "l", "space"), "then on", "2/3", 7, 2),
        ):
            await press(pilot, *keys)
            band = "\n".join(shown(pilot).splitlines()[1:5])
            assert words in band
            assert page in band
            assert (session.cursor.t, session.cursor.unit) == (t, unit)
        assert "holds" not in shown(pilot)
        assert screen.panels[4].is_marked
        await press(pilot, "escape")
        assert "then on" not in shown(pilot)
        assert not any(panel.is_marked for panel in screen.panels.values())


async def test_what_the_user_has_set_comes_back_and_is_not_written_over(
    debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    place = tmp_path / "run.trace"
    start = Start(traces=synthetic(script=SCRIPT), place=place)
    async with debugger(start, (80, 24)) as pilot:
        screen, session = debugging(pilot), debugging(pilot).session
        for line in ("break at 9", "watch c", "goto 30", "unit 4"):
            screen.run_text(line)
        kept = saved_state.state_file(place).read_bytes()
        cursor = session.cursor
        for _ in range(2):
            await press(pilot, "t", "space", "space")
            screen.run_text("break at 33")
            assert [str(point.t) for point in session.breakpoints] == ["20", "33"]
            assert session.cursor.t == 20
            await press(pilot, "t")
            assert [point.t for point in session.breakpoints] == [9]
            assert [watch.text for watch in session.watches] == ["c"]
            assert session.cursor == cursor
            assert saved_state.state_file(place).read_bytes() == kept


async def test_it_stops_with_an_explanation_where_an_expect_fails(debugger, shown) -> None:
    script = "goto 5\nnote a\nexpect t == 5\nnote b\nexpect t == 6\ngoto 9\nnote c"
    async with debugger(synthetic(script=script), (80, 24)) as pilot:
        await press(pilot, "t", "space")
        assert "t == 6 does not hold: t = 5 at t=5" in " ".join(shown(pilot).split())
        await press(pilot, "space", "space")
        assert (guide_of(pilot).position, debugging(pilot).session.cursor.t) == (1, 5)
        await press(pilot, "left")
        assert "does not hold" not in shown(pilot)
        assert guide_of(pilot).position == 0


async def test_what_cannot_be_done_stops_it_too(debugger, shown) -> None:
    async with debugger(synthetic(script="note a\ngoto 999\nnote b"), (80, 24)) as pilot:
        await press(pilot, "t", "space")
        assert "t=999: this sequence has t=0 to t=39" in " ".join(shown(pilot).split())


async def test_it_plays_by_itself_until_a_key_is_pressed(debugger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.playback.lesson.LOOKING", 0.05)
    monkeypatch.setattr("lstmtui.playback.lesson.WORDS_A_MINUTE", 1e6)
    async with debugger(synthetic(script=SCRIPT), (80, 24)) as pilot:
        await press(pilot, "t", "a")
        async with asyncio.timeout(30):
            while not guide_of(pilot).is_last:
                await settle()
        assert not guide_of(pilot).plays
        await press(pilot, "left", "left", "a", "u")
        assert not guide_of(pilot).plays
        guide_of(pilot)._tick()  # a timer that went off before it was stopped
        assert not guide_of(pilot).plays
        await press(pilot, "a")
        async with asyncio.timeout(30):
            while guide_of(pilot).plays:
                await settle()
        assert guide_of(pilot).is_last


async def test_a_question_hides_what_it_asks_for_until_it_is_answered(debugger, shown) -> None:
    trace = synthetic(script='note a\ngoto 3\nask "How large is **h**?" = h[1]\nexpect t == 3\nnote b')
    value = float(trace.values("h")[3, 0, 1])
    async with debugger(trace, (120, 40)) as pilot:
        session = debugging(pilot).session
        await press(pilot, "t", "space")
        assert session.hidden == {"h"}
        assert "? How large is h?" in shown(pilot)
        await press(pilot, "right", "right")
        assert debugging(pilot).command_line.input.value == "answer "
        await type_text(pilot, "much\n")
        assert session.hidden == {"h"}
        assert "the answer is a number" in shown(pilot)
        await press(pilot, "escape", "enter")
        await type_text(pilot, f"{1.1 * value:.6f}\n")
        assert not session.hidden
        assert "close, " in shown(pilot)
        assert not debugging(pilot).command_line.is_open
        assert guide_of(pilot).grades == ["close"]
        await press(pilot, "space", "left")
        assert "close, " in shown(pilot)
        assert session.question is None


async def test_the_key_of_a_choice_answers(debugger, shown) -> None:
    script = 'note a\nask "Where?" choose at 0 when t == 0 | at 1 when t == 1\nexpect t == 0\nnote b'
    async with debugger(synthetic(script=script), (120, 40)) as pilot:
        await press(pilot, "t", "space", "3")
        assert debugging(pilot).session.question is not None
        assert debugging(pilot).focused is debugging(pilot).panels[3]
        await press(pilot, "1")
        assert debugging(pilot).session.question is None
        assert guide_of(pilot).grades == ["right"]


@pytest.mark.parametrize("ascii", [False, True])
async def test_choices_stand_with_their_numbers_and_where_there_is_room_on_a_line_of_their_own(
    ascii: bool, debugger, shown
) -> None:
    text = "And what becomes of all that was in the cell until the last timestep of this run?"
    script = f'ask "{text}" choose it is kept when t == 0 | all of it is gone when t == 1\nnote b'
    for width, lines in (
        (120, (text, "1 it is kept   2 all of it is gone")),
        (80, ("last timestep of this", "run?   1 it is kept   2 all of it is gone")),
    ):
        async with debugger(synthetic(script=script), (width, 40), ascii=ascii) as pilot:
            await press(pilot, "t")
            band = [line.strip() for line in shown(pilot).splitlines()[1:6]]
            for line, words in zip(band, lines, strict=False):
                assert words in line
            assert "2 answer" in band[2]
            await press(pilot, "2")
            assert "wrong, the answer is: it is kept, since t == 0" in shown(pilot)


async def test_how_the_answers_went_is_seen_beside_the_longest_title(
    debugger, shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    titles = {tmp_path / "a.toml": "A", tmp_path / "b.toml": "B" * 90}
    choices = [Choice(place, title, group=COURSE_GROUP) for place, title in titles.items()]
    traces = synthetic(script='ask "When?" choose at 0 when t == 0 | later when t > 0')
    async with debugger(Start(traces=traces, place=tmp_path / "a.toml", choices=choices), (60, 20)) as pilot:
        await press(pilot, "t", "1")
        assert "1 of 1 right   ↵ BBB" in shown(pilot)


async def test_the_last_page_is_remembered_in_the_state_directory(
    debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstmtui.session.finished_lessons import finished_lessons

    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    place = tmp_path / "a.toml"
    async with debugger(Start(traces=synthetic(script=SCRIPT), place=place), (80, 24)) as pilot:
        await press(pilot, "t", "space")
        assert not finished_lessons()
        await press(pilot, "space")
        assert finished_lessons() == {str(place.resolve())}


async def test_it_writes_no_files_and_ends_nothing(
    debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = "screenshot a.svg\nexport a.csv\nquit\ngoto 4\nnote a"
    async with debugger(synthetic(script=script), (80, 24)) as pilot:
        await press(pilot, "t")
        assert debugging(pilot).session.cursor.t == 4
        assert not pilot.app._exit
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("step\nstpe 3\nfoo\n", 'script:2:1: there is no command "stpe"; did you mean "step"?'),
        ("# nothing\n", "this scenario has no playback script"),
        ("quit", "this scenario has no playback script"),
    ],
)
async def test_a_script_that_cannot_be_played_is_one_sentence(
    script: str, sentence: str, debugger, shown
) -> None:
    async with debugger(synthetic(script=script), (120, 40)) as pilot:
        await press(pilot, "t")
        assert sentence in shown(pilot).splitlines()[-1]
        assert not guide_of(pilot).is_active


async def test_a_lesson_of_the_course_says_how_to_begin_and_goes_on_with_the_next(
    debugger, shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    places = [tmp_path / "one.toml", tmp_path / "two.toml"]
    choices = [Choice(place, f"Lesson {place.stem}", group=COURSE_GROUP) for place in places]
    traces = {place: synthetic(script=f"note this is {place.stem}") for place in places}
    opener = lambda path: Opening(path.stem, lambda progress: traces[path], path)  # noqa: E731
    start = Start(traces=traces[places[0]], place=places[0], choices=choices, opener=opener)
    async with debugger(start, (80, 24)) as pilot:
        band = shown(pilot).splitlines()[1:3]
        assert "Lesson one" in band[0]
        assert "space begins" in band[1]
        await press(pilot, "space")
        assert "this is one" in shown(pilot)
        assert "↵ Lesson two" in shown(pilot)
        await press(pilot, "enter")
        async with asyncio.timeout(30):
            while "this is two" not in shown(pilot):
                await settle()
        await press(pilot, "enter")
        assert "this is two" in shown(pilot), "there is no lesson after the last one"
        await press(pilot, "escape", "space")
        assert debugging(pilot).player.is_playing, "who has declined a lesson has the usual keys"


async def test_what_a_page_is_about_has_room_and_is_marked_on_a_small_screen(debugger, shown) -> None:
    script = "note a\nexpect norm(dh) >= 0\nnote b\nexpect c[1] < 9\nnote c"
    async with debugger(synthetic(script=script), (60, 20)) as pilot:
        screen = debugging(pilot)
        for key, number in (("t", 6), ("space", 3), ("left", 6)):
            await press(pilot, key)
            await pilot.pause()
            assert screen.panels[number].on_screen
            assert screen.panels[number].is_marked
            assert f"▸ {number} " in shown(pilot).splitlines()[2]

"""The `:` prompt: what is typed is executed, answered where there is room, completed and recalled."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import torch
from keyboard import press, send, settle, type_text
from oracles.recurrents import noise, random_recurrent
from sentences import SENTENCES
from synthetic import synthetic
from terminal import visible
from textual.events import Paste
from textual.pilot import Pilot

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.language import ScriptError
from lstmtui.session.parse import parse_line
from lstmtui.session.verbs import VERBS
from lstmtui.trace import Traces
from lstmtui.tui.command_line import MOST_ANSWER_LINES, MOST_HISTORY
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.jacobian import JacobianScreen
from lstmtui.tui.screens.messages import MessagesScreen
from lstmtui.tui.screens.topic import TopicScreen
from lstmtui.tui.screens.why import WhyScreen
from lstmtui.tui.start import Start

SIZES = [(120, 40), (80, 24)]


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def rows_at_the_prompt(pilot: Pilot[None], text: str) -> list[str]:
    """The rows from the answer down to the typed line."""
    line = debugging(pilot).command_line
    return [row.rstrip() for row in text.splitlines()[line.region.y : line.region.bottom]]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_prompt_opens_over_the_panels_and_leaves_them_as_they_were(
    size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(synthetic(), size) as pilot:
        screen, before = debugging(pilot), shown(pilot)
        await type_text(pilot, ":unit 3")
        assert screen.focused is screen.command_line.input
        assert rows_at_the_prompt(pilot, shown(pilot)) == [":unit 3"]
        await press(pilot, "escape")
        assert not screen.command_line.is_open
        assert screen.session.cursor.unit == 0
        assert shown(pilot) == before
        await type_text(pilot, ":\n")
        assert not screen.command_line.is_open
        assert shown(pilot) == before


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_an_answer_goes_to_the_footer_where_it_fits_and_else_stays_over_the_prompt(
    size: tuple[int, int], debugger, shown
) -> None:
    async with debugger(synthetic(hidden_size=40), size) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, ":print t + 1\n")
        assert not screen.command_line.is_open
        assert "t + 1 = 1 at t=0" in shown(pilot).splitlines()[-1]
        await type_text(pilot, ":print c\n")
        *answer, typed = rows_at_the_prompt(pilot, shown(pilot))
        assert len(answer) == 2
        assert " ".join(answer) == execute(screen.session, parse_line("print c")).text  # type: ignore[arg-type]
        assert typed == ":"
        await press(pilot, "escape")
        assert not screen.command_line.is_open


@pytest.mark.parametrize("size", [*SIZES, (60, 20)], ids=str)
async def test_a_prompt_that_a_key_opened_is_closed_by_what_it_was_opened_for(
    size: tuple[int, int], debugger
) -> None:
    traces = Traces({"LSTM": synthetic("lstm", name="LSTM"), "GRU": synthetic("gru", name="GRU")})
    async with debugger(traces, size) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, "bmin(z) < 0.1\n")
        assert not screen.command_line.is_open
        assert "it cannot be hit here" in screen.message.text
        await type_text(pilot, "bmin(q) < 0.1\n")
        assert screen.command_line.is_open
        await press(pilot, "escape")
        assert len(screen.session.breakpoints) == 1


async def test_space_again_and_again_types_one_blank(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        screen = debugging(pilot)
        screen.action_command("answer ")
        await press(pilot, *["space"] * 5)
        assert screen.command_line.input.value == "answer "
        await type_text(pilot, "it   grows")
        assert screen.command_line.input.value == "answer it grows"
        await press(pilot, *["left"] * 5, "space", "space")
        assert screen.command_line.input.value == "answer it grows"


async def test_a_very_long_answer_leaves_the_panels_in_sight(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        screen = debugging(pilot)
        for t in range(30):
            screen.run_text(f"break at {t}")
        await type_text(pilot, ":breaks\n")
        *answer, typed = rows_at_the_prompt(pilot, shown(pilot))
        assert len(answer) == MOST_ANSWER_LINES
        assert answer[0].startswith("breakpoint 1: ")
        assert typed == ":"


@pytest.mark.parametrize(
    ("typed", "wrong", "at"),
    [
        ("prnt c", 'there is no command "prnt"; did you mean "print"?', "prnt"),
        (" prnt c", 'there is no command "prnt"; did you mean "print"?', "prnt"),
        ("print c[0] + foo", "foo is neither a quantity nor a function", "foo"),
        ("goto 1 2", "goto T", "2"),
        ("break when 1 == 1 and " + "t > 1 and " * 8 + "foo", "foo is neither", "foo"),
    ],
    ids=["verb", "blanks", "name", "end", "scrolled"],
)
async def test_a_mistake_is_marked_over_its_place_and_can_be_corrected(
    typed: str, wrong: str, at: str, debugger, shown
) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        screen = debugging(pilot)
        await type_text(pilot, f":{typed}\n")
        sentence, mark, line = rows_at_the_prompt(pilot, shown(pilot))
        assert wrong in sentence
        assert mark.strip() == "^"
        assert line[mark.index("^") :].startswith(at)
        assert screen.command_line.input.value == typed
        await type_text(pilot, "\x1b:goto 7\n")
        assert screen.session.cursor.t == 7


async def test_a_mistake_out_of_sight_is_brought_into_it(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        await type_text(pilot, ":prnt " + " + ".join(["c[0]"] * 40) + "\n")
        _, mark, line = rows_at_the_prompt(pilot, shown(pilot))
        assert line[mark.index("^") :].startswith("prnt")


async def test_the_key_of_the_prompt_does_nothing_while_it_is_open_and_empty(debugger) -> None:
    async with debugger(synthetic(hidden_size=40), (80, 24)) as pilot:
        await type_text(pilot, ":print c\n:goto 7\n::goto 8\n")
        assert debugging(pilot).session.cursor.t == 8


async def test_a_mark_after_wide_characters_is_over_its_place(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        line = debugging(pilot).command_line
        line.open("漢字 x")
        line.refuse("here", 4)
        await pilot.pause()
        assert rows_at_the_prompt(pilot, shown(pilot)) == ["here", " " * 6 + "^", ":漢字 x"]


async def test_completion_finishes_what_is_certain_and_lists_the_rest(debugger, shown) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        screen = debugging(pilot)
        line = screen.command_line

        async def completed(typed: str) -> tuple[str, list[str]]:
            await type_text(pilot, f"\x1b:{typed}\t")
            return line.input.value, rows_at_the_prompt(pilot, shown(pilot))[:-1]

        assert await completed("rc") == ("rcontinue ", [])
        assert await completed("br") == ("break", ["break  breaks"])
        assert await completed("print no") == ("print no", ["norm  not"])
        assert await completed("print c + 2 * nor") == ("print c + 2 * norm ", [])
        assert await completed("print isf") == ("print isfinite ", [])
        assert await completed("break w") == ("break when ", [])
        assert await completed("zzz") == ("zzz", [])
        assert line.input.cursor_position == 3
        names, rows = await completed("")
        assert names == ""
        assert " ".join(rows).split() == sorted(VERBS)


async def test_history_is_bounded_and_holds_nothing_twice(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        line = debugging(pilot).command_line
        await type_text(pilot, ":goto 3\n:goto 4\n:goto 3\n:wrong\n")
        seen = [line.input.value]
        for _ in range(4):
            await press(pilot, "up")
            seen.append(line.input.value)
        assert seen == ["wrong", "wrong", "goto 3", "goto 4", "goto 4"]
        for expected in ("goto 3", "wrong", "", ""):
            await press(pilot, "down")
            assert line.input.value == expected
        await press(pilot, "up", "up", "escape", "colon", "up")
        assert line.input.value == "wrong"
        for number in range(MOST_HISTORY + 10):
            line.input.value = f"goto {number}"
            line.enter()
        line.open()
        for _ in range(MOST_HISTORY + 10):
            line.recall(-1)
        assert line.input.value == "goto 10"


async def test_what_is_typed_ahead_does_the_same_as_what_is_typed_slowly(debugger, shown) -> None:
    keys = "g150\nw norm(h)\n:print t\nuu>bt == 175\nc:unit 1\nz"
    pictures = []
    for ahead in (True, False):
        async with debugger(synthetic(steps=300), (120, 40)) as pilot:
            if ahead:
                await type_text(pilot, keys)
            else:
                for key in keys:
                    send(pilot, key)
                    await settle()
                await type_text(pilot, "")
            session = debugging(pilot).session
            assert (session.cursor.t, session.cursor.unit) == (175, 1)
            assert [watch.text for watch in session.watches] == ["norm(h)"]
            pictures.append((session.cursor, shown(pilot)))
    assert pictures[0] == pictures[1]


async def test_a_prompt_stays_open_while_the_run_plays_on(debugger) -> None:
    async with debugger(synthetic(steps=300), (80, 24)) as pilot:
        screen = debugging(pilot)
        screen.player.level = 5
        await press(pilot, "space")
        await type_text(pilot, ":print ")
        started = screen.session.cursor.t
        async with asyncio.timeout(60):
            while screen.session.cursor.t < started + 3:
                await settle()
        await type_text(pilot, "t")
        assert screen.command_line.is_open
        assert screen.command_line.input.value == "print t"


HOSTILE = "print [bold]x[/] \x1b]0;owned\x07\x1b[31m\x9b31m\u202eevil\u2066\x7f\x08"


@pytest.mark.parametrize("ascii", [False, True])
async def test_hostile_text_at_the_prompt_is_shown_and_never_obeyed(
    ascii: bool, debugger, capture_driver, shown
) -> None:
    async with debugger(synthetic(), (120, 40), ascii=ascii) as pilot:
        screen = debugging(pilot)
        for begun in ("", "note ", "goto 1 "):
            await type_text(pilot, f":{begun}")
            screen.command_line.input.post_message(Paste(HOSTILE))
            await settle()
            await type_text(pilot, "\n")
            if screen.command_line.is_open:
                await press(pilot, "escape")
        assert "[bold]x[/]" in "".join(screen.panels[8].said)  # type: ignore[attr-defined]
        text, output = shown(pilot), capture_driver.taken()
    assert "owned" in visible(output)
    for bad in ("\x1b]0;", "\x1b[31m", "\x9b", "\u202e", "\u2066", "\x7f", "\x08"):
        assert bad not in output
    assert "\x1b" not in text


PAIR = (("a", "lstm"), ("b", "gru"))
LINES = """
step; step 3; back; back 2; goto 5; goto -1; goto 99; first; last; last; step; into; goto 2; into; out; out
layer 0; layer 7; direction forward; direction backward; batch 0; batch 3; unit 2; unit -9; unit 99
model b; model none; model a
break when h[0] > 0.1; break at 4; break at 400; break when dh[0] > 100 note far; breaks
delete 1; delete 9; enable 2; disable 2; enable 2
first; continue; continue; rcontinue; continue
watch norm(h); watch foo_; watch r; unwatch 1; unwatch 8; print c; print c[1]; print prev(c); print t
set f[1] = 1.0 from 2 to 4; print base(f[1]); print f[1]; set x = 0; unset; unset 9; unset; unset
set zz = 1; set f = nan from 7; loss at 3 unit 1; loss at 3; loss at 99; reset; reset
compare b; compare none; compare nothing
note hello there; pause 0; pause 0.5; expect t >= 0; expect t < 0; export ./run.csv; screenshot made.svg
set h = nan from 3; first-bad; first-bad backward; reset; first-bad; diagnose
""".replace("\n", ";").split(";")


def answered(screen: DebuggerScreen) -> str:
    """What stands over the typed line."""
    return "".join(text for line in screen.command_line.answer._lines for text, _ in line)


async def test_every_sentence_at_the_prompt_says_what_a_session_says(
    debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    traces = Traces(
        {name: record(random_recurrent(cell), noise(10, 1, 3, seed=4), name=name) for name, cell in PAIR}
    )
    fresh = Session(traces, RerunEngine())
    fresh.is_attended = True  # somebody at the prompt can answer `ask`
    seen = set()
    lines = [line.strip() for line in LINES if line.strip()]
    verbs = {"quit", *(line.split()[0] for line in lines)}
    async with debugger(Start(traces=traces, engine=RerunEngine()), (80, 24)) as pilot:
        screen = debugging(pilot)
        for sentence in (*lines, *(other for other in SENTENCES if other.split()[0] not in verbs)):
            screen.message = None
            await type_text(pilot, f":{sentence}\n")
            async with asyncio.timeout(60):
                while screen.runner.running is not None:
                    await settle()
            await settle()
            try:
                command = parse_line(sentence)
            except ScriptError as error:
                assert re.fullmatch(re.escape(error.problems[0].sentence) + " *\\^", answered(screen))  # noqa: PT017
                await press(pilot, "escape")
                continue
            assert command is not None
            seen.add(command.verb)
            outcome = execute(fresh, command)
            assert screen.session.cursor == fresh.cursor, sentence
            if command.verb == "help":
                (topic,) = command.arguments
                assert isinstance(pilot.app.screen, HelpScreen if topic is None else TopicScreen)
                assert getattr(pilot.app.screen, "topic", None) == topic
                await press(pilot, "escape")
            elif command.verb in ("messages", "why") or command.arguments[:1] == ("map",):
                assert isinstance(pilot.app.screen, MessagesScreen | WhyScreen | JacobianScreen)
                await press(pilot, "escape")
            elif command.verb == "note":
                assert outcome.text in screen.panels[8].said[-1]  # type: ignore[attr-defined]
            elif outcome.stop is None or not outcome.stop.is_quiet:
                assert screen.message is not None, sentence
                by_screen = {"fit": "", "difference": "", "export": "export", "diagnose": "the diagnosis"}
                said = by_screen.get(command.verb, outcome.text)
                assert screen.message.text.startswith(said), sentence
            if screen.command_line.is_open:
                assert answered(screen) == (screen.message.text if screen.message else outcome.text)
                assert len(answered(screen)) >= 78 or not outcome.ok or command.verb == "export"
                await press(pilot, "escape")
        assert (tmp_path / "made.svg").read_text().startswith("<svg")
        await type_text(pilot, ":reset\n:quit\n")
        assert pilot.app._exit
    assert seen | {"quit"} == set(VERBS)


@pytest.mark.parametrize("size", [(120, 40), (60, 20)])
async def test_a_picture_of_the_screen_is_without_the_prompt(
    size: tuple[int, int], debugger, tmp_path: Path
) -> None:
    async with debugger(synthetic(), size) as pilot:
        screen = debugging(pilot)
        before = pilot.app.export_screenshot(title="Random numbers")
        await type_text(pilot, f":screenshot {tmp_path}/a.svg\n")
        async with asyncio.timeout(60):
            while screen.message is None:
                await settle()
        assert not screen.command_line.is_open
        assert screen.message.text == f"screenshot to {tmp_path}/a.svg"

        def texts(svg: str) -> list[str]:
            return re.findall(r"<text[^>]*>([^<]*)</text>", svg)

        assert texts((tmp_path / "a.svg").read_text()) == texts(before)
        await type_text(pilot, f":screenshot {tmp_path}/none/a.svg\n")
        await settle()
        assert not screen.message.ok
        assert "cannot be written" in screen.message.text

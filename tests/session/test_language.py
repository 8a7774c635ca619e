"""The command language: every sentence of it, and what is said about every mistake."""

from __future__ import annotations

import pytest
from sentences import SENTENCES
from synthetic import synthetic

from lstmtui.expressions import Expression
from lstmtui.session import Session
from lstmtui.session.completion import complete
from lstmtui.session.language import Command, ScriptError
from lstmtui.session.parse import parse_line, parse_script
from lstmtui.session.verbs import ALIASES, VERBS
from lstmtui.trace import Traces

E = Expression


def parsed(text: str) -> Command:
    """The command of a line that has one."""
    command = parse_line(text)
    assert command is not None
    return command


def mistake(text: str) -> tuple[int, str]:
    """The column and the sentence of what is wrong with a line."""
    with pytest.raises(ScriptError) as raised:
        parse_line(text)
    (problem,) = raised.value.problems
    assert str(problem) == f"1:{problem.column}: {problem.sentence}"
    return problem.column, problem.sentence


@pytest.mark.parametrize(("text", "arguments"), SENTENCES.items())
def test_every_sentence_of_the_language_is_understood(text: str, arguments: tuple[object, ...]) -> None:
    assert parse_line(text, 4) == Command(text.split()[0], arguments, text, 4)


def test_there_is_a_sentence_for_every_verb_and_each_verb_explains_itself() -> None:
    assert {text.split()[0] for text in SENTENCES} == set(VERBS)
    for name, verb in VERBS.items():
        assert verb.name == name
        assert verb.usage.split()[0] == name
        assert verb.help


@pytest.mark.parametrize(("letter", "verb"), ALIASES.items())
def test_gdbs_letters_are_commands(letter: str, verb: str) -> None:
    rest = {"break": " at 3", "print": " c"}.get(verb, "")
    assert parsed(letter + rest).verb == verb
    assert parsed(letter + rest).arguments == parsed(verb + rest).arguments


@pytest.mark.parametrize("text", ["", "   \t ", "# step", "  # all of it", "#"])
def test_blank_lines_and_comments_are_no_commands(text: str) -> None:
    assert parse_line(text) is None


def test_a_comment_may_follow_any_command() -> None:
    assert parsed("step 2# two").arguments == (2,)
    assert parsed("note said # not said") == Command("note", ("said",), "note said")
    assert parsed("  print c  # here").text == "print c"


def test_space_around_words_does_not_matter() -> None:
    assert parsed("\t break   when   min(f)<0.1   note   closed  ").arguments == (
        "when",
        E("min(f)<0.1"),
        "closed",
    )


@pytest.mark.parametrize(
    ("text", "column", "sentence"),
    [
        ("stpe", 1, 'there is no command "stpe"; did you mean "step"?'),
        ("  STEP", 3, 'there is no command "STEP"; did you mean "step"?'),
        ("reverse-continue", 1, 'there is no command "reverse-continue"; did you mean "rcontinue"?'),
        ("cont", 1, 'there is no command "cont"; did you mean "continue"?'),
        ("explain f", 1, 'there is no command "explain"; did you mean "why"?'),
        ("set q = 1", 5, '"q" is not a quantity; `help quantities` lists them'),
        ("step 0", 6, "the number of timesteps must be 1 or more, is 0"),
        ("step 1.5", 6, 'the number of timesteps is a whole number, not "1.5"'),
        ("step ٣", 6, 'the number of timesteps is a whole number, not "٣"'),
        ("step 1_0", 6, 'the number of timesteps is a whole number, not "1_0"'),
        ("step 2 3", 8, '"3" does not belong here; the command is: step [N]'),
        ("goto", 5, "the timestep is missing: a whole number"),
        ("goto " + "9" * 5000, 6, 'the timestep is too large: "' + "9" * 40 + '…"'),
        ("layer -1", 7, "the layer must be 0 or more, is -1"),
        ("quit now", 6, '"now" does not belong here; the command is: quit'),
        (
            "direction backwards",
            11,
            'forward or backward is expected here, not "backwards"; did you mean "backward"?',
        ),
        ("direction", 10, "forward or backward is missing"),
        ("model", 6, "the model's name is missing"),
        ("break", 6, "when or at is missing"),
        ("break wen f", 7, 'when or at is expected here, not "wen"; did you mean "when"?'),
        ("break at", 9, "the timestep is missing: a whole number"),
        ("break at -3", 10, "the timestep must be 0 or more, is -3"),
        ("break when", 11, "an expression is missing after when"),
        ("break when note x", 12, "an expression is missing after when"),
        ("break when t > 3 note", 22, "the text of the note is missing"),
        ("break when any(f) x note y", 19, "an operator is missing before x"),
        (
            "break when f < 0.1 note low",
            12,
            'this is a value for each unit; write any(…) or all(…); did you mean "any(f < 0.1)"?',
        ),
        ("expect c", 8, 'this is a value for each unit; write any(…) or all(…); did you mean "any(c)"?'),
        ("delete 0", 8, "the breakpoint must be 1 or more, is 0"),
        ("print", 6, "an expression is missing"),
        ("print  nomr(c)", 8, 'nomr is neither a quantity nor a function; did you mean "norm"?'),
        ("set", 4, "a quantity is missing, as in set f[3] = 1.0"),
        ("set ff[3] = 1", 5, '"ff" is not a quantity; did you mean "f"?'),
        ("set df[3] = 1", 5, 'df is a derivative; only what the cell computes can be set; did you mean "f"?'),
        ("set f[3 = 1", 7, "the unit must be a whole number, followed by ]"),
        ("set f[3] 1", 10, "= is missing, as in set f[3] = 1.0"),
        ("set f[3] =", 11, "the value is missing: a number"),
        ("set f[3] = high", 12, 'the value is a number, not "high"'),
        ("set f[3] = 1e9999", 12, 'the value is too large: "1e9999"'),
        ("set f[3] = 1 form 2", 14, 'from is expected here, not "form"; did you mean "from"?'),
        ("set f[3] = 1 to 2", 14, 'from is expected here, not "to"'),
        ("set f[3] = 1 from 5 to 3", 24, "the last timestep, 3, is before the first, 5"),
        ("loss 3", 6, 'at is expected here, not "3"'),
        ("loss at 3 in 4", 11, 'unit is expected here, not "in"'),
        ("note", 5, "the text is missing"),
        ("note # nothing", 5, "the text is missing"),
        ("pause -1", 7, "a pause lasts 0 to 3600 seconds"),
        ("pause nan", 7, "a pause lasts 0 to 3600 seconds"),
        ("pause 2s", 7, 'the pause is a number, not "2s"'),
        ("x" * 20_000, 10_001, "a line has at most 10,000 characters"),
    ],
)
def test_a_mistake_has_its_column_and_what_was_meant(text: str, column: int, sentence: str) -> None:
    assert mistake(text) == (column, sentence)


def test_a_word_that_comes_near_nothing_has_no_suggestion() -> None:
    assert mistake("zzzzqqq") == (1, 'there is no command "zzzzqqq"; `help verbs` lists them')
    assert mistake("y" * 9_000) == (1, f'there is no command "{"y" * 40}…"; `help verbs` lists them')


def test_all_problems_of_a_script_are_said_at_once() -> None:
    script = "step\r\nstpe 2\n\n# comment\n  goto x\nprint c.shape\ncontinue"
    with pytest.raises(ScriptError) as raised:
        parse_script(script, "tour.txt")
    assert [(p.file, p.line, p.column) for p in raised.value.problems] == [
        ("tour.txt", 2, 1),
        ("tour.txt", 5, 8),
        ("tour.txt", 6, 8),
    ]
    assert str(raised.value).splitlines() == [
        'tour.txt:2:1: there is no command "stpe"; did you mean "step"?',
        'tour.txt:5:8: the timestep is a whole number, not "x"',
        'tour.txt:6:8: there are no attributes; did you mean "len(c)"?',
    ]


def test_a_script_is_its_commands_with_their_lines() -> None:
    commands = parse_script("# a tour\nstep 2\r\n\n  into # here\n")
    assert commands == (Command("step", (2,), "step 2", 2), Command("into", (), "into", 4))
    assert parse_script("") == ()


def test_what_a_terminal_would_obey_is_never_passed_on() -> None:
    command = parsed("note red \x1b[31m \x07\u202e end\x00")
    assert command.arguments == ("red ␛[31m ␇� end␀",)
    assert command.text == "note red ␛[31m ␇� end␀"
    assert mistake("\x1b[2Jzzz")[1] == 'there is no command "␛[2Jzzz"; `help verbs` lists them'
    with pytest.raises(ScriptError) as raised:
        parse_script("print \x1b", "a\x1b\nb")
    assert str(raised.value) == "a␛␊b:1:7: unknown sign ␛"


@pytest.fixture
def session() -> Session:
    """An LSTM in both directions and a GRU."""
    traces = {
        "LSTM": synthetic("lstm", bidirectional=True, layers=2, name="LSTM"),
        "LSTM gap": synthetic("gru", name="LSTM gap"),
    }
    return Session(Traces(traces))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", sorted(VERBS)),
        ("st", ["step"]),
        ("e", ["enable", "expect", "export"]),
        ("zz", []),
        ("model ", ["LSTM", "LSTM gap"]),
        ("model LSTM g", ["LSTM gap"]),
        ("compare n", ["none"]),
        ("direction ", ["backward", "forward"]),
        ("direction f", ["forward"]),
        ("layer ", ["0", "1"]),
        ("layer 1 ", []),
        ("break ", ["at", "when"]),
        ("break at ", []),
        ("b when mi", ["min"]),
        ("break when min(f) < 0.1 no", ["norm", "not", "note"]),
        ("break when t > 1 note n", []),
        ("print norm(dh", ["dh"]),
        ("print f_", ["f_pre"]),
        ("p isf", ["isfinite"]),
        ("print c)", []),
        ("expect lo", ["log", "loss"]),
        ("set o", ["o", "o_pre"]),
        ("set d", []),
        ("set f[1] = 2 f", ["from"]),
        ("set f[1] = ", []),
        ("set f[1] = 2 from 3 ", ["to"]),
        ("set f[1] = 2 from 3 to 4 ", []),
        ("loss ", ["at"]),
        ("loss at 3 ", ["unit"]),
        ("delete ", ["1", "2"]),
        ("unwatch ", ["1"]),
        ("quit ", []),
        ("nonsense ", []),
    ],
)
def test_completion_offers_what_may_stand_there(session: Session, text: str, words: list[str]) -> None:
    session.breakpoints.add_at(3)
    session.breakpoints.add_when(E("t > 3"))
    session.watches.add(E("c"))
    assert complete(text, session) == words


def test_completion_knows_the_quantities_of_what_is_selected(session: Session) -> None:
    assert "z" not in complete("print ", session)
    session.select_model("LSTM gap")
    assert {"z", "dz", "norm", "prev", "t", "loss"} <= set(complete("print ", session))
    assert "c" not in complete("print ", session)

"""`lstmtui check` goes through the script of a scenario too, without running its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmtui.__main__ import main
from lstmtui.scenario import bundled_scenarios

SCENARIO = """
[input]
values = [[[1], [2], [3], [4]], [[1], [2]]]
[[model]]
name = "LSTM"
cell = "lstm"
hidden_size = 3
num_layers = 2
[[model]]
name = "GRU"
cell = "gru"
hidden_size = 2
bidirectional = true
[playback]
script = '''
{}
'''
"""


def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str) -> tuple[int, list[str]]:
    path = tmp_path / "a.toml"
    path.write_text(SCENARIO.format(script))
    status = main(["check", str(path)])
    return status, [line.removeprefix(f"{path}:") for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("goto 9", "16:1: t=9: this sequence has t=0 to t=3"),
        ("batch 1\n  goto 2", "17:3: t=2: this sequence has t=0 to t=1"),
        ("goto -5", "16:1: t=-5: this sequence has t=0 to t=3"),
        ("stpe", '16:1: there is no command "stpe"; did you mean "step"?'),
        ("expect q > 1", "16:8: q is neither a quantity nor a function"),
        ("print z", "16:1: z is not there; the selected layer has x, f, i, g, c, o, h"),
        ("print h[3]", "16:1: unit 3: h has units 0 to 2"),
        ("model GRU\nexpect c[0] > 1", "17:1: c is not there; the selected layer has x, r, z, n, h"),
        ("model gru", "16:1: model gru: the models are: LSTM, GRU"),
        ("layer 2", "16:1: layer 2: this model has layers 0 to 1"),
        ("direction backward", "16:1: direction backward: this layer has forward"),
        ("batch 2", "16:1: batch 2: this run has sequences 0 to 1"),
        ("unit 3", "16:1: unit 3: this layer has units 0 to 2"),
        ("break at 4", "16:1: t=4: the longest sequence has t=0 to t=3"),
        ("break when r_q > 1", "16:12: r_q is neither a quantity nor a function"),
        ("break when min(s) > 1", "16:1: s is not there"),
        ("watch h[7]", "16:1: unit 7: h has units 0 to 2"),
        ("set z = 1", "16:1: z: the cell lstm has x, f_pre"),
        ("set c[5] = 1", "16:1: unit 5: c has units 0 to 2"),
        ("set c = 1 from 2 to 9", "16:1: t=9: this sequence has t=0 to t=3"),
        ("loss at 4", "16:1: t=4: this sequence has t=0 to t=3"),
        ("delete 1", "16:1: breakpoint 1: there is no such breakpoint"),
        ("compare none of them", "16:1: "),
        ("undo", "16:1: there is nothing to undo"),
        ("hide z", "16:1: z: this layer has x,"),
        ('ask "?" = z[0]', "16:1: z is not there"),
    ],
)
def test_what_would_be_refused_is_said_with_its_line(script, sentence, tmp_path, capsys) -> None:
    status, lines = checked(tmp_path, capsys, script)
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith(sentence)


def test_every_problem_is_said_and_what_numbers_decide_is_not_judged(tmp_path, capsys) -> None:
    script = (
        "break when min(z) > 1\nbreak when min(f) > 2\ncontinue\nout\nexpect norm(c) > 1e9\nfirst-bad\n"
        "last\nmodel GRU\ngoto 9\nbatch 1\ngoto 3\nstpe\nprint base(z)[1] - prev(z)[0]\n"
        "set z = 0.5 from 1\nquit\ngoto 99"
    )
    status, lines = checked(tmp_path, capsys, script)
    assert status == 2
    assert [line.split(":")[0] for line in lines] == ["24", "26", "27"]
    assert checked(
        tmp_path, capsys, "break when f[0] > 2\ncontinue\nolder\nmodel GRU\nunit 1\nbreaks\nundo"
    ) == (0, [])


def test_a_script_of_code_that_has_names_of_its_own_is_read_and_no_more(tmp_path, capsys) -> None:
    path = tmp_path / "a.toml"
    text = '[input]\nvalues = [1, 2]\n[[model]]\nfactory = "os:getcwd"\n'
    text += '[playback]\nscript = "print gate_of_mine\\n{}"'
    path.write_text(text.format("goto 1"))
    assert main(["check", str(path)]) == 0
    path.write_text(text.format("gto 1"))
    assert main(["check", str(path)]) == 2
    assert 'there is no command "gto"; did you mean "goto"?' in capsys.readouterr().err


def test_no_bundled_script_is_refused(capsys) -> None:
    assert main(["check", *map(str, bundled_scenarios())]) == 0
    assert capsys.readouterr().err == ""

"""`lstmtui play`: statuses, streams, and where the script comes from."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from synthetic import synthetic

from lstmtui.__main__ import main

SCENARIO = '''[input]
values = [1, 0, 0, 0]
[[model]]
cell = "lstm"
hidden_size = 2
[playback]
script = """
step
expect t == 1
"""
'''


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """A saved trace with a script of its own."""
    synthetic("lstm", 6, 3, script="step 2\nprint t\nquit\nstep\n").save(tmp_path / "run.trace")
    return str(tmp_path / "run.trace")


def script(folder: Path, text: str) -> list[str]:
    """The arguments that play this text."""
    (folder / "s.txt").write_text(text)
    return ["--script", str(folder / "s.txt")]


FIRST_STEPS = """\
note the pulse is over
goto 3
print f
break when min(f) < 0.2
continue
print c[0] < 0.1 * prev(c[0]) + 0.1
model GRU
expect all(z > 0)
set h[0] = 0 from 2 to 2
expect h[0] != base(h[0])
"""

SENTENCES = """\
the pulse is over
at t=3
f = [0.952574, 0.5] at t=3, model LSTM
breakpoint 1: min(f) < 0.2
breakpoint 1: min(f) < 0.2 at t=4
c[0] < 0.1 * prev(c[0]) + 0.1 = true at t=4, model LSTM
model GRU
all(z > 0) holds: all(z > 0) = true at t=4, model GRU
"""


def test_first_steps_says_what_it_always_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for form in ([], ["--plain"], ["--json"], ["--json"]):
        assert main(["play", "first-steps", *script(tmp_path, FIRST_STEPS), *form]) == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert said[0].out.startswith(SENTENCES)
    assert said[0].err == ""
    assert said[2] == said[3]
    records = [json.loads(line) for line in said[2].out.splitlines()]
    assert [record["text"] for record in records] == said[0].out.splitlines()
    assert [record["line"] for record in records] == list(range(1, 11))
    assert records[2]["value"] == pytest.approx([0.952574, 0.5], abs=1e-6)


def test_a_scenario_plays_its_own_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text(SCENARIO)
    assert main(["play", str(tmp_path / "a.toml")]) == 0
    assert capsys.readouterr().out == "t=1\nt == 1 holds: t = 1 at t=1\n"


def test_an_expectation_that_does_not_hold_is_status_1_and_the_script_goes_on(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", saved, *script(tmp_path, "step\nexpect t > 4\nexpect t == 1\nstep\n")]) == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[-1] == "t=2"
    place = f"{tmp_path / 's.txt'}:2"
    assert output.err == (
        f"{place}: expected t > 4 does not hold: t = 1 at t=1\n1 of 2 expectations did not hold\n"
    )


@pytest.mark.parametrize("form", ["--plain", "--json"])
def test_a_refused_command_is_status_2_and_ends_it(
    form: str, saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", saved, form, *script(tmp_path, "expect t > 4\n\ngoto 99\nstep\n")]) == 2
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 2
    assert output.err.splitlines()[-1] == (
        f"{tmp_path / 's.txt'}:3: goto 99: t=99: this sequence has t=0 to t=5"
    )


def test_a_bad_script_is_status_2_and_nothing_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmtui.commands.play.record_scenario", lambda *_: pytest.fail("it was run"))
    (tmp_path / "a.toml").write_text(SCENARIO.replace("step", "stpe").replace("t == 1", "tt == 1"))
    assert main(["play", str(tmp_path / "a.toml")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'a.toml'}:8:1: ")
    assert lines[0].endswith('did you mean "step"?')
    assert lines[1].startswith(f"{tmp_path / 'a.toml'}:9:8: ")
    assert len(lines) == 2


def test_a_trace_plays_the_script_it_was_saved_with(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", saved]) == 0
    assert capsys.readouterr().out == "t=2\nt = 2 at t=2\nquit\n"


def test_standard_input_is_a_script(
    saved: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO("last\nnote ∂".encode())))
    assert main(["play", saved, "--script", "-"]) == 0
    assert capsys.readouterr().out == "at t=5\n∂\n"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"step\nstpe")))
    assert main(["play", saved, "--script", "-"]) == 2
    assert capsys.readouterr().err.startswith("standard input:2:1: ")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"step\n\xff", "s.txt:2: is not UTF-8 text"),
        (b"#" * (2 << 20), "s.txt: a script has at most 1,048,576 bytes"),
        (None, "s.txt: the script cannot be read: no such file or directory"),
    ],
)
def test_a_script_that_cannot_be_read_is_status_2(
    data: bytes | None, said: str, saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (tmp_path / "s.txt").write_bytes(data)
    assert main(["play", saved, "--script", str(tmp_path / "s.txt")]) == 2
    assert capsys.readouterr().err.endswith(said + "\n")


@pytest.mark.parametrize("target", ["scenario", "trace"])
def test_nothing_to_play_is_a_sentence_and_status_2(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    if target == "trace":
        synthetic(steps=3).save(path)
    else:
        path.write_text(SCENARIO.split("[playback]")[0])
    assert main(["play", str(path)]) == 2
    error = capsys.readouterr().err
    assert "there is nothing to play" in error
    assert "--script FILE" in error


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "file"],
        ["--cast", "none/a.cast"],
        ["--cast", "a.gif"],
        ["--json", "--plain"],
        ["--script", "a\0b"],
    ],
)
def test_options_that_make_no_sense_are_found_before_anything_runs(
    options: list[str],
    saved: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["play", saved, *options]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err


def test_files_and_recordings_come_out_the_same_in_any_process(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "step\nscreenshot pictures/a.svg\nexport a.csv\nexport a.npz\nexpect t == 1\n"
    arguments = ["play", saved, "--json", *script(tmp_path, text), "--cast", str(tmp_path / "a.cast")]
    found = []

    def keep(name: str, output: str) -> None:
        out = tmp_path / name
        files = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        found.append((output, files, (tmp_path / "a.cast").read_bytes()))

    done = subprocess.run(
        [sys.executable, "-m", "lstmtui", *arguments, "--out", str(tmp_path / "one")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={"PATH": "", "NO_COLOR": "1", "TERM": "dumb"},
    )
    keep("one", done.stdout + done.stderr)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    assert main([*arguments, "--out", str(tmp_path / "two")]) == 0
    output = capsys.readouterr()
    keep("two", output.out + output.err)
    assert found[0] == found[1]
    assert set(found[0][1]) == {"pictures/a.svg", "a.csv", "a.npz"}
    assert b"\\u001b[38;2;" in found[0][2]


def test_playing_a_saved_trace_loads_neither_torch_nor_textual(saved: str) -> None:
    code = (
        f"import sys; from lstmtui.__main__ import main; main(['play', {saved!r}]);"
        "print({'torch', 'textual', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_reader_that_goes_is_no_traceback(saved: str, tmp_path: Path) -> None:
    arguments = ["play", saved, *script(tmp_path, "print f\n" * 20_000)]
    with subprocess.Popen(
        [sys.executable, "-m", "lstmtui", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"f = ")
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
    assert process.returncode == 141

"""`lstmtui check`: a verdict for each file, on the right stream, with the right status."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import synthetic

from lstmtui.__main__ import main

GOOD = '[input]\nvalues = [1, 2, 3]\n[[model]]\ncell = "lstm"\nhidden_size = 2\n'


def test_good_file_is_described_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text(GOOD)
    assert main(["check", str(path)]) == 0
    output = capsys.readouterr()
    assert output.out == f"{path}: fine: 1 model, T=3, B=1, 1 channel, sum of the last hidden state\n"
    assert output.err == ""


def test_every_file_is_checked_and_every_problem_said_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("a", GOOD.replace("lstm", "lstn") + "hed = 1\n"), ("b", GOOD), ("c", "x = = 1")):
        (tmp_path / f"{name}.toml").write_text(text)
    files = [str(tmp_path / f"{name}.toml") for name in "abcd"]
    assert main(["check", *files]) == 2
    output = capsys.readouterr()
    assert output.out.count("\n") == output.out.count(f"{files[1]}: fine: ") == 1
    lines = output.err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        f"{files[0]}:4",
        f"{files[0]}:6",
        f"{files[2]}:1",
        files[3],
    ]
    assert lines[0].endswith('did you mean "lstm"?')
    assert f"{files[3]}: no such file" in lines[3]


def test_escape_sequences_reach_neither_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\\u001b]0;owned\\u0007\\u009b2J\\u202e"
    texts = {
        "fine\x1b[31m": f'title = "{evil}"\nnotes = "{evil}"\n[input]\ntext = "{evil}"\n'
        f'[[model]]\nname = "{evil}"\ncell = "gru"\nhidden_size = 2\n[playback]\nscript = "note {evil}"\n',
        "script\x1b[31m": f'[input]\ntext = "ab"\n[[model]]\ncell = "gru"\nhidden_size = 2\n'
        f'[playback]\nscript = "{evil}\\nmodel {evil}"\n',
        "bad\x1b[31m": f'"{evil}" = 1\n[input]\nfile = "{evil}.csv"\nnormalize = "{evil}"\n'
        f'[objective]\nat = "{evil}"\n[[model]]\n"{evil}" = 1\nname = "{evil}"\ncell = "{evil}"\n'
        f'[[model]]\nname = "{evil}"\n[run]\ndevice = "{evil}"\n',
        "data\x1b[31m": '[input]\nfile = "\\u001b.csv"\n[[model]]\ncell = "gru"\nhidden_size = 2\n',
    }
    (tmp_path / "\x1b.csv").write_text("a\x1b[2J,b\n1,\x1b[2J\n")
    files = []
    for name, text in texts.items():
        files.append(str(tmp_path / f"{name}.toml"))
        (tmp_path / f"{name}.toml").write_text(text)
    assert main(["check", *files]) == 2
    output = capsys.readouterr()
    assert output.out.count("fine: ") == 1
    assert "␛[2J" in output.err
    for text in (output.out, output.err):
        assert all(character.isprintable() or character == "\n" for character in text)


def test_checkpoints_are_listed_with_every_recurrent_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from torch import nn

    path = tmp_path / "best.pt"
    model = nn.ModuleDict({"encoder": nn.LSTM(8, 4, 2, bidirectional=True), "cell\x1b[2J": nn.GRUCell(3, 2)})
    torch.save({"model": model.state_dict()}, path)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 2 recurrent layers",
        "  encoder: lstm 8 → 4, 2 layers, bidirectional; taken as lstm from its shapes",
        "  cell␛[2J: gru 3 → 2; taken as gru from its shapes, which would fit lstm_coupled and "
        "gru_reset_before too",
    ]
    path.write_bytes(path.read_bytes()[:300])
    assert main(["check", str(path)]) == 2
    said = f"{path}: is not a readable PyTorch checkpoint: it is cut off"
    assert capsys.readouterr().err.startswith(said)


def test_a_checkpoint_without_a_layer_that_can_be_debugged_is_not_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from torch import nn

    path = tmp_path / "best.pt"
    torch.save(nn.Linear(3, 4).state_dict(), path)
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: no recurrent layer; it is known by names such as")
    torch.save({"rnn.weight_ih_l0": torch.zeros(8, 3), "rnn.weight_hh_l0": torch.zeros(5, 2)}, path)
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().out.startswith(f"{path}: 1 recurrent layer\n  rnn: ")


def test_what_a_checkpoint_leaves_open_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch
    from torch import nn

    torch.save(nn.RNN(1, 2).state_dict(), tmp_path / "best.pt")
    (tmp_path / "a.toml").write_text('[input]\nvalues = [1, 2]\n[[model]]\ncheckpoint = "best.pt"\n')
    assert main(["check", str(tmp_path / "a.toml")]) == 0
    said = "a.toml: note: best: taken as rnn_tanh from its shapes, which would fit rnn_relu too; cell = "
    assert said in capsys.readouterr().out


def test_a_saved_trace_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic().save(tmp_path / "a.trace")
    assert main(["check", str(tmp_path / "a.trace")]) == 2
    assert "is a saved trace; `lstmtui diagnose` says" in capsys.readouterr().err

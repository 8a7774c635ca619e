"""`lstmtui train`: a scenario's models learn, and their weights lie beside it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn

import lstmtui
from lstmtui.__main__ import main

TASK = '[input]\ntask = "latch"\nlength = 4\n'
NEXT = "[input]\nvalues = [[[0.1], [0.5], [0.2], [0.4]], [[0.3], [0.2]]]\n"
NEXT += '[objective]\nloss = "mse"\ntarget = "next"\n'


def model(cell: str = "lstm", rest: str = "seed = 3\n") -> str:
    return f'[[model]]\ncell = "{cell}"\nhidden_size = 3\nhead = 1\n{rest}'


def written(folder: Path, text: str, name: str = "my.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    files = []
    for number, seed in enumerate((3, 3, 4)):
        (tmp_path / str(number)).mkdir()
        path = written(tmp_path / str(number), TASK + model(rest=f"seed = {seed}\n"))
        assert main(["train", path, "--steps", "3"]) == 0
        files.append((tmp_path / str(number) / "my-lstm.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_it_says_what_was_learned_where_it_is_and_what_the_scenario_lacks(tmp_path: Path, capsys) -> None:
    path = written(tmp_path, NEXT + model())
    untrained = lstmtui.run(path)["lstm"]
    assert main(["train", path, "--steps", "30", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(tmp_path / "my-lstm.safetensors")
    assert said["advice"] == (
        'weights = "my-lstm.safetensors" goes into the [[model]] of line 6 in place of seed (line 10)'
    )
    assert len(said["losses"]) == 30
    assert untrained.loss == pytest.approx(said["loss_before"], rel=1e-5) == said["losses"][0]
    text = Path(path).read_text().replace("seed = 3", 'weights = "my-lstm.safetensors"')
    trained = lstmtui.run(written(tmp_path, text))["lstm"]
    assert trained.loss == pytest.approx(said["loss"], rel=1e-5)
    assert said["loss"] < said["loss_before"]
    assert (untrained.header.untrained, trained.header.untrained) == ("untrained (seed 3)", "")


def test_weights_that_are_named_need_not_be_there_nor_fit(tmp_path: Path, capsys) -> None:
    path = written(tmp_path, TASK + model(rest='weights = "w/new.safetensors"\n'))
    assert main(["train", path, "--steps", "2"]) == 0
    assert "goes into" not in capsys.readouterr().out
    first = load_file(tmp_path / "w" / "new.safetensors")
    save_file({"weight_ih_l0": torch.zeros(2, 2)}, tmp_path / "w" / "new.safetensors")
    assert main(["train", path, "--steps", "2"]) == 0
    again = load_file(tmp_path / "w" / "new.safetensors")
    assert all(np.array_equal(again[name], array) for name, array in first.items())


def test_resume_goes_on_from_the_weights_and_leaves_nothing_to_chance(tmp_path: Path, capsys) -> None:
    path = written(tmp_path, TASK + model(rest='weights = "w.safetensors"\n'))
    assert main(["train", path, "--resume"]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["train", path, "--steps", "5", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert main(["train", path, "--steps", "5", "--json", "--resume"]) == 0
    after = json.loads(capsys.readouterr().out)
    assert after["loss_before"] == pytest.approx(before["loss"], rel=1e-6)


def test_a_step_is_that_of_pytorch_written_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, NEXT + model("gru") + '[run]\ndtype = "float64"\n')
    trace = lstmtui.run(path)["gru"]
    gradients = {k: np.array(v) for k, v in trace.parameter_gradients.items()}
    assert main(["train", path, "--steps", "2", "--learning-rate", "0.1"]) == 0
    learned = load_file(tmp_path / "my-gru.safetensors")
    assert learned["head.bias"].dtype == np.float64
    parameters = {n: torch.tensor(trace.arrays["parameters/" + n], requires_grad=True) for n in learned}
    optimiser = torch.optim.Adam(parameters.values())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=2)
    gru = nn.GRU(1, 3, dtype=torch.float64)
    x = torch.tensor([0.1, 0.5, 0.2, 0.4], dtype=torch.float64), torch.tensor([0.3, 0.2], dtype=torch.float64)
    for step in range(2):
        errors = []
        for sequence in x:
            own = {n: p for n, p in parameters.items() if not n.startswith("head.")}
            h = torch.func.functional_call(gru, own, (sequence[:-1, None],))[0]
            y = nn.functional.linear(h, parameters["head.weight"], parameters["head.bias"])
            errors.append((y[:, 0] - sequence[1:]) ** 2)
        optimiser.zero_grad()
        torch.cat(errors).mean().backward()
        if step == 0:
            for name, gradient in gradients.items():
                assert parameters[name].grad.numpy() == pytest.approx(gradient, rel=1e-9, abs=1e-12)
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimiser.step()
        schedule.step()
    for name, parameter in parameters.items():
        assert learned[name] == pytest.approx(parameter.detach().numpy(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[input]\nvalues = [1, 2]\n" + model(), "[objective] compares y with nothing"),
        (TASK + '[[model]]\nfactory = "os:getcwd"\n', "getcwd: factory os:getcwd is Python code"),
        (
            TASK + '[[model]]\ncheckpoint = "a.pt"\nhead = "head"\n',
            "rnn: checkpoint = … is a file of another program",
        ),
        (TASK + model(rest='weights = "../a.safetensors"\n'), "lies outside the scenario's folder"),
        (TASK + model(rest='weights = "a.pt"\n'), "my.toml:8: model[0].weights: is 'a.pt'"),
        (
            TASK
            + model(rest='weights = "a.safetensors"\n')
            + model("gru", rest='weights = "a.safetensors"\n'),
            "my.toml:13: model[1].weights: 'a.safetensors' is written by model 'lstm' too",
        ),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_written(text, sentence, tmp_path, capsys) -> None:
    torch.save(
        {f"rnn.{n}": p for n, p in nn.LSTM(2, 1).state_dict().items()}
        | {"head.weight": torch.ones(1, 1), "head.bias": torch.ones(1)},
        tmp_path / "a.pt",
    )
    assert main(["train", written(tmp_path, text), "--steps", "1"]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.safetensors"))


def test_bundled_weights_are_not_trained_over(capsys) -> None:
    assert main(["train", "latch", "--steps", "1"]) == 2
    assert "is bundled with lstmtui" in capsys.readouterr().err


def test_a_loss_that_is_lost_writes_nothing(tmp_path: Path, capsys) -> None:
    text = NEXT.replace("0.5", "1e30") + model()
    assert main(["train", written(tmp_path, text), "--steps", "3"]) == 2
    said = "lstm: the loss is inf at step 1; try a smaller --learning-rate; nothing written"
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.safetensors"))


def test_ctrl_c_keeps_what_was_learned_but_no_older_weights_are_lost_by_it(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    from lstmtui.commands import train

    show = train._StepLine.show

    def interrupted(line: train._StepLine, step: int, loss: float) -> None:
        show(line, step, loss)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(train._StepLine, "show", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    path = written(tmp_path, TASK + model(rest='weights = "w.safetensors"\n') + model("gru"))
    file = tmp_path / "w.safetensors"
    try:
        for kept in (None, b"older"):
            if kept is not None:
                file.write_bytes(kept)
            assert main(["train", path, "--steps", "1000000"]) == 130
            said = capsys.readouterr()
            assert "3 of 1,000,000 steps" in said.out
            assert "gru: not trained, nothing written" in said.err
            assert ("weights written to" in said.out) == (kept is None)
            assert ("the weights in" in said.err) == (kept is not None)
            assert kept in (None, file.read_bytes())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_every_cell_trains_and_names_become_files(tmp_path: Path, capsys) -> None:
    names = ("a/b", "a b", "…")
    rest = [f'name = "{name}"\nseed = 0\nnum_layers = 2\nbidirectional = true\n' for name in names]
    cells = ("lstm_peephole", "lstm_coupled", "rnn_relu")
    text = TASK.replace("latch", "brackets").replace("4", "16")
    path = written(tmp_path, text + "".join(map(model, cells, rest)).replace("head", "embedding = 2\nhead"))
    assert main(["train", path, "--steps", "2"]) == 0
    files = {file.name for file in tmp_path.glob("*.safetensors")}
    assert files == {"my-a-b.safetensors", "my-a-b-2.safetensors", "my-model.safetensors"}
    for name, file in zip(names, ("my-a-b", "my-a-b-2", "my-model"), strict=True):
        text = Path(path).read_text()
        at = text.index(name)
        text = text[:at] + text[at:].replace("seed = 0", f'weights = "{file}.safetensors"', 1)
        Path(path).write_text(text)
    assert main(["check", path]) == 0


def test_initial_states_and_text_are_trained_with(tmp_path: Path) -> None:
    save_file({"h0": torch.full((1, 2, 3), 0.5)}, tmp_path / "s.safetensors")
    path = written(tmp_path, TASK + "batch = 2\n" + model("gru", 'initial = "s.safetensors"\n'))
    assert main(["train", path, "--steps", "2"]) == 0
    text = '[input]\ntext = "abcabcab"\n[objective]\nloss = "cross_entropy"\ntarget = "next"\n'
    path = written(tmp_path, text + model("rnn_tanh").replace("head = 1", "head = 3"))
    assert main(["train", path, "--steps", "2"]) == 0


def test_the_curve_is_drawn_on_a_terminal_alone() -> None:
    from lstmtui.tui.curve import curve_lines

    rows = curve_lines("steps: loss", [1.0, 0.1, 0.01], 60, ascii=True)
    assert rows[-1].split() == ["1", "3", "steps:", "loss"]
    assert all(row.isascii() and len(row) < 75 for row in rows)
    assert curve_lines("steps: loss", [1.0], 60, ascii=True) == []

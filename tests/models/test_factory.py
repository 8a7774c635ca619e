"""Models that the user's own Python builds: run when trusted, and only then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.errors import UserError
from lstmtui.scenario import Scenario, load_scenario

CODE = """
import torch
from torch import nn

class Tagger(nn.Module):
    def __init__(self, hidden=4, outputs=2, batch_first=True, last=False):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.rnn = nn.GRU(3, hidden, batch_first=batch_first)
        self.fc = nn.Linear(hidden, outputs)
        self.last = last

    def forward(self, ids):
        out, _ = self.rnn(self.embedding(ids))
        return {"logits": self.fc(out[:, -1] if self.last else out)}

def fails():
    raise ValueError("no such thing")

def forward_fails():
    model = Tagger()
    model.fc = nn.Linear(9, 9)
    return model
"""
HEAD = '[input]\ntokens = [[0, 1, 2, 4], [3, 3, 1, 0]]\n[run]\ndevice = "cpu"\ndtype = "float64"\n'
OBJECTIVE = '[objective]\nloss = "cross_entropy"\n'
EVERY = OBJECTIVE + 'at = "every"\ntarget = [[0, 1, 1, 0], [1, 0, 0, 1]]\n'


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes the module and a scenario of one model; gives the scenario's path."""

    def write(model: str, objective: str = EVERY, code: str = CODE) -> Path:
        (tmp_path / "my_models.py").write_text(code)
        path = tmp_path / "a.toml"
        path.write_text(f"{HEAD}{objective}[[model]]\n{model}\n")
        return path

    return write


def test_without_trust_nothing_is_imported(write: Any, tmp_path: Path) -> None:
    marks = f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n"
    path = write('factory = "my_models:Tagger"', code=marks + CODE)
    for attempt in (load_scenario, lstmtui.run):
        with pytest.raises(UserError, match="if you trust it, pass --trust"):
            attempt(path)
    scenario = load_scenario(path, trust=True)
    assert isinstance(scenario, Scenario)
    with pytest.raises(UserError, match="trust=True lets it"):
        lstmtui.run(scenario)
    assert not (tmp_path / "ran").exists()
    lstmtui.run(path, trust=True)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_model_is_recorded_with_its_loss(write: Any, tmp_path: Path, batch_first: bool) -> None:
    arguments = f"{{ hidden = 6, batch_first = {str(batch_first).lower()} }}"
    path = write(f'factory = "my_models:Tagger"\nweights = "w.pt"\narguments = {arguments}')
    torch.manual_seed(5)
    namespace: dict[str, Any] = {}
    exec(CODE, namespace)
    own = namespace["Tagger"](6, batch_first=batch_first).double()
    torch.save({"model": own.state_dict()}, tmp_path / "w.pt")
    trace = lstmtui.run(path, trust=True)["Tagger"]
    ids, target = torch.tensor([[0, 1, 2, 4], [3, 3, 1, 0]]), torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1]])
    logits = own(ids if batch_first else ids.T)["logits"]
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), (target if batch_first else target.T).flatten())
    loss.backward()
    assert trace.loss == pytest.approx(loss.item(), rel=1e-12)
    for name, parameter in own.named_parameters():
        np.testing.assert_allclose(trace.parameter_gradients[name], parameter.grad.numpy(), atol=1e-12)
    assert trace.values("z").shape == (4, 2, 6)
    assert trace.layers[0].path == "rnn"


def test_a_classifier_gives_one_y_for_each_sequence(write: Any) -> None:
    objective = OBJECTIVE + 'at = "last"\ntarget = [1, 0]\n'
    path = write('factory = "my_models:Tagger"\narguments = { last = true }', objective)
    trace = lstmtui.run(path, trust=True)["Tagger"]
    again = lstmtui.run(path, trust=True)["Tagger"]
    assert 0 < trace.loss == again.loss < 3


def test_the_scenarios_folder_is_first_only_while_the_model_is_built(write: Any, tmp_path: Path) -> None:
    before = list(sys.path)
    lstmtui.run(write('factory = "my_models:Tagger"'), trust=True)
    assert sys.path == before


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ('factory = "my_models:nothing"', "AttributeError: module 'my_models' has no attribute 'nothing'"),
        ('factory = "no_such_package.x:y"', "ModuleNotFoundError: No module named 'no_such_package'"),
        ('factory = "my_models:fails"', r"ValueError: no such thing \(.*my_models\.py:18\)"),
        ('factory = "my_models:forward_fails"', r"RuntimeError: mat1 and mat2 .* \(.*my_models\.py:15\)"),
        (
            'factory = "my_models:torch.ones"\narguments = { size = [3] }',
            "returns a Tensor, not a torch.nn.Module",
        ),
        ('factory = "my_models:Tagger"\narguments = { hiden = 3 }', "unexpected keyword argument 'hiden'"),
        (
            'factory = "my_models:Tagger"\narguments = { outputs = 1 }',
            "y has 1 value .* the target needs 2 or more",
        ),
        (
            'factory = "my_models:Tagger"\narguments = { last = true }',
            r"the loss needs y of shape \(2, 4, O\), and",
        ),
        (
            'factory = "my_models:nn.Linear"\narguments = { in_features = 2, out_features = 2 }',
            "mat1 and mat2 must have the same dtype",
        ),
    ],
)
def test_what_goes_wrong_in_the_users_code_is_said_with_its_line(write: Any, model: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        lstmtui.run(write(model), trust=True)


def test_weights_that_do_not_fit_are_named(write: Any, tmp_path: Path) -> None:
    torch.save(nn.GRU(3, 4).state_dict(), tmp_path / "w.pt")
    path = write('factory = "my_models:Tagger"\nweights = "w.pt"')
    said = r"w\.pt does not fit .*: lacks embedding\.weight, rnn.* more; has no place for weight_ih_l0"
    with pytest.raises(UserError, match=said):
        lstmtui.run(path, trust=True)


def test_the_command_line_says_trust(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write('factory = "my_models:Tagger"'))
    assert main(["record", path, "-o", str(tmp_path / "out")]) == 2
    assert "a.toml:11: model[0].factory: runs Python code" in capsys.readouterr().err
    assert main(["record", path, "-o", str(tmp_path / "out"), "--trust"]) == 0
    assert main(["check", path]) == 0

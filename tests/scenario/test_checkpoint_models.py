"""Models whose sizes and weights come from a checkpoint: three lines of a scenario."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import lstmtui
from lstmtui.scenario import ModelSpec
from lstmtui.scenario.numbers.tensors import TensorFile

VALUES = "[input]\nvalues = [[[0.5, 1], [-1, 2], [3, 0.1]], [[0, 1], [1, -2], [0.5, 0.5]]]\n"
TOKENS = "[input]\ntokens = [[2, 0, 1], [1, 1, 3]]\n"
RUN = '[run]\ndevice = "cpu"\n'


class LanguageModel(nn.Module):
    """An embedding, a stack of cells and a linear layer."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 3)
        self.rnn = nn.LSTM(3, 4, 2, bidirectional=True)
        self.fc = nn.Linear(8, 5, bias=bias)

    def forward(self, ids: Tensor) -> Tensor:
        return self.fc(self.rnn(self.embed(ids))[0])


def save(module: nn.Module, path: Path) -> None:
    """Save the parameters by the suffix of the path, .pt as a training loop of several devices does."""
    state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": {f"module.{name}": t for name, t in state.items()}, "epoch": 1}, path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
@pytest.mark.parametrize(
    ("module", "cell"),
    [
        (nn.LSTM(2, 4, 2, proj_size=2), ""),
        (nn.GRU(2, 3, bidirectional=True), ""),
        (nn.RNN(2, 3, nonlinearity="relu"), "rnn_relu"),
        (nn.RNN(2, 3, bias=False), ""),
    ],
    ids=["lstm", "gru", "relu", "tanh"],
)
def test_three_lines_give_the_module_that_was_saved(
    tmp_path: Path, module: nn.RNNBase, cell: str, suffix: str
) -> None:
    save(
        nn.ModuleDict({"encoder": nn.ModuleDict({"rnn": module}), "fc": nn.Linear(2, 2)}),
        tmp_path / f"best{suffix}",
    )
    model = f'[[model]]\ncheckpoint = "best{suffix}"\nmodule = "encoder.rnn"\n'
    (tmp_path / "a.toml").write_text(VALUES + model + (f'cell = "{cell}"\n' if cell else "") + RUN)
    trace = lstmtui.run(tmp_path / "a.toml")["encoder.rnn"]
    x = torch.tensor([[[0.5, 1], [0, 1]], [[-1, 2], [1, -2]], [[3, 0.1], [0.5, 0.5]]])
    output = module(x)[0].detach().numpy()
    last = len(trace.layers) - 1
    found = [trace.values("h", layer=last, direction=d) for d in trace.layers[last].directions]
    np.testing.assert_allclose(np.concatenate(found, 2), output, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("path", ["{}", "module.{}"])
def test_embedding_and_head_come_by_their_paths(tmp_path: Path, bias: bool, path: str) -> None:
    model = LanguageModel(bias)
    save(model, tmp_path / "best.pt")
    keys = "".join(f'{k} = "{path.format(v)}"\n' for k, v in (("embedding", "embed"), ("head", "fc")))
    (tmp_path / "a.toml").write_text(TOKENS + '[[model]]\ncheckpoint = "best.pt"\n' + keys + RUN)
    trace = lstmtui.run(tmp_path / "a.toml")["rnn"]
    expected = model(torch.tensor([[2, 1], [0, 1], [1, 3]])).detach().numpy()
    np.testing.assert_allclose(trace.arrays["y"], expected, atol=1e-6)


def test_one_hot_tokens_need_no_embedding(load: Callable[..., Any], tmp_path: Path) -> None:
    save(nn.GRU(4, 3), tmp_path / "best.pt")
    (spec,) = load(TOKENS, '[[model]]\ncheckpoint = "best.pt"\n').models
    assert isinstance(spec, ModelSpec)
    assert (spec.name, spec.embedding, spec.head) == ("best", None, None)


def test_tanh_and_relu_cannot_be_told_and_that_is_said(load: Callable[..., Any], tmp_path: Path) -> None:
    save(nn.RNN(2, 3, nonlinearity="relu"), tmp_path / "best.pt")
    model = '[[model]]\ncheckpoint = "best.pt"\n'
    (spec,) = load(VALUES, model).models
    assert spec.layout.cell.name == "rnn_tanh"
    said = "taken as rnn_tanh from its shapes, which would fit rnn_relu too"
    assert said in spec.notes[0]
    assert said in lstmtui.run(tmp_path / "a.toml")["best"].header.notes
    assert load(VALUES, model + 'cell = "rnn_relu"\n').models[0].notes == ()


def test_numbers_are_read_in_the_precision_they_are_stored_in(
    load: Callable[..., Any], tmp_path: Path
) -> None:
    for dtype, kept in (
        (torch.bfloat16, np.float32),
        (torch.float16, np.float32),
        (torch.float64, np.float64),
    ):
        module = nn.GRU(2, 3).to(dtype)
        for suffix in (".pt", ".safetensors"):
            save(module, tmp_path / f"best{suffix}")
            (spec,) = load(VALUES, f'[[model]]\ncheckpoint = "best{suffix}"\n').models
            found = spec.parameters["weight_hh_l0"]
            assert found.dtype == kept
            np.testing.assert_array_equal(found, module.weight_hh_l0.detach().double().numpy())


def test_sizes_may_be_given_where_they_agree(load: Callable[..., Any], tmp_path: Path) -> None:
    save(nn.GRU(2, 3, 2), tmp_path / "best.pt")
    keys = 'cell = "gru"\nhidden_size = 3\nnum_layers = 2\nbidirectional = false\nbias = true\n'
    assert load(VALUES, '[[model]]\ncheckpoint = "best.pt"\n' + keys).models[0].layout.num_layers == 2


def test_every_mistake_is_said_at_once(problems: Callable[..., Any], tmp_path: Path) -> None:
    save(LanguageModel(), tmp_path / "best.pt")
    keys = 'hidden_size = 7\nbias = false\nembedding = "fc"\nhead = "embed"\ncell = "gru"\n'
    keys += "initial = { c0 = [1, 2, 3] }\n"
    said = [
        str(p).split("model[0].")[1] for p in problems(TOKENS, '[[model]]\ncheckpoint = "best.pt"\n' + keys)
    ]
    assert said == [
        "hidden_size: is 7, best.pt has 4; leave it out",
        "bias: is false, best.pt has true; leave it out",
        "embedding: 'fc' gives 8 numbers, the layer takes 3",
        "head: 'embed' takes 3 numbers, the layer gives 8",
        "cell: is 'gru', the parameters are those of lstm; allowed: lstm",
        "initial.c0: c0 has shape (3,); allowed: (4, 2, 4), (4, 4) or (4,)",
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"fc.weight": torch.ones(2, 2)}, "best.pt holds no recurrent layer"),
        (
            {k: t.int() for k, t in nn.LSTM(2, 3).state_dict().items()},
            "'weight_ih_l0' is of dtype int32; allowed: F64",
        ),
        ({f"{n}.{k}": t for n in "abcdefghij" for k, t in nn.GRU(2, 3).state_dict().items()}, "; and 2 more"),
    ],
)
def test_checkpoints_without_a_usable_layer(
    problem: Callable[..., str], tmp_path: Path, state: dict[str, Tensor], said: str
) -> None:
    torch.save(state, tmp_path / "best.pt")
    assert said in problem(VALUES, '[[model]]\ncheckpoint = "best.pt"\n')


def test_names_in_a_checkpoint_reach_no_terminal(problem: Callable[..., str], tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07" + "x" * 500
    state = {f"{evil}{n}.{k}": t for n in "ab" for k, t in nn.GRU(2, 3).state_dict().items()}
    torch.save(state, tmp_path / "best.pt")
    said = problem(VALUES, '[[model]]\ncheckpoint = "best.pt"\n')
    assert said.isprintable()
    assert len(said) < 400


def test_one_tensor_is_read_without_the_rest_of_the_file(tmp_path: Path) -> None:
    save_file({"small": torch.ones(2), "large": torch.zeros(1 << 22)}, tmp_path / "w.safetensors")
    tracemalloc.start()
    try:
        assert TensorFile(tmp_path / "w.safetensors").read("small").tolist() == [1, 1]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()

"""Checkpoints of other people's cells, whose names are like PyTorch's: refused by name, or said."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.errors import UserError

I, H = 3, 4  # noqa: E741


class Cell(nn.Module):
    """Parameters under the names that a cell of somebody's own gives them; what it computes is not asked."""

    def __init__(self, blocks: int = 4, end: str = "", bias: bool = True, **more: Any) -> None:
        super().__init__()
        self.own("weight_ih" + end, blocks * H, I)
        self.own("weight_hh" + end, blocks * H, H)
        for name in ("bias_ih", "bias_hh") if bias else ():
            self.own(name + end, blocks * H)
        for name, part in more.items():
            if isinstance(part, nn.Module):
                self.add_module(name, part)
            else:
                self.own(name, *part)

    def own(self, name: str, *shape: int) -> None:
        self.register_parameter(name, nn.Parameter(torch.randn(shape)))


class TwoLayers(nn.Module):
    """Layers of one's own cells, named as nn.LSTM names its own, with something more for each."""

    def __init__(self, extra: str) -> None:
        super().__init__()
        for layer, size in enumerate((I, H)):
            shapes = {"weight_ih": (4 * H, size), "weight_hh": (4 * H, H), "bias_ih": (4 * H,)}
            for name, shape in {**shapes, "bias_hh": (4 * H,), extra: (H,)}.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.randn(*shape)))


class Convolutional(nn.Module):
    """A cell whose weights are kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(4 * H, I, 3, 3))
        self.weight_hh = nn.Parameter(torch.randn(4 * H, H, 3, 3))


class WithHead(nn.LSTM):
    """An LSTM that holds the linear layer after it."""

    def __init__(self) -> None:
        super().__init__(I, H)
        self.fc = nn.Linear(H, 2)


def normed(kind: Callable[..., nn.Module], name: str) -> nn.Module:
    return nn.utils.parametrizations.weight_norm(kind(I, H), name)


class Dropped(nn.Module):
    """The weight drop of AWD-LSTM, which keeps the whole matrix under a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.LSTM(I, H)
        whole = self.module._parameters.pop("weight_hh_l0")
        self.register_parameter("weight_hh_l0_raw", whole)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "peephole, one matrix": (lambda: Cell(weight_ch=(3 * H, H)), "weight_ch"),
    "peephole, vectors": (lambda: Cell(weight_peephole=(3, H)), "weight_peephole"),
    "peephole, full matrices": (lambda: Cell(weight_ci=(H, H), weight_cf=(H, H)), "weight_c"),
    "residual": (lambda: Cell(weight_ir=(H, I)), "weight_ir"),
    "multiplicative": (lambda: Cell(weight_mih=(H, I), weight_mhh=(H, H)), "weight_mih, weight_mhh"),
    "layer norm": (lambda: Cell(layernorm_c=nn.LayerNorm(H)), "layernorm_c.weight, layernorm_c.bias"),
    "layer norm, without biases": (lambda: Cell(bias=False, ln=nn.LayerNorm(4 * H)), "ln.weight"),
    "batch norm": (lambda: Cell(bn_hh=nn.BatchNorm1d(4 * H)), "bn_hh.weight, bn_hh.bias, bn_hh.running_mean"),
    "phased": (lambda: Cell(tau=(H,), shift=(H,), ratio=(H,)), "tau, shift, ratio"),
    "gru with decay": (lambda: Cell(3, gamma_x=nn.Linear(I, I), gamma_h=nn.Linear(I, H)), "gamma_x.weight"),
    "rnn with a second matrix": (lambda: Cell(1, weight_ho=(H, H)), "weight_ho"),
    "antisymmetric, with a gate": (lambda: Cell(1, gate=nn.Linear(I, H), damping=()), "damping"),
    "stacked, with zoneout": (lambda: TwoLayers("zoneout"), "zoneout_l0, zoneout_l1"),
    "stacked, with an initial state": (lambda: TwoLayers("h0"), "h0_l0, h0_l1"),
    "highway": (lambda: Cell(2), "weight_hh_l0 (8, 4) is that of no cell"),
    "two names for one": (lambda: Cell(4, weight_hh_l0=(4 * H, H)), "weight_hh_l0"),
    "convolutional": (Convolutional, "matrices"),
    "independent": (lambda: TwoLayers("u_hh"), "u_hh_l0"),
    "a head inside": (WithHead, "fc.weight, fc.bias"),
    "weight norm": (lambda: normed(nn.LSTM, "weight_hh_l0"), "weight_hh_l0 is computed from other"),
    "weight norm of x": (lambda: normed(nn.GRU, "weight_ih_l0"), "weight_ih_l0 is computed from other"),
    "weight drop": (Dropped, "weight_hh_l0 is computed from other parameters"),
}
TAKEN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "of 1997, without a forget gate": (lambda: Cell(3), "taken as gru from its shapes"),
    "antisymmetric": (lambda: Cell(1, bias=False), "taken as rnn_tanh from its shapes, which"),
    "zoneout": (lambda: Cell(4), "taken as lstm from its shapes"),
    "nn.LSTM": (lambda: nn.LSTM(I, H, 2, bidirectional=True), "taken as lstm from its shapes"),
    "nn.GRUCell": (lambda: nn.GRUCell(I, H), "taken as gru from its shapes"),
    "ours": (lambda: lstmtui.Recurrent("lstm_peephole", I, H), "taken as lstm_peephole from its shapes"),
}
INPUT = "[input]\nvalues = [[0.1, 0.2, 0.3]]\n"


def saved(module: nn.Module, path: str, folder: Path, more: dict[str, Tensor] | None = None) -> Path:
    """The module's state dict under a path, in a file."""
    state = {f"{path}.{name}".strip("."): tensor for name, tensor in module.state_dict().items()}
    torch.save({"state_dict": state | (more or {}), "epoch": torch.tensor(3)}, folder / "best.pt")
    return folder / "best.pt"


@pytest.mark.parametrize("path", ["", "encoder.rnn"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_cell_with_parameters_that_ours_have_not_is_refused_by_their_names(
    case: str, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, said = REFUSED[case]
    file = saved(build(), path, tmp_path)
    assert main(["check", str(file)]) == 2
    assert said in capsys.readouterr().out
    (tmp_path / "a.toml").write_text(INPUT + '[[model]]\ncheckpoint = "best.pt"\n')
    with pytest.raises(UserError, match=r"model\[0\]\.checkpoint") as caught:
        lstmtui.run(tmp_path / "a.toml")
    assert said in str(caught.value)


@pytest.mark.parametrize("path", ["", "encoder.rnn"])
@pytest.mark.parametrize("case", TAKEN)
def test_what_follows_from_shapes_alone_is_said_to(
    case: str, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, said = TAKEN[case]
    beside = {"encoder.fc.weight": torch.zeros(2, H), "encoder.rnn2.gamma": torch.zeros(2)} if path else {}
    file = saved(build(), path, tmp_path, beside)
    assert main(["check", str(file)]) == 0
    assert said in capsys.readouterr().out
    (tmp_path / "a.toml").write_text(INPUT + '[[model]]\ncheckpoint = "best.pt"\n[run]\ndevice = "cpu"\n')
    assert main(["check", str(tmp_path / "a.toml")]) == 0
    assert said in capsys.readouterr().out
    (trace,) = lstmtui.run(tmp_path / "a.toml").values()
    assert said in trace.header.notes


def test_a_head_inside_the_layer_is_taken_where_the_scenario_names_it(tmp_path: Path) -> None:
    model = WithHead()
    saved(model, "", tmp_path)
    table = '[[model]]\ncheckpoint = "best.pt"\nhead = "fc"\n[run]\ndevice = "cpu"\n'
    (tmp_path / "a.toml").write_text(INPUT + table)
    (trace,) = lstmtui.run(tmp_path / "a.toml").values()
    expected = model.fc(model(torch.tensor([[[0.1, 0.2, 0.3]]]))[0])
    torch.testing.assert_close(torch.from_numpy(trace.values("y").copy()), expected.detach())


def test_what_else_a_training_loop_saved_is_not_the_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = nn.GRU(I, H)
    others = {"scaler": {"mean": torch.zeros(3)}, "ema": layer.state_dict(), "step": torch.tensor(1)}
    torch.save({"model": layer.state_dict(), **others}, tmp_path / "best.pt")
    assert main(["check", str(tmp_path / "best.pt")]) == 0
    assert capsys.readouterr().out.count("taken as gru") == 2


class Hidden(nn.Module):
    """As torch.ao's own layers are, whose weights are in no tensor."""

    __module__ = "torch.ao.nn.quantized.dynamic.modules.rnn"


def test_a_quantised_model_is_not_recorded() -> None:
    with pytest.raises(TypeError, match="Sequential is quantised"):
        lstmtui.record(nn.Sequential(Hidden()), torch.zeros(2, 1, 3))


def test_quantised_weights_are_refused_by_that_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = nn.LSTM(I, H).state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases of torch warn of quantised tensors
        stored = {f"rnn.{n}": torch.quantize_per_tensor(t, 0.1, 0, torch.qint8) for n, t in state.items()}
    torch.save(stored, tmp_path / "best.pt")
    assert main(["check", str(tmp_path / "best.pt")]) == 2
    assert "rnn: its weights are quantised (qint8)" in capsys.readouterr().out

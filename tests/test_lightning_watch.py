"""The callback for Lightning's trainer, by its protocol, and with Lightning where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lstmtui


class Module(nn.Module):
    """Called by its training_step, as Lightning's trainer does."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 3)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        if index == 3:
            raise ArithmeticError("lost")
        loss: Tensor = self.rnn(batch)[0].pow(2).mean()
        return loss


class Callback:
    """What Lightning's base class is, as far as it matters here."""


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("lightning.pytorch")
    package.Callback = Callback  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", package)


def train(module: Module, callback: Any, steps: int) -> None:
    """What a trainer calls, in its order."""
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    callback.on_train_start(None, module)
    try:
        for index in range(steps):
            loss = module.training_step(torch.randn(4, 1, 2), index)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    except ArithmeticError as error:
        callback.on_exception(None, module, error)
        raise
    callback.on_train_end(None, module)


def hooks(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


@pytest.mark.usefixtures("lightning")
def test_an_exception_that_ends_the_training_is_written(tmp_path: Path) -> None:
    callback, module = lstmtui.lightning_watch(keep=2, path=tmp_path / "w"), Module()
    assert isinstance(callback, Callback)
    with pytest.raises(ArithmeticError):
        train(module, callback, 5)
    assert list(lstmtui.load(tmp_path / "w")) == ["step 1", "step 2"]  # type: ignore[arg-type]
    assert callback.watch is None
    assert not hooks(module)


@pytest.mark.usefixtures("lightning")
def test_a_condition_that_holds_is_written_and_the_end_closes_the_watch(tmp_path: Path) -> None:
    callback, module = lstmtui.lightning_watch("norm(h) > 0", keep=1, path=tmp_path / "w"), Module()
    train(module, callback, 3)
    assert "step 0" in lstmtui.load(tmp_path / "w")
    assert not hooks(module)
    callback.on_train_end(None, module)
    callback.on_exception(None, module, KeyboardInterrupt())


def test_without_lightning_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("lstmtui.lightning.find_spec", lambda name: None)
    monkeypatch.setattr("lstmtui.libraries.find_spec", lambda name: None)
    with pytest.raises(lstmtui.UserError, match="Lightning is not installed: pip install lightning"):
        lstmtui.lightning_watch()


@pytest.mark.filterwarnings("ignore")
def test_with_lightning_itself(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")

    class Lit(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = Module()

        def training_step(self, batch: Any, index: int) -> Tensor:
            return self.inner.training_step(batch[0], index)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(20, 1, 2)), 4)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    callback = lstmtui.lightning_watch(keep=2, path=tmp_path / "w")
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], **options)
    with pytest.raises(ArithmeticError):
        trainer.fit(Lit(), data)
    assert list(lstmtui.load(tmp_path / "w")) == ["step 1", "step 2"]  # type: ignore[arg-type]

"""Programs of TorchScript and torch.export: parameters are read by name, and none of their code is run."""

from __future__ import annotations

import importlib.util
import io
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archive import Archive
from lstmtui.models.checkpoints.archived_tensors import ArchivedTensors
from lstmtui.models.checkpoints.exported_tensors import ExportedTensors
from lstmtui.models.checkpoints.script_tensors import ScriptTensors

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:The tensor attributes self:UserWarning",
)


class Tagger(nn.Module):
    """Two recurrent layers, one of them of the kind that no shape tells, and others between."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.encoder = nn.LSTM(4, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.plain = nn.RNN(10, 3, nonlinearity="relu", batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's output."""
        y, _ = self.encoder(self.inside(x))
        y, _ = self.plain(y)
        return y


def scripted(model: nn.Module, path: Path) -> None:
    torch.jit.script(model).save(path)


def traced(model: nn.Module, path: Path) -> None:
    torch.jit.trace(model, torch.randn(2, 7, 3)).save(path)


def exported(model: nn.Module, path: Path) -> None:
    x = torch.randn(2, 7, 3).to(next(model.parameters()).dtype)
    torch.export.save(torch.export.export(model, (x,)), path)


def read_by(reader: type[ArchivedTensors], path: Path) -> ArchivedTensors:
    return reader(path, Archive(path))


WRITERS = [(scripted, "m.jit"), (traced, "m.pt")]
HALVES = (torch.float16, torch.bfloat16)
has_archive = pytest.mark.skipif(
    importlib.util.find_spec("torch.export.pt2_archive") is None,
    reason="PyTorch writes .pt2 archives from 2.8 on",
)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Tagger().eval()


@pytest.mark.parametrize(
    ("write", "name", "dtype"),
    [
        *((scripted, "m.jit", dtype) for dtype in (torch.float32, torch.float64, *HALVES)),
        (traced, "m.pt", torch.float32),
        pytest.param(exported, "m.pt2", torch.float32, marks=has_archive),
        pytest.param(exported, "m.pt2", torch.bfloat16, marks=has_archive),
    ],
)
def test_every_parameter_is_read_by_its_name(
    model: nn.Module, write: Callable[..., None], name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    write(model.to(dtype), tmp_path / name)
    read = read_by(ExportedTensors if write is exported else ScriptTensors, tmp_path / name)
    for full, tensor in model.state_dict().items():
        array = read.read(((), full))
        wide = tensor.float() if dtype in HALVES else tensor
        assert array.dtype == wide.numpy().dtype
        np.testing.assert_array_equal(array, wide.numpy())
    expected = {} if write is exported else {"encoder": "lstm", "plain": "rnn_relu"}
    assert read.cells == expected


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_a_layer_of_a_program_is_debugged_on_what_goes_into_it(
    model: nn.Module,
    write: Callable[..., None],
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(model, tmp_path / name)
    x = torch.randn(6, 10)
    np.save(tmp_path / "x.npy", x.numpy())
    scenario = tmp_path / "s.toml"
    scenario.write_text(f'input.file = "x.npy"\nmodel = [{{ checkpoint = "{name}", module = "plain" }}]')
    (trace,) = lstmtui.run(scenario).values()
    expected = model.get_submodule("plain")(x[None])[0][0].detach()
    np.testing.assert_allclose(trace.values("h")[:, 0], expected.numpy(), rtol=1e-5, atol=1e-7)
    assert main(["check", str(tmp_path / name)]) == 0
    said = capsys.readouterr().out
    assert (
        "encoder: lstm 4 → 5, 2 layers, bidirectional; of a program of TorchScript, none of which is run"
        in said
    )
    assert "plain: rnn_relu 10 → 3; of a program" in said


def test_a_frozen_program_says_that_its_parameters_have_no_names(model: nn.Module, tmp_path: Path) -> None:
    torch.jit.freeze(torch.jit.script(model)).save(tmp_path / "m.pt")
    with pytest.raises(
        UserError, match=r"frozen TorchScript program .* use the program from before freezing"
    ):
        read_by(ScriptTensors, tmp_path / "m.pt")


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor")
def test_a_quantised_program_says_that_it_is(tmp_path: Path) -> None:
    tensor = torch.quantize_per_tensor(torch.randn(3, 4), 0.1, 0, torch.qint8)
    module = nn.Module()
    module.register_buffer("weight", tensor)
    torch.jit.script(module).save(tmp_path / "m.pt")
    with pytest.raises(
        UserError, match=r"its weights are quantised; use the program from before quantisation"
    ):
        read_by(ScriptTensors, tmp_path / "m.pt")


def rewritten(path: Path, pickled: bytes) -> Path:
    """A TorchScript archive with another description of its modules."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", pickled)
        archive.writestr("m/constants.pkl", b"")
    return path


class Command:
    """Unpickled by anything else, it runs a program."""

    def __reduce__(self) -> tuple[Any, ...]:
        return __import__("os").system, ("touch run",)


def test_what_a_description_would_call_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"opening it would call (posix|nt)\.system"):
        read_by(ScriptTensors, rewritten(tmp_path / "m.pt", pickle.dumps(Command(), protocol=2)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x7f.", "damaged|BYTEARRAY8|not a readable"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "LONG_BINPUT"),
        (b"\x80\x02X\xff\xff\xff\x7f.", "not a readable TorchScript program"),
        (b"\x80\x02K\x01.", "it holds no module"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.", "changes a function"),
        (pickle.dumps([[]] * 3, protocol=2), "it holds no module"),
    ],
)
def test_a_hostile_description_is_a_sentence(pickled: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        read_by(ScriptTensors, rewritten(tmp_path / "m.pt", pickled))


@pytest.mark.parametrize("write", [scripted, pytest.param(exported, marks=has_archive)])
def test_a_damaged_program_is_read_or_refused_in_a_sentence(
    write: Callable[..., None], tmp_path: Path
) -> None:
    write(Tagger().eval(), tmp_path / "whole")
    reader: type[ArchivedTensors] = ExportedTensors if write is exported else ScriptTensors
    random = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "whole") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    changed = [name for name in members if name.endswith((".pkl", "weights_config.json"))]
    refused = 0
    for _ in range(150):
        damaged = dict(members)
        name = changed[random.integers(len(changed))]
        content = bytearray(members[name])
        for at in random.integers(0, max(len(content), 1), random.integers(1, 4)):
            content[at] = random.integers(256)
        damaged[name] = bytes(content)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for own, data in damaged.items():
                archive.writestr(own, data)
        (tmp_path / "m.pt").write_bytes(stream.getvalue())
        with suppress(UserError):
            read = read_by(reader, tmp_path / "m.pt")
            for entry in read.tensors:
                read.read(entry)
            continue
        refused += 1
    assert refused


@pytest.mark.parametrize("kind", ["checkpoint", "TorchScript"])
@pytest.mark.parametrize(("place", "number"), [(8, 1), (10, 14)], ids=["encrypted", "other compression"])
def test_a_zip_archive_that_python_does_not_support_is_a_sentence(
    model: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, place: int, number: int
) -> None:
    """The numbers stand in every entry of the archive's own directory."""
    path = tmp_path / "m.pt"
    if kind == "checkpoint":
        torch.save(model.state_dict(), path)
    else:
        scripted(model, path)
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + place] = number
        at = content.find(b"PK\x01\x02", at + 1)
    path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    assert "m.pt: is not a readable" in capsys.readouterr().err

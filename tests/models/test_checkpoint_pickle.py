"""Files of `torch.save`: every form of a checkpoint is read, and nothing in one is ever run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.pickles import NUMBERS, REBUILD, of_pickle, tensors_of, text
from torch import nn

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archive import Archive


def save(path: Path, value: Any, **options: Any) -> Path:
    torch.save(value, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_of_a_whole_training_checkpoint_are_read(tmp_path: Path, zipped: bool) -> None:
    model = nn.LSTM(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr": [0.1],
    }
    path = save(tmp_path / "c.pt", checkpoint, _use_new_zipfile_serialization=zipped)
    stored = tensors_of(path)
    for name, tensor in model.state_dict().items():
        assert stored.tensors[("state_dict",), name][:2] == ("F32", tuple(tensor.shape))
        np.testing.assert_array_equal(stored.read((("state_dict",), name)), tensor.numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_precision_becomes_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    stored = tensors_of(save(tmp_path / "c.pt", {"w": torch.tensor([0.5, -2.0], dtype=dtype)}))
    array = stored.read(((), "w"))
    assert array.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    assert array.tolist() == [0.5, -2.0]


def test_dicts_that_hold_themselves_are_looked_into_once(tmp_path: Path) -> None:
    loop: dict[str, Any] = {"w": torch.ones(2)}
    loop["again"] = loop
    for _ in range(40):
        loop = {"a": loop, "b": loop}
    assert len(tensors_of(save(tmp_path / "c.pt", loop)).tensors) <= 1


class Runs:
    """Opened by a careless reader, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("raw", [True, False])
def test_pickles_that_run_code_are_refused_and_not_run(tmp_path: Path, raw: bool) -> None:
    path, owned = tmp_path / "c.pt", tmp_path / "owned"
    if raw:
        path.write_bytes(pickle.dumps({"w": Runs(owned)}, protocol=2))
    else:
        save(path, {"w": Runs(owned)})
    with pytest.raises(
        UserError, match=r"c\.pt is refused: opening it would call \w+\.mkdir, and only tensors"
    ):
        tensors_of(path)
    assert not owned.exists()


def test_whole_modules_are_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"call torch\.nn\.modules\.rnn\.LSTM.*save model\.state_dict\(\)"):
        tensors_of(save(tmp_path / "c.pt", nn.LSTM(2, 3)))


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("spoil", "zipped", "said"),
    [
        (_cut, True, "it is cut off"),
        (lambda data: data[:-40], True, "it is cut off"),
        (lambda data: data[:-40], False, "it is cut off"),
        (_cut, False, ""),
        (lambda data: b"not a checkpoint", True, "it is damaged or of another kind"),
        (lambda data: pickle.dumps({}, protocol=5), True, "it is a pickle of more than tensors"),
        (lambda data: b"hello, world", True, "it is damaged or of another kind"),
    ],
)
def test_damaged_files_are_refused_in_a_sentence(
    tmp_path: Path, spoil: Callable[[bytes], bytes], zipped: bool, said: str
) -> None:
    path = save(tmp_path / "c.pt", nn.LSTM(3, 40).state_dict(), _use_new_zipfile_serialization=zipped)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError) as caught:
        tensors_of(path)
    assert str(caught.value).startswith("c.pt is ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compressed_entries_are_refused_because_they_would_be_taken_as_numbers(tmp_path: Path) -> None:
    with zipfile.ZipFile(save(tmp_path / "c.pt", {"w": torch.ones(200)})) as sound:
        parts = {name: sound.read(name) for name in sound.namelist()}
    with zipfile.ZipFile(tmp_path / "c.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="its entries are compressed"):
        tensors_of(tmp_path / "c.pt")


def test_a_view_that_repeats_one_number_is_not_spread_out(tmp_path: Path) -> None:
    stored = tensors_of(save(tmp_path / "c.pt", {"w": torch.ones(1).expand(10**6, 10**6)}))
    with pytest.raises(UserError, match="w is not stored as a whole tensor"):
        stored.read(((), "w"))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_every_kind_of_tensor_is_described_as_torch_loads_it(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "view": base[1:, ::2],
        "transposed": base.t(),
        "parameter": nn.Parameter(base * 2),
        "none": torch.zeros(0, 3),
        "number": torch.tensor(2.5),
        "integers": torch.arange(3),
        "float8": torch.zeros(2).to(torch.float8_e4m3fn),
        "sparse": torch.eye(3).to_sparse(),
        "rows": torch.eye(3).to_sparse_csr(),
        "expanded": base[0].expand(3, 6),
        "negated": torch.view_as_complex(base.reshape(-1, 2)).conj().imag,
        "meta": torch.zeros(2, 3, device="meta"),
        "other": [1, 2.5, None, {"a": {1, 2}}, b"bytes", 1 << 70, torch.Size((1, 2)), torch.float16],
    }
    state["module"] = {"again": state["view"], "device": torch.device("cpu")}
    for zipped in (True, False):
        if not zipped:  # the format knows none of it
            del state["float8"]
        path = save(tmp_path / "c.pt", state, _use_new_zipfile_serialization=zipped)
        loaded = torch.load(path, weights_only=True)
        read = tensors_of(path)
        shapes = {entry[1]: tensor.shape for entry, tensor in read.tensors.items()}
        expected = {name: tuple(t.shape) for name, t in loaded.items() if isinstance(t, torch.Tensor)}
        assert shapes == expected | {"again": (3, 3)}
        for name in ("view", "transposed", "parameter", "none", "number", "expanded"):
            np.testing.assert_array_equal(read.read(((), name)), loaded[name].detach().numpy())
        np.testing.assert_array_equal(read.read((("module",), "again")), base[1:, ::2].numpy())
        for name in ("integers", "sparse", "rows", "meta", "negated"):
            with pytest.raises(UserError, match=rf"c\.pt: {name} is "):
                read.read(((), name))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_of_a_machine_with_the_largest_byte_first_are_turned(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    numbers = torch.arange(12.0).reshape(3, 4).to(dtype)[1:, ::2]
    with zipfile.ZipFile(save(tmp_path / "little.pt", {"w": numbers})) as sound:
        parts = {name: sound.read(name) for name in sound.namelist()}
    size = dtype.itemsize
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        for name, content in parts.items():
            if "/data/" in name:
                content = b"".join(content[n : n + size][::-1] for n in range(0, len(content), size))
            archive.writestr(name, b"big" if name.endswith("byteorder") else content)
    assert torch.load(tmp_path / "c.pt", weights_only=True)["w"].equal(numbers)
    expected = numbers if dtype == torch.float64 else numbers.float()
    np.testing.assert_array_equal(tensors_of(tmp_path / "c.pt").read(((), "w")), expected.numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_the_dicts_of_python_2_are_read(tmp_path: Path, zipped: bool) -> None:
    pairs = b"](](" + text("w") + REBUILD + b"(" + NUMBERS + b"K\x00K\x04\x85K\x01\x85tRee"
    path = of_pickle(tmp_path / "c.pt", b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R.", zipped)
    assert {entry: tensor.shape for entry, tensor in tensors_of(path).tensors.items()} == {((), "w"): (4,)}


def test_a_directory_of_64_bit_numbers_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    members = {f"c/{name}": bytes([len(name)]) * 100 for name in ("data.pkl", "é", "data/0", "byteorder")}
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.comment = b"a comment"
        for name, content in members.items():
            archive.writestr(name, content)
    assert zipfile.ZipFile(tmp_path / "c.pt").getinfo("c/data/0").extra
    read = Archive(tmp_path / "c.pt")
    assert {name: read.read(name) for name in members} == members
    assert (read.size("c/é"), read.read("c/é", 98), read.read("c/é", 5, 7)) == (100, b"\1\1", b"\1\1")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_checkpoint_is_read_or_refused_in_a_sentence(tmp_path: Path, zipped: bool) -> None:
    state = {"model": nn.LSTM(2, 3).state_dict(), "epoch": 3}
    sound = save(tmp_path / "c.pt", state, _use_new_zipfile_serialization=zipped).read_bytes()
    random, refused = np.random.default_rng(0), 0
    for _ in range(300):
        content = bytearray(sound)
        for at in random.integers(0, len(content), random.integers(1, 5)):
            content[at] = random.integers(256)
        (tmp_path / "c.pt").write_bytes(content)
        with suppress(UserError):
            read = tensors_of(tmp_path / "c.pt")
            for entry in read.tensors:
                read.read(entry)
            continue
        refused += 1
    assert refused

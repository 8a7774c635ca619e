"""ONNX models are read in another process: whatever happens to it is a sentence, and its numbers arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from clock import Within
from models.test_onnx import make_model, random_constants, wrap
from onnx import TensorProto, helper

from lstmtui.__main__ import main
from lstmtui.errors import UserError
from lstmtui.models.onnx import process as onnx_process
from lstmtui.models.onnx.file import onnx_file
from lstmtui.models.onnx.process import read_onnx_file

CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.onnx import process as onnx_process; "
)


def write(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def sound(folder: Path) -> Path:
    return write(folder, make_model("GRU", random_constants("GRU", 1, "WRB")))


def rich_model() -> onnx.ModelProto:
    """A layer of two nodes, one with constant states and lengths, one that works a state out, one refused."""
    constants = {
        **{f"{k}1": v for k, v in random_constants("LSTM", 2, "WRBhc").items()},
        "L": np.array([6, 4], np.int32),
        **{f"{k}2": v for k, v in random_constants("GRU", 1, "WR").items()},
        "zero": np.zeros((1, 2, 4), np.float32),
    }
    nodes = [
        helper.make_node(
            "LSTM", ["X", "W1", "R1", "B1", "L", "h1", "c1"], ["a"], hidden_size=4, direction="bidirectional"
        ),
        helper.make_node("ReduceMean", ["X"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("GRU", ["X", "W2", "R2", "", "", "mean"], ["b"], name="größe", hidden_size=4),
        helper.make_node("GRU", ["X", "W2", "R2", "", "", "X"], ["c"], hidden_size=4, direction="reverse"),
        helper.make_node("RNN", ["X", "W2", "R2"], ["d"], hidden_size=4, activations=["Affine"]),
        helper.make_node("RNN", ["X", "nowhere", "R2"], ["e"], hidden_size=4),
    ]
    return wrap(nodes, constants, tuple("abcde"))


def test_what_comes_from_the_other_process_is_what_this_one_reads(tmp_path: Path) -> None:
    path = write(tmp_path, rich_model())
    their_file, our_file = read_onnx_file(path), onnx_file(path)
    assert replace(their_file, layers=()) == replace(our_file, layers=())
    theirs, ours = their_file.layers, our_file.layers
    assert [str(layer) for layer in theirs] == [str(layer) for layer in ours]
    assert len(ours) == 5
    for their, own in zip(theirs, ours, strict=True):
        assert (their.path, their.layout, their.wrong, their.notes) == (
            own.path, own.layout, own.wrong, own.notes,
        )  # fmt: skip
        for a, b in zip(their.nodes, own.nodes, strict=True):
            for field in fields(b):
                np.testing.assert_equal(getattr(a, field.name), getattr(b, field.name))
                assert type(getattr(a, field.name)) is type(getattr(b, field.name))


def child_that(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """In place of onnx's reader."""
    reader = f"def read(path):\n    {does}\nonnx_process.onnx_file = read"
    code = CHILD + f"exec({reader!r}); sys.exit(onnx_process.answer(path, int(memory)))"
    monkeypatch.setattr(onnx_process, "_CHILD", code)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"failed on it \(SIGSEGV\)"),
        ("import os; os._exit(7)", r"failed on it \(status 7\)"),
        ("import os; print('noise', flush=True); os._exit(0)", r"failed on it \(status 0\)"),
        ("bytearray(1 << 40)", "takes more memory to read than a model of its size can need"),
        ("raise SystemError('internal')", "not a readable ONNX model: SystemError in the onnx package"),
    ],
)
def test_a_reader_that_dies_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    monkeypatch.setattr(onnx_process, "MEMORY", 1 << 30)
    child_that(monkeypatch, does)
    with pytest.raises(UserError, match=rf"^model\.onnx.*{said}"):
        read_onnx_file(sound(tmp_path))


@pytest.mark.clock
def test_a_reader_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: Within
) -> None:
    monkeypatch.setattr(onnx_process, "SECONDS", 1)
    child_that(monkeypatch, "import time; time.sleep(60)")
    with within(30), pytest.raises(UserError, match=r"model\.onnx: reading it was given up after 1 seconds"):
        read_onnx_file(sound(tmp_path))


def test_a_constant_that_asks_for_the_machines_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_process, "MEMORY", 1 << 30)
    model = make_model("GRU", random_constants("GRU", 1, "WR"))
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.dims[:] = [1 << 28]
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "hole.bin"
    with (tmp_path / "hole.bin").open("wb") as hole:
        hole.truncate(1 << 30)
    with pytest.raises(UserError, match="takes more memory to read"):
        read_onnx_file(write(tmp_path, model))


def test_it_works_from_a_folder_that_is_gone_and_imports_nothing_from_there(tmp_path: Path) -> None:
    path, folder = sound(tmp_path), tmp_path / "folder"
    folder.mkdir()
    (folder / "onnx.py").write_text("raise SystemExit(3)")
    command = [sys.executable, "-P", "-m", "lstmtui", "check", str(path)]
    for gone in (False, True):
        prepare = f"import os, shutil, sys; shutil.rmtree({str(folder)!r})" if gone else "import os, sys"
        code = f"{prepare}; os.execv(sys.executable, {command!r})"
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "1 recurrent layer" in ended.stdout


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_check_says_it_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    child_that(monkeypatch, f"import os; os.kill(os.getpid(), {int(signal.SIGABRT)})")
    path = sound(tmp_path)
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert said == f"{path}: is not a readable ONNX model: the onnx package failed on it (SIGABRT)\n"
    assert os.listdir(tmp_path) == ["model.onnx"]

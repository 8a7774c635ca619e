"""Files too large to be read are refused by their size, and thousands of mistakes are counted, at once."""

from __future__ import annotations

import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clock import Within

from lstmtui.__main__ import main
from lstmtui.scenario.files import CHARACTERS_LIMIT
from lstmtui.scenario.numbers.characters import to_ids

SECONDS = 10.0
"""Far above the two seconds that a quiet machine takes at most, and far below reading such a file."""


def sparse(path: Path, size: int, head: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.clock
@pytest.mark.parametrize(
    ("name", "size", "head", "said"),
    [
        ("d.txt", 5 << 30, b"text", "the file has 5,120 MiB; at most 32 MiB are read"),
        ("d.csv", 5 << 30, b"1\n2\n", "the file has 5,120 MiB; at most 512 MiB are read"),
        ("d.tsv", 500 << 20, b"1\n2\n", "the line has more than 16,777,216 characters"),
        ("d.npy", 4 << 30, npy_header((1 << 28, 1), "<f8"), "at most 33,554,432 numbers"),
        ("d.npy", 5 << 30, npy_header((1 << 28,), "<i8"), "at most 33,554,432 numbers"),
    ],
)
def test_a_sparse_file_of_gigabytes_is_refused_unread(
    problem: Callable[..., str],
    tmp_path: Path,
    within: Within,
    name: str,
    size: int,
    head: bytes,
    said: str,
) -> None:
    sparse(tmp_path / name, size, head)
    with within(SECONDS):
        assert said in problem(f'[input]\nfile = "{name}"\n')


@pytest.mark.clock
@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "it is in PyTorch's old format and larger than 4 GiB"),
        (pickle.dumps({"of": "another kind"}), "it is in PyTorch's old format and larger than 4 GiB"),
    ],
    ids=["zeros", "a pickle"],
)
def test_a_sparse_checkpoint_of_gigabytes_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], within: Within, head: bytes, said: str
) -> None:
    sparse(tmp_path / "m.pt", 64 << 30, head)
    pytest.importorskip("torch")  # whose import takes its time
    with within(SECONDS):
        assert main(["check", str(tmp_path / "m.pt")]) == 2
    assert said in capsys.readouterr().err


def test_a_checkpoint_whose_description_has_no_end_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmtui.models.checkpoints.pickle.LARGEST_PICKLE", 1 << 20)
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", bytes((1 << 20) + 1))
    assert main(["check", str(tmp_path / "m.pt")]) == 2
    assert "what describes its tensors has more than 1 MiB" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="the size of the process is Linux's VmHWM")
def test_the_largest_text_takes_less_than_a_gibibyte(tmp_path: Path) -> None:
    code = (
        "import re; from lstmtui.scenario.numbers.characters import to_ids;"
        f"ids, known = to_ids('abcdé\\n' * ({CHARACTERS_LIMIT} // 7), None); assert known == '\\nabcdé';"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 1 << 20


@pytest.mark.parametrize("vocabulary", [None, "cab\U0010ffff"])
def test_ids_are_places_in_the_vocabulary(vocabulary: str | None) -> None:
    ids, known = to_ids("abca", vocabulary)
    assert "".join(known[i] for i in ids[:, 0]) == "abca"
    assert (ids.dtype, ids.shape) == (np.int64, (4, 1))


def write_tensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A .safetensors file of zeros, its numbers a hole."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    sparse(path, 8 + len(text) + end, len(text).to_bytes(8, "little") + text)


@pytest.mark.clock
@pytest.mark.parametrize(
    ("count", "names", "lines", "last"),
    [
        (50_000, ("weight_ih_l0", "weight_hh_l0"), 102, "  and 49,900 more that can be debugged"),
        (2_000, ("weight_hh_l0", "bias_hh_l0"), 22, "  and 1,980 more that cannot be debugged"),
        (2_000, ("weight", "bias"), 0, ""),
    ],
)
def test_a_checkpoint_of_thousands_of_tensors_is_listed_in_part(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    within: Within,
    count: int,
    names: tuple[str, ...],
    lines: int,
    last: str,
) -> None:
    write_tensors(tmp_path / "a.safetensors", {f"b.{i}.{n}": (4, 1) for i in range(count) for n in names})
    with within(SECONDS):
        assert main(["check", str(tmp_path / "a.safetensors")]) == (0 if lines > 100 else 2)
    said = capsys.readouterr()
    assert said.out.count("\n") == lines
    assert said.out.endswith(last + "\n" if last else "")
    assert ("no recurrent layer" in said.err) == (not lines)


@pytest.mark.clock
@pytest.mark.parametrize("zipped", [True, False])
def test_a_few_tensors_of_very_many_that_torch_saved_are_found_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], within: Within, zipped: bool
) -> None:
    torch = pytest.importorskip("torch")
    number = torch.zeros(1)
    state = {f"encoder.{i}.weight": number.clone() for i in range(20_000)} | torch.nn.GRU(2, 3).state_dict()
    torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with within(1.5):
        assert main(["check", str(tmp_path / "a.pt")]) == 2
    assert "it holds encoder.0.weight" in capsys.readouterr().out


@pytest.mark.clock
def test_a_checkpoint_of_very_many_layers_that_torch_saved_is_listed_in_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], within: Within
) -> None:
    torch = pytest.importorskip("torch")
    state = {f"l{i}.weight_{which}h_l0": torch.zeros(4, 1) for i in range(30_000) for which in "ih"}
    torch.save(state, tmp_path / "a.pt")
    with within(3):
        assert main(["check", str(tmp_path / "a.pt")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 102
    assert said[0].endswith("30,000 recurrent layers")
    assert said[1] == "  l0: lstm 1 → 1, no bias; taken as lstm from its shapes"
    assert said[-1] == "  and 29,900 more that can be debugged"


@pytest.mark.parametrize("kind", ["zip", "old", "views", "safetensors"])
def test_a_checkpoint_of_more_tensors_than_any_model_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("lstmtui.models.checkpoints.archive.MOST_MEMBERS", 150)
    monkeypatch.setattr("lstmtui.models.checkpoints.tensor_pickle.MOST_TENSORS", 140)
    monkeypatch.setattr("lstmtui.scenario.numbers.tensors.MOST_TENSORS", 140)
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pt")
    names = [f"l{i}.weight_{which}h_l0" for i in range(80) for which in "ih"]
    if kind == "safetensors":
        write_tensors(path, dict.fromkeys(names, (4, 1)))
    else:
        torch = pytest.importorskip("torch")
        number = torch.zeros(4, 1)
        state = {name: number[:] if kind == "views" else number.clone() for name in names}
        torch.save(state, path, _use_new_zipfile_serialization=kind != "old")
    assert main(["check", str(path)]) == 2
    assert re.search("it has more than (524,288 tensors|150 members)$", capsys.readouterr().err.strip())


@pytest.mark.clock
def test_a_scenario_of_ten_megabytes_is_answered_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], within: Within
) -> None:
    with within(SECONDS):
        for size, status_lines in ((10_000_000, 1), (900_000, 21)):
            (tmp_path / "a.toml").write_bytes(b"".join(b"key%07d = 1\n" % i for i in range(size // 15)))
            assert main(["check", str(tmp_path / "a.toml")]) == 2
            said = capsys.readouterr().err.splitlines()
            assert len(said) == status_lines
            assert ("more problems" in said[-1]) == (status_lines > 1)


HEADERS = {
    "a token that never ends": "{'descr': '<f4', 'fortran_order': False, 'shape': (3,}",
    "deep": "(" * 4000,
    "a name that no text has": "{'descr': [('\\ud800', '<f4')], 'fortran_order': False, 'shape': (3,)}",
    "a kind that is none": "{'descr': 'nonsense', 'fortran_order': False, 'shape': (3,)}",
    "an endless number": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}",
    "text within text": "{'descr': '<f4', 'fortran_order': '''",
    "an indent": "  \n {\n    'descr'",
    "zero bytes": "\0" * 40,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_numpy_stumbles_over_is_a_sentence(
    problem: Callable[..., str], tmp_path: Path, header: str
) -> None:
    data = header.encode() + b"\n"
    whole = b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data + bytes(12)
    (tmp_path / "d.npy").write_bytes(whole)
    assert "the array" in problem('[input]\nfile = "d.npy"\n')
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", whole)
    said = problem('[input]\nfile = "d.npz"\n')
    assert "the array" in said
    assert said.isprintable()


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_of_every_compression_are_a_sentence(
    problem: Callable[..., str], tmp_path: Path, kind: int
) -> None:
    path, stream = tmp_path / "d.npz", io.BytesIO()
    np.save(stream, np.random.default_rng(0).standard_normal((50, 2)))
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("x.npy", stream.getvalue())
    sound = path.read_bytes()
    for at in range(35, 200, 15):
        path.write_bytes(sound[:at] + bytes(b ^ 0xFF for b in sound[at : at + 8]) + sound[at + 8 :])
        assert is_said(problem('[input]\nfile = "d.npz"\n'))


def is_said(said: str) -> bool:
    return "is not a readable .npz file" in said or "the header of the array is broken" in said


@pytest.mark.parametrize("change", [(6, 1), (8, 99), (8, 95)], ids=["encrypted", "unknown", "another"])
def test_a_member_that_zipfile_cannot_read_is_a_sentence(
    problem: Callable[..., str], tmp_path: Path, change: tuple[int, int]
) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((3, 1)))
    data = bytearray((tmp_path / "d.npz").read_bytes())
    at, value = change
    data[at] = value
    data[data.index(b"PK\x01\x02") + at + 2] = value
    (tmp_path / "d.npz").write_bytes(data)
    assert "is not a readable .npz file: damaged, or encrypted" in problem('[input]\nfile = "d.npz"\n')

"""Data files of every kind, sound, mistaken and hostile."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lstmtui.scenario import Problem


def _file(name: str, more: str = "") -> str:
    return f'[input]\nfile = "{name}"\n{more}'


def test_named_columns_are_read_by_their_names(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("month,up,down\n1949-01,1,2\n1949-02,3,\n1949-03,nan,-inf\n")
    source = load(_file("d.csv", 'columns = ["down", "up"]')).input
    np.testing.assert_array_equal(source.values[:, 0], [[2, 1], [np.nan, 3], [-np.inf, np.nan]])
    assert source.labels == ("down", "up")


def test_columns_by_position_need_no_header(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,1\nb,2\n")
    source = load(_file("d.csv", "columns = [1]")).input
    np.testing.assert_array_equal(source.values[:, 0, 0], [1, 2])
    assert source.labels == ("column 1",)


def test_header_is_found_without_columns(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_bytes(b"\xef\xbb\xbfa\tb\r\n1\t2\r\n\r\n3\t4\r\n")
    source = load(_file("d.tsv")).input
    np.testing.assert_array_equal(source.values[:, 0], [[1, 2], [3, 4]])
    assert source.labels == ("a", "b")


def test_whole_numbers_of_a_csv_can_be_tokens(load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("3\n1\n")
    source = load(_file("d.csv", 'as = "tokens"\nvocabulary_size = 5')).input
    np.testing.assert_array_equal(source.tokens, [[3], [1]])
    assert source.size == 5


def test_mistaken_cells_are_named_by_line_and_column(
    problems: Callable[..., tuple[Problem, ...]], tmp_path: Path
) -> None:
    (tmp_path / "d.csv").write_text("n,s\n1,x\n" + "abc,x\n" * 7 + "1\n")
    found = [str(problem).rpartition("/")[2] for problem in problems(_file("d.csv", 'columns = ["n"]'))]
    assert found[0] == "d.csv:3: column n: 'abc' is not a number"
    assert found[4] == "d.csv:7: column n: 'abc' is not a number"
    assert found[5] == "d.csv: and 3 more problems"
    assert len(found) == 6


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('columns = ["passenger"]', "3: input.columns[0]: there is no column 'passenger'; allowed: month, "),
        ("columns = [7]", "3: input.columns[0]: there is no column 7; allowed: names, or positions from 0"),
        ("columns = []", "3: input.columns: is empty; names, or positions counted from 0"),
        ('array = "x"', "3: input.array: does not go with a .csv file; goes with .npz, .safetensors"),
    ],
)
def test_mistaken_columns(
    problems: Callable[..., tuple[Problem, ...]], tmp_path: Path, more: str, said: str
) -> None:
    (tmp_path / "d.csv").write_text("month,passengers\n1,2\n")
    assert str(problems(_file("d.csv", more))[0]).split("a.toml:")[1].startswith(said)


def test_misspelt_column_is_suggested(problem: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("month,passengers\n1,2\n")
    assert problem(_file("d.csv", 'columns = ["pasengers"]')).endswith('did you mean "passengers"?')


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 3)])
@pytest.mark.parametrize("dtype", ["f8", ">f4", "f2", "i2", "u1", "?"])
def test_npy_of_every_shape_and_number_type(
    load: Callable[..., Any], tmp_path: Path, shape: tuple[int, ...], dtype: Any
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "d.npy", np.asfortranarray(array))
    values = load(_file("d.npy")).input.values
    np.testing.assert_array_equal(values, array.reshape(4, shape[1] if len(shape) == 3 else 1, -1))
    assert values.dtype == np.float64


def test_array_of_an_npz_is_chosen_by_name(
    load: Callable[..., Any], problem: Callable[..., str], tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "d.npz", one=np.ones(2), two=np.full(3, 2.0))
    assert load(_file("d.npz", 'array = "two"')).input.steps == 3
    assert problem(_file("d.npz")).startswith("2: input.file: the file holds 2 arrays; choose with array")
    assert problem(_file("d.npz", 'array = "tow"')).endswith('did you mean "two"?')


def test_safetensors_half_precision_is_read_exactly(load: Callable[..., Any], tmp_path: Path) -> None:
    halves = np.array([1.5, -2.25], dtype=np.float16)
    save_file({"x": halves}, tmp_path / "d.safetensors")
    np.testing.assert_array_equal(load(_file("d.safetensors")).input.values[:, 0, 0], halves)
    bits = (halves.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "d.safetensors").write_bytes(_safetensors({"x": ("BF16", [2], [0, 4])}, bits))
    np.testing.assert_array_equal(load(_file("d.safetensors")).input.values[:, 0, 0], halves)


def test_text_file_is_its_characters_without_the_last_line_break(
    load: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "d.txt").write_bytes("aβ\r\na\n".encode())
    source = load(_file("d.txt")).input
    assert source.labels == ("␊", "a", "β")
    np.testing.assert_array_equal(source.tokens[:, 0], [1, 2, 0, 1])


def test_tokens_of_an_npy_are_time_by_batch(load: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([[0, 1], [2, 0], [1, 1]]))
    source = load(_file("d.npy", 'as = "tokens"')).input
    assert (source.steps, source.batch, source.size) == (3, 2, 3)


def _npy(header: str) -> bytes:
    body = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def _safetensors(entries: dict[str, tuple[str, list[int], list[int]]], data: bytes = b"") -> bytes:
    header = {k: {"dtype": d, "shape": s, "data_offsets": o} for k, (d, s, o) in entries.items()}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        array = _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }") + bytes(8)
        archive.writestr(zipfile.ZipInfo("x.npy"), array)  # without the time: its bytes are in a test's name
    data = bytearray(buffer.getvalue())
    place = data.find(b"PK\x01\x02") + 24
    data[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.npy", b"", "the file is empty"),
        ("d.npy", b"\x93NUMPY", "the header of the array is broken"),
        ("d.npy", _npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"), "the array holds object"),
        ("d.npy", _npy("{'descr': '<c16', 'fortran_order': False, 'shape': (2,), }"), "holds complex128"),
        ("d.npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"), "the array is cut off"),
        ("d.npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999, 99999), }"), "at most"),
        ("d.npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }") + bytes(8), "has shape ()"),
        ("d.npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }"), "has shape (0,)"),
        ("d.npy", _npy("__import__('os')"), "the header of the array is broken"),
        ("d.npz", b"PK nothing", "is not a readable .npz file"),
        ("d.npz", _bomb(), "the array has 4,294,967,280 bytes; at most"),
        ("d.safetensors", b"abc", "is not a readable .safetensors file: header too small"),
        ("d.safetensors", (1 << 60).to_bytes(8, "little") + b"{}", "its header claims 1,152,9"),
        ("d.safetensors", (2).to_bytes(8, "little") + b"[]", "invalid JSON in header"),
        ("d.safetensors", _safetensors({"x": ("F32", [2], [0, 8])}), "not a readable .safetensors"),
        ("d.safetensors", _safetensors({"x": ("F32", [3], [0, 8])}, bytes(8)), "not a readable .safetensors"),
        ("d.safetensors", _safetensors({"x": ("F8_E4M3", [1], [0, 1])}, bytes(1)), "'x' is of dtype F8_E4M3"),
        ("d.safetensors", _safetensors({"x": ("F32", [-1], [0, 8])}, bytes(8)), "invalid JSON in header"),
        ("d.csv", b"\xff\xfe1", "is not UTF-8 text"),
        ("d.csv", b"a,b\n", "has no rows of numbers"),
        ("d.csv", b'"' + b"1\n" * 200_000, "cannot be read: field larger than field limit"),
        ("d.txt", b"a\n\xff", "line 2 is not UTF-8 text"),
        ("d.pkl", b"x", ".pkl files are not read; allowed: .csv, .tsv, .npy"),
    ],
)
def test_broken_files_are_one_clear_problem(
    problem: Callable[..., str], tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in problem(_file(name))


def test_pickled_arrays_are_never_unpickled(problem: Callable[..., str], tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "the array holds object" in problem(_file("d.npy"))


@pytest.mark.parametrize("name", ["d.csv", "d.npy", "d.npz", "d.safetensors", "d.txt"])
def test_missing_files_folders_and_pipes_are_refused(
    problem: Callable[..., str], tmp_path: Path, name: str
) -> None:
    assert "no such file" in problem(_file(name))
    (tmp_path / name).mkdir()
    assert "is a folder, not a file" in problem(_file(name))
    (tmp_path / name).rmdir()
    os.mkfifo(tmp_path / name)
    assert "is not a regular file" in problem(_file(name))


def test_device_files_are_refused(problem: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "d.txt").symlink_to("/dev/zero")
    assert "is not a regular file" in problem(_file("d.txt"))


def test_file_name_with_a_nul_is_refused(problem: Callable[..., str]) -> None:
    assert "its name is not a file name" in problem('[input]\nfile = "a\\u0000.csv"')

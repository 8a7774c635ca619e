"""A data file of any kind we read, as an array with named channels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.closest import closest
from lstmtui.scenario.limits import MAX_DATA
from lstmtui.scenario.numbers.delimited import read_delimited
from lstmtui.scenario.numbers.numpy_files import choose, read_npy, read_npz
from lstmtui.scenario.numbers.sound_files import read_wav, why_no_sound
from lstmtui.scenario.numbers.tensors import TensorFile
from lstmtui.scenario.problem import one_of, short, shown
from lstmtui.scenario.report import DataError

if TYPE_CHECKING:
    from lstmtui.arrays import Array

NUMERIC = (".csv", ".tsv", ".npy", ".npz", ".safetensors", ".wav")
KINDS = (*NUMERIC, ".txt")


def read_data(
    folder: Path, file: str, columns: list[Any] | None = None, array: str | None = None
) -> tuple[Array, tuple[str, ...] | None]:
    """Read numbers from a file.

    Args:
        folder: what `file` is relative to.
        file: a .csv, .tsv, .npy, .npz, .safetensors or .wav file.
        columns: of a .csv or .tsv file; of a .wav file its channels.
        array: of a .npz or .safetensors file.

    Returns:
        the array as it is stored, and the columns' names where the file has columns.

    Raises:
        DataError: the file cannot be used.
    """
    path = folder / file
    kind = file_kind(file, NUMERIC)
    if kind in (".csv", ".tsv"):
        return read_delimited(path, str(path), columns)
    if kind == ".npy":
        return read_npy(path), None
    if kind == ".npz":
        return read_npz(path, array), None
    if kind == ".wav":
        return read_wav(path, columns).samples, None
    tensors = TensorFile(path)
    name = choose(list(tensors.tensors), array)
    if math.prod(tensors.tensors[name].shape) > MAX_DATA:
        raise DataError(f"{shown(name)} has more than {MAX_DATA:,} numbers")
    return tensors.read(name), None


def file_kind(file: str, kinds: tuple[str, ...] = KINDS) -> str:
    """The lower-case suffix of a file's name.

    Raises:
        DataError: it is not one of `kinds`.
    """
    kind = Path(file).suffix.lower()
    if kind not in kinds:
        wrong = f"{short(kind)} files are not read" if kind else "the file name has no suffix"
        sound = why_no_sound(kind) if ".wav" in kinds else ""
        raise DataError(wrong, sound or one_of(kinds), "" if sound else closest(kind, kinds))
    return kind

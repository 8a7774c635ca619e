"""[input]: one source of sequences, read, checked and brought into shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lstmtui.printable import printable
from lstmtui.scenario.files import file_size, read_text
from lstmtui.scenario.limits import MAX_VOCABULARY
from lstmtui.scenario.numbers.characters import repeated, to_ids
from lstmtui.scenario.numbers.data import file_kind, read_data
from lstmtui.scenario.numbers.nested_lists import depth_of, to_array, to_sequences
from lstmtui.scenario.numbers.sound_files import read_wav
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import DataError, Report
from lstmtui.scenario.scenario import Input, Stream
from lstmtui.scenario.schema import InputTable
from lstmtui.scenario.sequences import id_input, number_input, token_input, whole_numbers
from lstmtui.scenario.task_input import TaskInput, read_task
from lstmtui.scenario.tasks import TASKS, TaskData
from lstmtui.scenario.validation import unknown_key, validate

SOURCES = ("file", "text", "tokens", "values", "task")
_STREAM = ("chunk", "context", "state")
_KEYS = {
    "file": ("columns", "array", "as", "normalize", "vocabulary", "vocabulary_size", *_STREAM),
    "text": ("vocabulary", *_STREAM),
    "tokens": ("vocabulary_size", *_STREAM),
    "values": ("normalize", *_STREAM),
    "task": ("length", "batch", "seed"),
}


@dataclass(frozen=True)
class Source:
    """The input, and the task it comes from, if any."""

    input: Input
    task: TaskData | None = None
    drawn_from: TaskInput | None = None
    """What more sequences of the task can be drawn from."""


def read_input(raw: Mapping[str, Any], folder: Path, report: Report) -> Source | None:
    """Read [input]; None where its problems leave nothing to go on with.

    Args:
        raw: the table.
        folder: what file names are relative to.
        report: gets every problem.
    """
    table, broken = validate(InputTable, raw, ("input",), report)
    kinds = [source for source in SOURCES if source in raw]
    if len(kinds) > 1:
        report.add(
            ("input", kinds[1]), f"there is {kinds[0]} already", "exactly one of " + ", ".join(SOURCES)
        )
    meant = _check_keys(raw, kinds[0] if kinds else "", report)
    if not kinds and not (meant | broken).intersection(SOURCES):
        report.add(("input",), "does not say what the input is", "exactly one of " + ", ".join(SOURCES))
    if len(kinds) != 1 or kinds[0] in broken:
        return None
    try:
        source = _READERS[kinds[0]](table, folder, report)
        return None if source is None else replace(source, input=_streamed(source.input, table, report))
    except DataError as error:
        # A position in what a file says is one of the chosen columns.
        key = "columns" if kinds[0] == "file" and error.within else kinds[0]
        report.add_error(("input", key), error)
        return None


def _streamed(source: Input, table: InputTable, report: Report) -> Input:
    """The input with how it is streamed."""
    if table.chunk is None and table.context:
        report.add(("input", "context"), "goes with chunk, which is not given", "say chunk = …")
    if table.chunk is None and table.state is None:
        return source
    return replace(source, stream=Stream(table.chunk or 0, table.context or 0, table.state or {}))


def _check_keys(raw: Mapping[str, Any], source: str, report: Report) -> set[str]:
    """Report keys that are unknown or belong to another source; gives what misspelt ones meant."""
    own = _KEYS.get(source, ())
    task = raw.get("task")
    if source == "task" and isinstance(task, str) and task in TASKS:
        own = (*own, *TASKS[task].options)
    every = {key for keys in _KEYS.values() for key in keys}
    every |= {option for task in TASKS.values() for option in task.options}
    meant = set()
    for key in raw:
        if key in own or key in SOURCES:
            continue
        if key in every and source:
            does_not = f"goes with {_owners(key)}, the input here is {source}"
            report.add(("input", key), does_not, one_of(own))
        elif key not in every:
            meant.add(unknown_key(("input", key), (*SOURCES, *(own or sorted(every))), report))
    return meant


def _owners(key: str) -> str:
    owners = [source for source, keys in _KEYS.items() if key in keys]
    owners += [f'task = "{task.name}"' for task in TASKS.values() if key in task.options]
    return " or ".join(owners)


def _from_file(table: InputTable, folder: Path, report: Report) -> Source | None:
    assert table.file is not None
    kind = file_kind(table.file)
    file_size(folder / table.file)
    _check_file_keys(table, kind, report)
    if kind == ".txt":
        return _from_characters(read_text(folder / table.file).removesuffix("\n"), table, report)
    if kind == ".wav":
        sound = read_wav(folder / table.file, table.columns or None)
        source = number_input(sound.samples, None, table.normalize or "none", None)
        return Source(replace(source, sound_rate=sound.rate))
    array, names = read_data(folder, table.file, table.columns or None, table.array)
    if array.dtype == bool:
        array = array.astype(np.float64)
    if table.as_ == "tokens":
        return Source(id_input(whole_numbers(array), None, table.vocabulary_size))
    return Source(number_input(array, None, table.normalize or "none", names))


def _check_file_keys(table: InputTable, kind: str, report: Report) -> None:
    """Report keys that a file of this kind does not have."""
    fitting = {
        "columns": (".csv", ".tsv", ".wav"),
        "array": (".npz", ".safetensors"),
        "vocabulary": (".txt",),
        "as_": (".csv", ".tsv", ".npy", ".npz", ".safetensors"),
        "normalize": (".csv", ".tsv", ".npy", ".npz", ".safetensors", ".wav"),
    }
    for key, kinds in fitting.items():
        if getattr(table, key) is not None and kind not in kinds:
            report.add(
                ("input", key.rstrip("_")), f"does not go with a {kind} file", f"goes with {', '.join(kinds)}"
            )
    if table.columns is not None and not table.columns:
        report.add(("input", "columns"), "is empty", "names, or positions counted from 0")
    if table.vocabulary_size is not None and table.as_ is None:
        report.add(
            ("input", "vocabulary_size"), "goes with tokens", 'say as = "tokens" for numbers that are ids'
        )
    if table.as_ is not None and table.normalize is not None:
        report.add(("input", "normalize"), "does not go with tokens")


def _from_text(table: InputTable, folder: Path, report: Report) -> Source | None:
    assert table.text is not None
    return _from_characters(table.text, table, report)


def _from_characters(text: str, table: InputTable, report: Report) -> Source | None:
    if table.vocabulary is not None:
        twice = repeated(table.vocabulary)
        if twice or not table.vocabulary:
            wrong = f"holds {shown(twice)} twice" if twice else "is empty"
            report.add(("input", "vocabulary"), wrong, "each character once")
            return None
        if len(table.vocabulary) > MAX_VOCABULARY:
            report.add(("input", "vocabulary"), f"has more than {MAX_VOCABULARY:,} characters")
            return None
    ids, vocabulary = to_ids(text, table.vocabulary)
    return Source(token_input(ids, None, tuple(printable(character) for character in vocabulary)))


def _from_tokens(table: InputTable, folder: Path, report: Report) -> Source | None:
    assert table.tokens is not None
    if not table.tokens:
        raise DataError("there are no tokens")
    if depth_of(table.tokens) > 1:
        ids, lengths = to_sequences(table.tokens, whole=True)
    else:
        ids, lengths = to_array(table.tokens, whole=True)[:, None], None
    return Source(id_input(ids, lengths, table.vocabulary_size))


def _from_values(table: InputTable, folder: Path, report: Report) -> Source | None:
    assert table.values is not None
    if not table.values:
        raise DataError("there are no values")
    method = table.normalize or "none"
    if depth_of(table.values) == 3:
        values, lengths = to_sequences(table.values)
        return Source(number_input(values, lengths, method, None))
    return Source(number_input(to_array(table.values), None, method, None))


def _from_task(table: InputTable, folder: Path, report: Report) -> Source | None:
    assert table.task is not None
    task = read_task(table.task, table.model_extra or {}, report)
    return None if task is None else source_of(task, task.draw())


def source_of(task: TaskInput, data: TaskData) -> Source:
    """Sequences of a task as an input."""
    if data.tokens is not None:
        return Source(token_input(data.tokens, None, data.labels), data, task)
    assert data.values is not None
    return Source(number_input(data.values, None, "none", data.labels), data, task)


_READERS: dict[str, Callable[[InputTable, Path, Report], Source | None]] = {
    "file": _from_file,
    "text": _from_text,
    "tokens": _from_tokens,
    "values": _from_values,
    "task": _from_task,
}

"""target = …: what the output is compared with, as (T, B, O) numbers or (T, B) ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.closest import closest
from lstmtui.scenario.numbers.data import read_data
from lstmtui.scenario.numbers.nested_lists import depth_of, to_array, to_sequences
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError, Report
from lstmtui.scenario.scenario import Input
from lstmtui.scenario.schema import TargetTable
from lstmtui.scenario.validation import validate

_PLACE = ("objective", "target")
_KINDS = '"next", values, or { file = … }'


def read_target(
    raw: Any, source: Input | None, single: bool, ids: bool, folder: Path, report: Report
) -> tuple[Array, Array] | None:
    """Read a target; None where it has problems.

    Args:
        raw: what the file says.
        source: the input it belongs to; None where that has problems, and only the target itself is checked.
        single: the loss is taken at one timestep, for which alone the target may be given.
        ids: the target is ids (cross_entropy).
        folder: what file names are relative to.
        report: gets every problem.

    Returns:
        the target, and (T, B) bool: the timesteps that have one.
    """
    try:
        if isinstance(raw, str):
            if raw != "next":
                raise DataError(f"is {shown(raw)}", "allowed: " + _KINDS, closest(raw, ("next",)))
            return _next(source, ids) if source else None
        table = _values_of(raw, ids, folder, report)
        if table is None or source is None:
            return None
        values, lengths = table
        target = _fitted(values, source, single, ids)
    except DataError as error:
        inside = isinstance(raw, Mapping) and error.within
        report.add_error((*_PLACE, "columns") if inside else _PLACE, error)
        return None
    if lengths is not None and not np.array_equal(lengths, _lengths(source)):
        report.add(_PLACE, "its sequences are not as long as those of the input")
        return None
    return target, within_lengths(source)


def within_lengths(source: Input) -> Array:
    """(T, B) bool: the timesteps each sequence has."""
    within: Array = np.arange(source.steps)[:, None] < _lengths(source)
    return within


def _lengths(source: Input) -> Array:
    return np.full(source.batch, source.steps) if source.lengths is None else source.lengths


def _next(source: Input, ids: bool) -> tuple[Array, Array]:
    if ids != (source.tokens is not None):
        wrong = "the next value is not an id" if ids else "the next token is an id"
        raise DataError(wrong, "use mse" if ids else "use cross_entropy")
    data = source.tokens if source.values is None else source.values
    assert data is not None
    target = np.zeros_like(data)
    target[:-1] = data[1:]
    defined = np.arange(source.steps)[:, None] < _lengths(source) - 1
    if not defined.any():
        raise DataError("there is no next timestep: every sequence has only one")
    return target, defined


def _values_of(raw: Any, ids: bool, folder: Path, report: Report) -> tuple[Array, Array | None] | None:
    """The target in the shape it is given in, time first, with lengths where they differ; None where the
    table's own mistakes have been reported."""
    if isinstance(raw, Mapping):
        table, broken = validate(TargetTable, raw, _PLACE, report)
        if table.file is None and "file" not in broken:
            raise DataError("names no file", "allowed: " + _KINDS)
        if table.file is None:
            return None
        array, _ = read_data(folder, table.file, table.columns, table.array)
        return (_ids(array) if ids else array.astype(np.float64)), None
    if isinstance(raw, bool) or not isinstance(raw, list | int | float):
        raise DataError(f"is {shown(raw)}", "allowed: " + _KINDS)
    if raw == []:
        raise DataError("is an empty list", "allowed: " + _KINDS)
    if isinstance(raw, list) and depth_of(raw) == (2 if ids else 3):
        together, lengths = to_sequences(raw, whole=ids)
        return together, np.full(len(raw), len(together)) if lengths is None else lengths
    return to_array(raw, whole=ids), None


def _ids(array: Array) -> Array:
    whole = array.dtype.kind in "iub" or bool(np.isfinite(array).all() and (array == np.floor(array)).all())
    if not whole or (array.size and (array.min() < 0 or array.max() >= 1 << 31)):
        raise DataError("ids must be whole numbers, 0 or more, and the file holds others")
    return array.astype(np.int64)


def _fitted(target: Array, source: Input, single: bool, ids: bool) -> Array:
    """The target for every timestep and sequence, from one of the shapes it may be given in."""
    steps, batch = source.steps, source.batch
    inner = () if ids else (-1,)
    if not target.size:
        raise DataError("is empty")
    if target.ndim == 0:
        value = target if ids else target[None]
        return np.broadcast_to(value, (steps, batch, *value.shape)).copy()
    if target.shape[:2] == (steps, batch) and target.ndim == (2 if ids else 3):
        return target
    if batch == 1 and len(target) == steps and target.ndim <= (1 if ids else 2):
        return target.reshape(steps, 1, *inner)
    if single and target.shape[0] == batch and target.ndim == (1 if ids else 2):
        return np.broadcast_to(target, (steps, *target.shape)).copy()
    if single and batch == 1 and not ids and target.ndim == 1:
        return np.broadcast_to(target, (steps, 1, len(target))).copy()
    outputs = "" if ids else ", O"
    allowed = f"allowed: ({steps}, {batch}{outputs}), as (T, B{outputs})"
    if single:
        allowed += f", or ({batch}{outputs}) for the one timestep"
    raise DataError(f"has shape {target.shape}", allowed)

"""Numbers from .csv and .tsv files."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.closest import closest
from lstmtui.printable import printable
from lstmtui.scenario.files import LONGEST_LINE, TEXT_LIMIT, open_file
from lstmtui.scenario.limits import MAX_DATA
from lstmtui.scenario.problem import Problem, one_of, short, shown
from lstmtui.scenario.report import DataError
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST = 5
"""How many problems of one data file are said; beyond that only their number."""


@dataclass
class _Cells:
    """The selected columns of the rows read so far."""

    file: str
    positions: list[int]
    names: list[str]
    width: int
    numbers: array[float] = field(default_factory=lambda: array("d"))
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def wrong(self, line: int, key: str, sentence: str) -> None:
        self.count += 1
        if self.count <= MOST:
            self.problems.append(Problem(self.file, line, key, sentence))

    def take(self, row: Sequence[str], line: int) -> None:
        """Append one row; an empty cell is NaN."""
        if len(row) != self.width:
            self.wrong(line, "", f"has {len(row)} fields, the first row has {self.width}")
            return
        for position, name in zip(self.positions, self.names, strict=True):
            number = _number(row[position])
            if number is None:
                self.wrong(line, f"column {name}", f"{shown(row[position])} is not a number")
            else:
                self.numbers.append(number)

    def raise_if_wrong(self) -> None:
        if self.count > MOST:
            self.problems.append(
                Problem(self.file, None, "", f"and {counted(self.count - MOST, 'more problem')}")
            )
        if self.problems:
            raise DataError("holds mistakes", problems=tuple(self.problems))


def read_delimited(path: Path, file: str, columns: list[Any] | None) -> tuple[Array, tuple[str, ...]]:
    """Read columns of a .csv (commas) or .tsv (tabs) file.

    A first row that is not numbers is the header. An empty cell is NaN; `nan` and `inf` are numbers.

    Args:
        path: the file.
        file: its name in messages.
        columns: names from the header, or positions counted from 0; None: every column.

    Returns:
        (T, I) float64, and the columns' names.

    Raises:
        DataError: the file or a selected cell cannot be read.
    """
    import numpy as np

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    raw, _ = open_file(path, TEXT_LIMIT)
    with raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(_lines(text), delimiter=delimiter)
        try:
            cells = _read(reader, file, columns)
        except UnicodeDecodeError:
            problem = Problem(file, reader.line_num + 1, "", "is not UTF-8 text")
            raise DataError("is not UTF-8 text", problems=(problem,)) from None
        except (csv.Error, OSError) as error:
            problem = Problem(file, reader.line_num, "", f"cannot be read: {short(str(error))}")
            raise DataError("cannot be read", problems=(problem,)) from None
    cells.raise_if_wrong()
    if not cells.numbers:
        raise DataError(f"{short(path.name)} has no rows of numbers")
    return np.array(cells.numbers).reshape(-1, len(cells.positions)), tuple(cells.names)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file, none of which may be as long as to fill the memory."""
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise csv.Error(f"the line has more than {LONGEST_LINE:,} characters")
        yield line


def _read(reader: Any, file: str, columns: list[Any] | None) -> _Cells:
    """All rows; `reader` is what `csv.reader` gives."""
    rows: Iterator[list[str]] = (row for row in reader if row)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{short(Path(file).name)} has no rows of numbers")
    by_name = any(isinstance(column, str) for column in columns or ())
    positions = _positions(first, columns)
    has_header = by_name or any(_number(first[position]) is None for position in positions)
    names = [
        printable(first[p].strip()) if has_header and first[p].strip() else f"column {p}" for p in positions
    ]
    cells = _Cells(file, positions, names, len(first))
    if not has_header:
        cells.take(first, reader.line_num)
    for row in rows:
        cells.take(row, reader.line_num)
        if len(cells.numbers) > MAX_DATA:
            raise DataError(
                f"{short(Path(file).name)} has more than {MAX_DATA:,} numbers",
                "choose fewer columns or rows",
            )
    return cells


def _positions(first: list[str], columns: list[Any] | None) -> list[int]:
    """The positions of the selected columns, given the first row."""
    header = [name.strip() for name in first]
    if columns is None:
        return list(range(len(header)))
    positions = []
    for index, column in enumerate(columns):
        if isinstance(column, str):
            if column not in header:
                names = one_of(short(name) for name in header[:20])
                meant = short(closest(column, header))
                raise DataError(f"there is no column {shown(column)}", names, meant, within=(index,))
            if header.count(column) > 1:
                raise DataError(
                    f"there are {header.count(column)} columns {shown(column)}",
                    "choose by position, counted from 0",
                    within=(index,),
                )
            positions.append(header.index(column))
        elif isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(header):
            positions.append(column)
        else:
            raise DataError(
                f"there is no column {shown(column)}",
                f"allowed: names, or positions from 0 to {len(header) - 1}",
                within=(index,),
            )
    return positions


def _number(cell: str) -> float | None:
    cell = cell.strip()
    if not cell:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None

"""The lines of a function with values beside them: nothing of a value is cut, and text stays text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise

import pytest
from source_traces import FIRST_LINE, TEXT, source_trace

from lstmtui.analysis.source_at import source_at
from lstmtui.analysis.unit_values import numbers_at
from lstmtui.cells.notation import UNICODE
from lstmtui.trace.source import Function
from lstmtui.tui.panels.listing import Listing, Value, cells, fitted
from lstmtui.tui.panels.row_label import RowLabel, whole_blocks
from lstmtui.tui.panels.source_step import SourceStep
from lstmtui.tui.panels.values import value_lines
from lstmtui.tui.source_code import LARGEST_TEXT, code_lines
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.view import View


def text_of(spans) -> str:
    return "".join(text for text, _ in spans)


def rows_at(width: int, *, folded: bool = False, changed: Collection[str] = ()) -> list[str]:
    trace = source_trace()
    view = View.of(trace)
    code = source_at(view)
    assert code is not None
    assert view.layer.source is not None
    shown = SourceStep(code, view.layer.source, view.cursor, UNICODE, changed=changed).listings()
    return [text_of(row) for row in fitted(shown, width, Look(), folded=folded)[0]]


@pytest.mark.parametrize("width", [24, 28, 38, 58, 76, 198])
def test_every_value_is_whole_and_ends_in_one_column(width: int) -> None:
    rows = rows_at(width)
    assert all(len(row) <= width for row in rows)
    numbers = ("−0.076", "−1.07", "0.482", "−1.80", "−0.201", "−9.0e−3", "2")
    ends = {len(row) for row in rows for number in numbers if row.endswith(f" {number}")}
    assert len(ends) == 1
    assert sum(row.endswith(tuple(f" {number}" for number in numbers)) for row in rows) >= len(numbers)


def test_where_there_is_room_code_and_values_are_both_whole() -> None:
    rows = rows_at(100)
    assert any("i, o = torch.sigmoid(z_i), torch.sigmoid(z_o)" in row for row in rows)
    assert any("h_prev, c_prev, S_prev = state" in row and "h_prev ← new_h" in row for row in rows)
    assert not any("…" in row for row in rows)


def test_folded_there_are_the_lines_that_bind_a_name() -> None:
    rows = rows_at(100, folded=True)
    assert not any("for _ in range(3)" in row for row in rows)
    assert any(row.startswith("  29         u = relax(u, g)") and "u 3/3" in row for row in rows)


def test_what_a_what_if_has_set_says_so() -> None:
    rows = rows_at(100, changed={"f"})
    assert [row for row in rows if " set to " in row] == [row for row in rows if "f set to     0.482" in row]
    assert sum(" set to " in row for row in rows) == 1


def test_numbers_say_why_there_is_no_derivative_and_where_a_name_is_not_bound() -> None:
    view = View.of(source_trace())
    assert view.layer.source is not None
    reasons = {variable.name: variable.absent for variable in view.layer.source.variables}
    for t, noise in ((0, "no gradient: detached"), (1, "not bound")):
        numbers = numbers_at(replace(view, cursor=replace(view.cursor, t=t)))
        rows = [text_of(row) for row in value_lines(numbers, UNICODE, 60, reasons, changed=False)]
        ends = {row.split()[0]: row for row in rows}
        assert ends["best"].endswith("no gradient: integer")
        assert ends["noise"].endswith(noise)
        assert "gradient" not in ends["new_h"]
        narrow = [text_of(row) for row in value_lines(numbers, UNICODE, 48, reasons, changed=False)]
        assert max(map(len, narrow)) <= 48
        assert next(row for row in narrow if row.startswith("best")).endswith("  integer")


def test_what_was_raised_stands_below_its_line() -> None:
    code = (((("a = 1", "text"),)), ((("b = a", "text"),)))
    listing = Listing(code, 7, {7: [Value("a", "text", "1.00")]}, 8, {8: "ValueError: no [more] than two"})
    rows, marked = fitted([listing], 24, Look())
    assert [text_of(row).rstrip() for row in rows] == [
        "  7 a = 1  a      1.00",
        "▸ 8 b = a",
        "    ValueError: no",
        "    [more] than two",
    ]
    assert marked == 3


def test_code_is_coloured_once_and_every_character_is_kept() -> None:
    function = Function("f", "f.py", FIRST_LINE, TEXT)
    names = (("f", quantity_role("f")), ("new_h", quantity_role("new_h")))
    lines = code_lines(function, names)
    assert code_lines(function, names) is lines
    assert [text_of(line) for line in lines] == [line[4:] for line in TEXT.rstrip().split("\n")]
    roles = {role for line in lines for text, role in line if text == "new_h"}
    assert roles == {quantity_role("new_h")}
    assert ("def", "code-keyword") in lines[0]
    assert any(role == "code-comment" for line in lines for _, role in line)


def test_a_name_on_self_has_its_colour_only_there() -> None:
    lines = code_lines(Function("f", "f.py", 1, "self.z = z\nother.z = 1\n"), (("self.z", "h"),))
    assert [[role for text, role in line if text == "z"] for line in lines] == [["h", "text"], ["text"]]


def test_hostile_text_stays_on_its_line_and_says_nothing_to_the_terminal() -> None:
    text = "def f():\n\ta = '\x1b]0;x\x07'\r\n\x0c\n    b\r= 1  # \u202e\n" + "c" * 5_000 + "\n"
    lines = code_lines(Function("f", "<string>", 1, text), ())
    assert len(lines) == 5
    assert all(text_of(line).isprintable() for line in lines)
    assert max(map(cells, lines)) <= 500
    plain = code_lines(Function("f", "<string>", 1, "x = 1\n" * (LARGEST_TEXT // 5)), ())
    assert {role for line in plain for _, role in line} == {"text"}
    assert code_lines(Function("f", "<string>", 1, ""), ()) == ()


def test_earlier_values_of_a_name_have_its_colour_and_other_names_one_that_stays() -> None:
    assert quantity_role("f_1") == quantity_role("f")
    names = [f"name{letter}" for letter in "abcdefgh"]
    assert len({quantity_role(name) for name in names}) > 3
    assert any(quantity_role(a) != quantity_role(b) for a, b in pairwise(names))
    assert quantity_role("error") not in ("error", "warning")


@pytest.mark.parametrize(
    ("shape", "rows", "expected"),
    [((12,), 5, 5), ((2, 2, 3), 5, 4), ((2, 7), 13, 2), ((9, 4), 5, 5), ((3, 1), 8, 3), ((), 4, 4)],
)
def test_units_that_share_a_row_are_of_one_head(shape: tuple[int, ...], rows: int, expected: int) -> None:
    assert whole_blocks(shape, rows) == expected


def test_a_label_says_the_shape_and_where_each_head_begins() -> None:
    label = RowLabel("memory", "", "±1.80", (2, 2, 3), 3, {0: "0", 2: "1"})
    assert [text_of(line) for line in label.lines(9, 4, Look())] == [
        "memory 0 ",
        "±1.80    ",
        "2×2×3  1 ",
        "        ▸",
    ]
    label = RowLabel("h", "4 ", "", (8,), 1, {0: "0", 1: "2"})
    assert [text_of(line) for line in label.lines(8, 2, Look())] == ["4 h   0 ", "      2▸"]

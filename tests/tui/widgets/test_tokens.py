from __future__ import annotations

import pytest
from rich.cells import cell_len

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.tokens import TokenStrip, fit_cell


@pytest.mark.parametrize(
    ("label", "width", "cell"),
    [
        ("a", 1, "a"),
        ("hello", 1, "h"),
        ("日", 1, "·"),
        ("日本", 3, "日 "),
        ("日本", 4, "日  "),
        ("hello", 4, "hel "),
        ("", 2, "  "),
        ("🧑", 1, "·"),
        ("\x1b[2J", 6, "␛[2J  "),
        ("\n", 1, "␊"),
    ],
)
def test_a_label_fills_exactly_its_cell(label: str, width: int, cell: str):
    assert fit_cell(label, width, Look()) == cell
    assert cell_len(cell) == width


def test_wide_and_joining_characters_move_no_other_token():
    labels = ["a", "日", "e\u0301", "👨\u200d👩", "\u200f", "z"]
    for width in (6, 12, 18, 30):
        strip = TokenStrip(Look())
        strip.lay_out(width, 1)
        strip.set_tokens(labels)
        text = strip.render_line(0).text
        x, _ = ColumnMap(6, width).cell_of(5)
        assert cell_len(text[: text.index("z")]) == x
        assert cell_len(text) == width


def test_what_stands_for_several_tokens_leaves_no_gap_that_looks_like_a_blank():
    strip = TokenStrip(Look())
    strip.lay_out(13, 1)
    strip.set_tokens(["·"] * 6 + ["z"] * 3)
    assert strip.render_line(0).text.startswith("·········z")


def test_ascii_tokens_are_ascii():
    assert fit_cell("日", 1, Look(ascii=True)).isascii()
    assert fit_cell("…", 2, Look(ascii=True)).isascii()

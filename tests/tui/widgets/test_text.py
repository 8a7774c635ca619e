from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.style import Style

from lstmtui.tui.theme import Look, style_for
from lstmtui.tui.widgets import text_lines
from lstmtui.tui.widgets.lane_head import LaneHead, Swatches
from lstmtui.tui.widgets.spans import crop, segments, wrap
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.tui.widgets.text_lines import TextLines


def test_text_too_long_ends_in_an_ellipsis():
    spans = (("abc", "f"), ("日本語", "i"), ("def", "text"))
    assert crop(spans, 12, Look()) == spans
    assert "".join(t for t, _ in crop(spans, 7, Look())) == "abc日…"
    assert "".join(t for t, _ in crop(spans, 7, Look(ascii=True))) == "abc???~"
    assert crop(spans, 0, Look()) == ()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9, 80])
def test_wrapping_loses_no_word_and_keeps_to_the_width(width: int):
    spans = (("the quick ", "text"), ("brown", "f"), (" fox jumps over", "text"))
    lines = wrap(spans, width, Look())
    assert all(sum(cell_len(t) for t, _ in line) <= width for line in lines)
    joined = "".join(t for line in lines for t, _ in line)
    assert joined.replace(" ", "") == "thequickbrownfoxjumpsover"
    if width == 9:
        assert ["".join(t for t, _ in line).rstrip() for line in lines] == [
            "the quick",
            "brown fox",
            "jumps",
            "over",
        ]


@pytest.mark.parametrize("mark", [("▸ ", "cursor"), ("  ", "cursor"), ("  ", "text")])
def test_a_marked_line_is_indented_as_those_beside_it(mark: tuple[str, str]):
    first, second = wrap((mark, ("one two three", "text")), 9, Look())
    assert "".join(text for text, _ in second) == "  three"
    assert sum(cell_len(text) for text, _ in first) == 9


def test_escape_sequences_never_reach_the_terminal():
    drawn = segments([("\x1b]0;title\x07\x1b[31mred\u202e\n", "text")], Look())
    assert "".join(s.text for s in drawn).isprintable()


def test_neighbours_of_one_style_become_one_segment():
    drawn = segments([("a", "f"), ("b", "f_pre"), (" ", "text"), ("c", "df")], Look())
    assert [s.text for s in drawn] == ["ab c"]


def test_only_changed_lines_are_sent_and_only_from_the_change(refreshed):
    lines = TextLines(Look())
    lines.lay_out(20, 3)
    lines.set_lines([(("f = 0.870", "f"),), (("i = 0.101", "i"),), (("o", "o"),)])
    strips = [lines.render_line(y) for y in range(3)]
    regions = refreshed(lines)
    lines.set_lines([(("f = 0.870", "f"),), (("i = 0.111", "i"),), (("o", "o"),)])
    assert [(r.x, r.y, r.width) for r in regions] == [(7, 1, 1)]
    assert [lines.render_line(y) is strips[y] for y in range(3)] == [True, False, True]


def test_scrolling_shows_a_whole_line_and_stops_at_the_end(text):
    lines = TextLines(Look(), wraps=True)
    lines.lay_out(6, 3)
    lines.set_lines([((word, "text"),) for word in ("one", "two", "three four", "five", "six")])
    assert text(lines) == ["one   ", "two   ", "three "]
    lines.scroll_to_line(2)
    assert text(lines) == ["two   ", "three ", "four  "]
    assert lines.clicked(0, 2).line == 2
    lines.scroll_to_row(99)
    assert text(lines) == ["four  ", "five  ", "six   "]
    lines.set_lines([(("one", "text"),)])
    assert (text(lines), lines.top) == (["one   ", "      ", "      "], 0)


def test_a_line_is_wrapped_once_and_again_only_for_another_width_or_look(text, monkeypatch):
    wrapped = []

    def counted(line, width, look):
        wrapped.append("".join(t for t, _ in line))
        return wrap(line, width, look)

    monkeypatch.setattr(text_lines, "wrap", counted)
    lines = TextLines(Look(), wraps=True)
    lines.lay_out(6, 3)
    lines.set_lines([((word, "text"),) for word in ("one", "two", "three four", "five")])
    lines.scroll_to_row(2)
    lines.set_lines([((word, "text"),) for word in ("one", "2·", "three four", "five")])
    assert wrapped == ["one", "two", "three four", "five", "2·"]
    lines.look = Look(ascii=True)
    lines.update()
    lines.scroll_to_row(0)
    assert text(lines) == ["one   ", "2*    ", "three "]
    lines.lay_out(10, 3)
    assert text(lines) == ["one       ", "2*        ", "three four"]


def test_a_status_line_that_says_the_same_sends_nothing(refreshed, text):
    status = StatusLine(Look())
    status.lay_out(16, 1)
    status.set_spans([("t=9/99", "cursor"), ("  loss 0.1", "muted")])
    assert text(status) == ["t=9/99  loss 0.1"]
    regions = refreshed(status)
    status.set_spans([("t=9/99", "cursor"), ("  loss 0.1", "muted")])
    assert regions == []
    status.set_spans([("t=8/99", "cursor"), ("  loss 0.1", "muted")])
    assert [(r.x, r.width) for r in regions] == [(2, 1)]


def test_the_cursor_hides_nothing_that_stands_in_a_title() -> None:
    head = LaneHead(Look())
    head.set_text(
        ["2 Gates"], [((" log_a −0.036 ", "f"), Swatches("diverging"), (" A ── x", "h"))], "12 units"
    )
    plain = cells(head)
    for column in range(60):
        head.set_cursor(column)
        changed = [
            at for at, (before, after) in enumerate(zip(plain, cells(head), strict=True)) if before != after
        ]
        assert changed == ([column] if plain[column] == ("─", style_for("rule", Look())) else [])


def cells(head: LaneHead) -> list[tuple[str, Style]]:
    (key,) = head.line_keys(60, 1)
    return [(c, s.style or Style.null()) for s in head.draw_line(key, 60) for c in s.text]

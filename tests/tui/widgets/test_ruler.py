from __future__ import annotations

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.ruler import Ruler


def ruler(look: Look, width: int = 17) -> Ruler:
    made = Ruler(look)
    made.lay_out(width, 1)
    return made


def test_cursor_breakpoints_and_hits_are_three_signs(text):
    for look, expected in ((Look(), "┴10────▼20┴○──   "), (Look("none", True), "+10----V20+o--   ")):
        made = ruler(look)
        made.set(10, 24, ColumnMap(14, 14), cursor=17, breakpoints={99}, hits={21, 3})
        assert text(made) == [expected]


def test_the_cursor_is_never_hidden_by_other_marks(text):
    made = ruler(Look())
    made.set(0, 17, cursor=3, breakpoints=range(17), hits=range(17))
    assert text(made) == ["●0●▼●●●●●●●10●●●●"]


def test_where_marks_are_everywhere_the_digits_of_ticks_stay_and_are_underlined(text):
    for look in (Look(), Look("16"), Look("none", True)):
        made = ruler(look, 30)
        made.set(40, 70, hits=range(40, 70), cursor=62)
        assert text(made)[0][11:13] == "50"
        assert "61" not in text(made)[0]
        digits = [s for s in made.render_line(0) if s.text == "50"]
        assert [s.style is not None and s.style.underline for s in digits] == [True]
        signs = [s for s in made.render_line(0) if "o" in s.text or "○" in s.text]
        assert not any(s.style is not None and s.style.underline for s in signs)


def test_a_number_makes_way_for_the_cursor_and_for_single_marks(text):
    made = ruler(Look("none", True), 30)
    made.set(40, 70, cursor=51)
    assert text(made) == ["+40-----50+V--------+60-------"]
    made.set(40, 70, cursor=41, breakpoints={62})
    assert text(made) == ["+V--------+50-----60+-*-------"]


def test_ticks_have_their_timesteps_a_round_number_apart(text):
    made = ruler(Look("none", True), 40)
    made.set(95, 135, ColumnMap(40, 40), cursor=110)
    assert text(made) == ["-----+100------V110------+120------+130-"]
    made.set(0, 8, ColumnMap(8, 40), cursor=1)
    assert text(made) == ["--+0---V----+2--------+4--------+6------"]


def test_a_move_sends_only_what_lies_between_old_and_new_cursor(refreshed):
    made = ruler(Look())
    made.set(0, 17, cursor=3)
    made.render_line(0)
    regions = refreshed(made)
    made.move(4)
    assert [(r.x, r.y, r.width) for r in regions] == [(3, 0, 2)]
    made.move(4)
    assert len(regions) == 1


def test_the_page_text_stands_at_the_right_unless_marks_are_there(text):
    made = ruler(Look("none", True), 20)
    made.set(0, 20, cursor=3, text="2/9")
    assert text(made) == ["+0-V------+10--- 2/9"]
    made.move(18)
    assert text(made) == ["+0--------+10-----V-"]
    made.set(0, 10, ColumnMap(10, 10), text="2/9")
    assert text(made) == ["+0--------       2/9"]


def test_nothing_is_drawn_before_there_is_a_page(text):
    assert text(ruler(Look())) == [" " * 17]

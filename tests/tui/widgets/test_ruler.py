from __future__ import annotations

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.ruler import Ruler


def ruler(look: Look, width: int = 17) -> Ruler:
    made = Ruler(look)
    made.lay_out(width, 1)
    return made


def test_cursor_breakpoints_and_hits_are_three_signs(text):
    for look, expected in ((Look(), "──●────▼───○──   "), (Look("none", True), "--*----V---o--   ")):
        made = ruler(look)
        made.set(10, 24, ColumnMap(14, 14), cursor=17, breakpoints={12, 99}, hits={21, 3})
        assert text(made) == [expected]


def test_the_cursor_is_never_hidden_by_other_marks(text):
    made = ruler(Look())
    made.set(0, 17, cursor=3, breakpoints=range(17), hits=range(17))
    assert text(made) == ["●●●▼●●●●●●●●●●●●●"]


def test_binned_timesteps_share_a_column(text):
    made = ruler(Look("none", True), 10)
    made.set(0, 1000, ColumnMap(10, 10), cursor=999, breakpoints={0, 550})
    assert text(made) == ["*----*---V"]


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
    assert text(made) == ["---V------------ 2/9"]
    made.move(18)
    assert text(made) == ["------------------V-"]
    made.set(0, 10, ColumnMap(10, 10), text="2/9")
    assert text(made) == ["----------       2/9"]


def test_nothing_is_drawn_before_there_is_a_page(text):
    assert text(ruler(Look())) == [" " * 17]

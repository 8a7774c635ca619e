"""Panel 7: watches, what-ifs and breakpoints on screen, worked from the keyboard, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from keyboard import press, type_text
from synthetic import synthetic
from textual.pilot import Pilot

from lstmtui.expressions import Expression, scope_of
from lstmtui.trace import Traces
from lstmtui.tui.panels.watches import WatchesPanel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.start import Start
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.ruler import Marks, ruler_spans

SIZES = [(120, 40), (80, 24)]


def debugging(pilot: Pilot[None]) -> DebuggerScreen:
    """The debugger's screen."""
    assert isinstance(pilot.app.screen, DebuggerScreen)
    return pilot.app.screen


def listed(pilot: Pilot[None]) -> list[str]:
    """The rows of panel 7 as they are on screen."""
    panel = debugging(pilot).panels[7]
    assert isinstance(panel, WatchesPanel)
    assert panel.on_screen
    lines = panel.lines
    return [lines.render_line(y).text.rstrip() for y in range(lines.size.height)][: len(lines._lines)]


def ruler(pilot: Pilot[None]) -> str:
    """What the ruler below the lanes shows."""
    return debugging(pilot).panels.ruler.ruler.render_line(0).text


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_breakpoints_are_set_hit_both_ways_and_counted(size: tuple[int, int], debugger, shown) -> None:
    async with debugger(synthetic(steps=40), size) as pilot:
        session = debugging(pilot).session
        assert listed(pilot) == ["none yet: w watch   b break"]
        await type_text(pilot, "bt == 12 or t == 30\n:break at 20\n")
        assert listed(pilot) == ["  ● 1 t == 12 or t == 30", "  ● 2 t = 20"]
        for key, t in (("c", 12), ("c", 20), ("c", 30), ("c", 39), ("C", 30), ("C", 20), ("C", 12), ("C", 0)):
            await press(pilot, key)
            assert session.cursor.t == t
        assert listed(pilot) == ["  ● 1 t == 12 or t == 30  4×", "  ● 2 t = 20  2×"]
        await press(pilot, "c")
        assert "breakpoint 1" in shown(pilot).splitlines()[-1]


@pytest.mark.parametrize("ascii", [False, True])
async def test_the_ruler_shows_where_breakpoints_are_and_where_they_hold(ascii: bool, debugger) -> None:
    async with debugger(synthetic(steps=10), (120, 40), ascii=ascii) as pilot:
        at, hit = ("*", "o") if ascii else ("●", "○")
        assert at not in ruler(pilot)
        assert hit not in ruler(pilot)
        await type_text(pilot, ":break at 4\n:break when t == 7 or t == 8\n")
        assert (ruler(pilot).count(at), ruler(pilot).count(hit)) == (1, 2)
        await type_text(pilot, ":disable 2\n")
        assert (ruler(pilot).count(at), ruler(pilot).count(hit)) == (1, 0)
        await type_text(pilot, ":delete 1\n:enable 2\n")
        assert (ruler(pilot).count(at), ruler(pilot).count(hit)) == (0, 2)


def test_a_mark_on_the_ruler_is_over_its_timestep() -> None:
    marks = Marks(20, 30, cursor=21, breakpoints=frozenset({24}), hits=frozenset({29}))
    columns = ColumnMap(10, 10)
    assert "".join(text for text, _ in ruler_spans(marks, columns, 10, Look())) == "┴▼──●────○"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_in_the_panel_a_line_is_chosen_switched_and_deleted(size: tuple[int, int], debugger) -> None:
    async with debugger(synthetic(), size) as pilot:
        await type_text(pilot, "wt\n:break at 3\n:break at 5\n")
        assert not any("▸" in row for row in listed(pilot))
        await type_text(pilot, "7")
        assert listed(pilot) == ["▸ t = 0", "  ● 1 t = 3", "  ● 2 t = 5"]
        await type_text(pilot, "[]]]]")
        assert listed(pilot)[2] == "▸ ● 2 t = 5"
        await type_text(pilot, "e")
        assert listed(pilot)[2] == "▸ ○ 2 t = 5"
        await type_text(pilot, "e[e")
        assert listed(pilot)[1:] == ["▸ ○ 1 t = 3", "  ● 2 t = 5"]
        await type_text(pilot, "x")
        assert listed(pilot) == ["  t = 0", "▸ ● 2 t = 5"]
        await type_text(pilot, "[e")
        assert listed(pilot) == ["▸ t = 0", "  ● 2 t = 5"]
        for _ in range(3):
            await type_text(pilot, "x")
        assert listed(pilot) == ["none yet: w watch   b break"]
        session = debugging(pilot).session
        assert (len(session.watches), len(session.breakpoints)) == (0, 0)


async def test_the_chosen_line_stays_in_sight_in_a_long_list(debugger) -> None:
    async with debugger(synthetic(), (80, 24)) as pilot:
        for t in range(20):
            debugging(pilot).run_text(f"break at {t}")
        await type_text(pilot, "7" + "]" * 15)
        lines = debugging(pilot).panels[7].lines  # type: ignore[attr-defined]
        rows = [lines.render_line(y).text for y in range(lines.size.height)]
        assert [row.split()[2] for row in rows if row.startswith("▸")] == ["16"]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_watches_follow_the_cursor_and_outlive_a_switch_of_the_model(
    size: tuple[int, int], debugger
) -> None:
    traces = Traces({"a": synthetic("lstm", name="a"), "b": synthetic("gru", name="b", seed=3)})
    async with debugger(traces, size) as pilot:
        session = debugging(pilot).session
        await type_text(pilot, "wt * 2\nwh[1]\nwc[0]\n")

        def value(text: str) -> float:
            return float(Expression(text).evaluate(scope_of(session.view), session.cursor.t))

        seen = set()
        for key in ("l", "l", "end", "h"):
            await press(pilot, key)
            twice, h, c = listed(pilot)
            assert float(twice.split("= ")[1]) == session.cursor.t * 2
            assert float(h.split("= ")[1].replace("−", "-")) == pytest.approx(value("h[1]"), abs=2e-3)
            assert c.startswith("  c[0] = ")
            seen.add(h)
        assert len(seen) > 2
        await press(pilot, "m")
        assert session.cursor.model == "b"
        twice, h, c = listed(pilot)
        assert float(h.split("= ")[1].replace("−", "-")) == pytest.approx(value("h[1]"), abs=2e-3)
        assert " = " not in c
        assert "c" in c
        await press(pilot, "m")
        assert listed(pilot)[2].startswith("  c[0] = ")


@pytest.mark.parametrize("ascii", [False, True])
async def test_long_values_and_long_conditions_are_cropped_to_the_panel(ascii: bool, debugger) -> None:
    async with debugger(synthetic(hidden_size=64), (80, 24), ascii=ascii) as pilot:
        await type_text(pilot, "wc\n:break when " + " or ".join(f"t == {n}" for n in range(30)) + "\n")
        width = debugging(pilot).panels[7].size.width
        rows = listed(pilot)
        assert len(rows) == 2
        for row in rows:
            assert len(row) <= width
            assert row.endswith("~" if ascii else "…")
            assert not ascii or row.isascii()


async def test_breakpoints_and_watches_are_kept_for_the_place_and_not_in_its_file(
    debugger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path / "state"))
    place = tmp_path / "scenario.toml"
    place.write_text("# mine\n")
    start = Start(traces=synthetic(), place=place)
    async with debugger(start, (120, 40)) as pilot:
        await type_text(pilot, "bt == 12 note [bold]here[/]\n:break at 9\nwt + 1\nwt + 2\nc")
        await type_text(pilot, ":disable 2\n:unwatch 1\n")
        assert listed(pilot)[1].startswith('  ● 1 t == 12  says "[bold]')
        before = listed(pilot)
    async with debugger(start, (120, 40)) as pilot:
        first, second, third = listed(pilot)
        assert first == "  t + 2 = 2.00"
        assert second == before[1]
        assert third == "  ○ 2 t = 9"
    async with debugger(Start(traces=synthetic(), place=tmp_path / "other.toml"), (120, 40)) as pilot:
        assert listed(pilot) == ["none yet: w watch   b break"]
    assert place.read_text() == "# mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scenario.toml", "state"]


async def test_a_click_chooses_the_line_under_it(debugger) -> None:
    async with debugger(synthetic(), (120, 40)) as pilot:
        await type_text(pilot, "wt\n:break at 3\n:break at 5\n")
        panel = debugging(pilot).panels[7]
        assert isinstance(panel, WatchesPanel)
        await pilot.click(panel.lines, offset=(4, 1))
        assert listed(pilot) == ["  t = 0", "▸ ● 1 t = 3", "  ● 2 t = 5"]
        await pilot.click(panel.lines, offset=(4, 3))  # below all lines
        await type_text(pilot, "x")
        assert listed(pilot) == ["  t = 0", "▸ ● 2 t = 5"]

"""The topic on colours names those that are drawn."""

from __future__ import annotations

import colorsys

import pytest
from help.tables import tables

from lstmtui.cells import CELLS
from lstmtui.cells.parts import part_in
from lstmtui.help import topic_text
from lstmtui.tui.palette import palette
from lstmtui.tui.theme import Look, role_of, style_for

HUES = {
    **{"blue": (190, 225), "amber": (30, 42), "orange": (12, 30), "green": (140, 185), "pink": (300, 330)},
    **{"yellow": (40, 62), "violet": (230, 260), "red": (-5, 5), "rose": (5, 15), "crimson": (335, 352)},
}
"""Degrees."""


def hue(color: object) -> tuple[float, float]:
    """Degrees, negative ones beside red, and how much of a colour there is."""
    red, green, blue = (part / 255 for part in color.get_truecolor())  # type: ignore[attr-defined]
    at, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
    return (at * 360 if at < 0.98 else at * 360 - 360), saturation


@pytest.mark.parametrize(
    "row", [row for table in tables("colors") for row in table.rows if len(row) == 3 and "`" in row[2]]
)
def test_a_role_has_the_colour_that_is_named(row: list[str]) -> None:
    name, _, role = row
    at, saturation = hue(style_for(role.strip("`"), Look()).color)
    if name in ("white", "grey"):
        assert saturation < 0.2
    else:
        low, high = HUES[name]
        assert low <= at <= high, (name, at)


def test_the_example_of_a_gate_has_its_role() -> None:
    for quantity, role in (
        ("f", "keep"),
        ("r", "gate"),
        ("i", "write"),
        ("z", "write"),
        ("g", "candidate"),
        ("n", "candidate"),
        ("o", "show"),
    ):
        assert part_in(quantity, tuple(CELLS.values()))
        assert role_of(quantity) == role


def test_maps_run_from_the_colours_that_are_named_to_those() -> None:
    gates, states = palette("sequential", Look()).colors, palette("diverging", Look()).colors
    assert 220 <= hue(gates[0])[0] <= 240
    assert 40 <= hue(gates[-1])[0] <= 70
    middle = len(states) // 2
    for level, name in ((1, "blue"), (-2, "orange")):
        assert (
            HUES["blue"][0] <= hue(states[level])[0] <= 225
            if name == "blue"
            else 20 <= hue(states[level])[0] <= 45
        )
    lightness = [sum(color.get_truecolor()) for color in states]
    assert lightness[:middle] == sorted(lightness[:middle], reverse=True)
    assert lightness[middle:] == sorted(lightness[middle:])
    text = topic_text("colors")
    for look in (Look("16"), Look("16", ascii=True)):
        assert f"` {palette('sequential', look).glyphs.strip()}`" in text
        assert f"`{palette('diverging', look).glyphs[:3]}`" in text
        assert f"`{palette('diverging', look).glyphs[4:]}`" in text

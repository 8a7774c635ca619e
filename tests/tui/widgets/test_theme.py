from __future__ import annotations

import pytest
from rich.color import ColorType
from rich.color_triplet import ColorTriplet

from lstmtui.cells import CELLS
from lstmtui.tui.palette import palette
from lstmtui.tui.theme import ROLES, Look, style_for


def lightness(color: ColorTriplet) -> float:
    linear = [(c / 255) ** 2.2 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("system", "depth"),
    [("truecolor", "truecolor"), ("256", "256"), ("standard", "16"), (None, "none"), ("odd", "none")],
)
def test_the_depth_follows_the_console(system, depth):
    assert Look.detect(system).depth == depth


QUANTITIES = sorted({q for cell in CELLS.values() for q in cell.stages} | {"x", "y"})


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_its_value_before_squashing_and_its_derivative_look_alike(name: str):
    look = Look()
    assert style_for(name, look) is not None
    assert {style_for(f"{d}{name}{p}", look) for d in ("", "d") for p in ("", "_pre")} == {
        style_for(name, look)
    }


def test_every_depth_uses_its_own_colours_only():
    types = {"truecolor": {ColorType.TRUECOLOR}, "256": {ColorType.EIGHT_BIT}}
    types["16"] = {ColorType.STANDARD, ColorType.DEFAULT}
    for depth, allowed in types.items():
        assert {style_for(role, Look(depth)).color.type for role in ROLES} <= allowed
    assert {style_for(role, Look("none")).color for role in ROLES} == {None}


@pytest.mark.parametrize("look", [Look(), Look("256")], ids=str)
def test_maps_are_ordered_by_lightness_so_that_no_hue_need_be_told_apart(look: Look):
    rising = [lightness(color.get_truecolor()) for color in palette("sequential", look).colors]
    assert rising == sorted(rising)
    both = [lightness(color.get_truecolor()) for color in palette("diverging", look).colors]
    middle = len(both) // 2
    assert both[: middle + 1] == sorted(both[: middle + 1], reverse=True)
    assert both[middle:] == sorted(both[middle:])
    assert len(both) % 2


def test_where_glyphs_are_needed_every_level_has_its_own():
    for look in (Look("16"), Look("none"), Look(ascii=True), Look("none", ascii=True)):
        for kind in ("sequential", "diverging"):
            chosen = palette(kind, look)
            assert len(set(chosen.glyphs)) == chosen.levels

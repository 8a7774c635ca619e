"""Maps, roles and focus can be read at every depth, on every background, by every eye."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.color import Color
from synthetic import synthetic
from terminal import Terminal

from lstmtui.tui.palette import MARKS, Kind, palette, sign_colors
from lstmtui.tui.theme import ROLES, Look, style_for

RESOLVED = [Look(depth, light=light) for depth in ("truecolor", "256") for light in (False, True)]
"""The looks whose colours do not depend on the terminal's settings."""

# Machado, Oliveira, Fernandes 2009, severity 1.
BLINDNESS = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
POOR_ON_LIGHT = {"white", "bright_white", "bright_yellow", "bright_cyan", "bright_green"}
POOR_ON_DARK = {"black", "bright_black"}


def linear(color: Color) -> NDArray[np.float64]:
    rgb = np.array(color.get_truecolor()) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of linear RGB, D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(to_xyz @ rgb, 0, None) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("look", RESOLVED, ids=str)
def test_every_step_of_a_map_is_a_step_in_lightness(look: Look) -> None:
    rises = -1 if look.light else 1
    rising = [lab(linear(color))[0] for color in palette("sequential", look).colors if color]
    assert (rises * np.diff(rising)).min() >= (3 if look.depth == "256" else 1.5)
    both = [lab(linear(color))[0] for color in palette("diverging", look).colors if color]
    middle = len(both) // 2
    assert (rises * np.diff(both[middle:])).min() >= (7 if look.depth == "256" else 2.4)
    assert (rises * np.diff(both[: middle + 1])).max() <= -(7 if look.depth == "256" else 2.4)


@pytest.mark.parametrize("look", RESOLVED, ids=str)
@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_the_sign_of_a_value_is_seen_by_every_eye(look: Look, blindness: str | None) -> None:
    sight = np.array(BLINDNESS[blindness]) if blindness else np.eye(3)
    seen = [lab(np.clip(sight @ linear(color), 0, 1)) for color in palette("diverging", look).colors if color]
    middle = len(seen) // 2
    for below, above in zip(seen[:middle][::-1], seen[middle + 1 :], strict=True):
        assert np.linalg.norm(below - above) > 10


def test_with_16_colours_everything_reads_on_dark_and_on_light() -> None:
    look = Look("16")
    used = {style_for(role, look).color for role in ROLES}
    for kind in ("sequential", "diverging"):
        used |= set(palette(kind, look).colors)
    used |= set(sign_colors(look))
    assert not {color.name for color in used if color} & (POOR_ON_LIGHT | POOR_ON_DARK)
    negative, positive = sign_colors(look)
    assert negative != positive


@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("look", [Look(a, b) for a in ("16", "none") for b in (False, True)], ids=str)
def test_where_colours_are_few_the_glyph_tells_the_level(kind: Kind, look: Look) -> None:
    chosen = palette(kind, look)
    assert len(set(chosen.glyphs)) == chosen.levels
    assert not look.ascii or chosen.glyphs.isascii()
    assert not set(chosen.glyphs) & set(MARKS.values())


@pytest.mark.parametrize("depth", ["16", "none"])
async def test_the_panel_with_the_focus_is_told_apart_without_colour(
    depth: str, debugger, capture_driver, colours
) -> None:
    colours(depth)
    terminal = Terminal(120, 40)
    async with debugger(synthetic("lstm", 20, 6)) as pilot:
        attributes = []
        for number in (3, 4):
            pilot.app.screen.action_panel(number)
            await pilot.pause()
            terminal.feed(capture_driver.taken())
            row = next(y for y, line in enumerate(terminal.screen.display) if "3 Cell state" in line)
            cell = terminal.screen.buffer[row][terminal.screen.display[row].index("3 Cell")]
            attributes.append((cell.bold, cell.reverse))
        assert attributes[0] != attributes[1]
        assert depth != "none" or attributes[0][1]

"""Text can be read on a dark and on a light background, whose colour the terminal tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from keyboard import press, settle
from rich.color import Color
from synthetic import synthetic
from terminal import Program, Terminal

from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.background import is_light
from lstmtui.tui.start import Start
from lstmtui.tui.theme import ROLES, Look, style_for, theme_of

XTERM = {
    "default": "",
    **{"black": "#000000", "red": "#cd0000", "green": "#00cd00", "yellow": "#cdcd00", "blue": "#0000ee"},
    **{"magenta": "#cd00cd", "cyan": "#00cdcd", "bright_red": "#ff0000", "bright_blue": "#5c5cff"},
    "bright_magenta": "#ff00ff",
}
"""xterm's 16 colours, as far as we use them."""
LOOKS = [Look(depth, light=light) for depth in ("truecolor", "256", "16") for light in (False, True)]
LINES = re.compile(r"[\s▀▄█▌▐▁-▏⠀-⣿─-╿┄┈▸▼●○]")
"""What is no text: maps, plots, rules, signs."""


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """By the Web Content Accessibility Guidelines, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def shown_as(color: Color | None, look: Look) -> str:
    assert color is not None
    if look.depth == "16":
        return XTERM[color.name] or ("#000000" if look.light else "#e5e5e5")
    return "#{:02x}{:02x}{:02x}".format(*color.get_truecolor())


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_role_can_be_read_on_its_background(look: Look) -> None:
    background = theme_of(look).background
    if look.depth == "16":
        background = "#ffffff" if look.light else "#000000"
    least = 4.5 if look.light and look.depth == "truecolor" else 3
    for role in ROLES:
        if role != "rule":
            color = shown_as(style_for(role, look).color, look)
            assert contrast(color, background) >= least, (role, color)


@pytest.mark.parametrize("depth", ["truecolor", "256", "16", "none"])
async def test_a_command_changes_the_theme_of_all_that_is_on_screen(depth: str, colours, debugger) -> None:
    own = (("h", "#123456"),)
    async with debugger(synthetic("lstm", 40, 8), (120, 40), ground=(False, own)) as pilot:
        screen, app = pilot.app.screen, pilot.app
        first = app.look
        for name, is_light, colors in (("light", True, ()), ("dark", False, ()), ("auto", False, own)):
            screen.run_text(f"theme {name}")
            await settle()
            assert (app.look.light, app.look.colors) == (is_light, colors)
            assert app.current_theme.dark is not is_light
            fresh = LstmtuiApp(Start(traces=synthetic("lstm", 40, 8)), ground=(is_light, colors))
            assert app.current_theme == theme_of(fresh.look)
            widgets = [widget for widget in screen.walk_children() if hasattr(widget, "look")]
            assert len(widgets) > 20
            assert {widget.look for widget in widgets} == {app.look}
        assert app.look == first


@pytest.mark.parametrize("light", [False, True])
async def test_all_text_on_screen_can_be_read(light: bool, colours, capture_driver) -> None:
    terminal = Terminal(120, 40)
    app = LstmtuiApp(Start(traces=synthetic("lstm", 40, 8)), ground=(light, ()), driver_class=capture_driver)
    background = theme_of(app.look).background
    assert background is not None
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        for keys in ((), ("question_mark",), ("escape", "t"), ("b",)):
            await press(pilot, *keys)
            await settle()
            terminal.feed(capture_driver.taken())
            read = 0
            for row in terminal.picture:
                for data, fg, bg, *attributes in row:
                    if LINES.fullmatch(str(data)) or attributes[4]:  # reversed
                        continue
                    ink, paper = (f"#{c}" if len(str(c)) == 6 else "" for c in (fg, bg))
                    assert contrast(ink or theme_of(app.look).foreground, paper or background) >= 3, (
                        data,
                        fg,
                        bg,
                    )
                    read += 1
            assert read > 300


WHITE = b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"


@pytest.mark.parametrize(
    ("answer", "variable", "light"),
    [
        (WHITE, None, True),
        (b"\x1b]11;rgb:fd/f6/e3\x07", None, True),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", "0;15", False),
        (b"", "0;15", True),
        (b"", None, False),
    ],
)
def test_a_background_is_what_the_terminal_says_of_it(
    answer: bytes, variable: str | None, light: bool
) -> None:
    code = "from lstmtui.tui.background import is_light; print('It is', 'light' if is_light() else 'dark')"
    with Program([], (80, 24), {"COLORFGBG": variable}, program=("-c", code), background=answer) as program:
        program.wait_for("It is light" if light else "It is dark")


@pytest.mark.parametrize(("answer", "variable", "paper"), [(WHITE, None, "#fbfaf7"), (b"", None, "#12151a")])
def test_the_theme_goes_with_what_the_terminal_says_of_its_background(
    answer: bytes, variable: str | None, paper: str, tmp_path: Path
) -> None:
    saved = str(tmp_path / "run.trace")
    synthetic("lstm", 30, 4).save(saved)
    environment = {"COLORFGBG": variable, "XDG_CONFIG_HOME": str(tmp_path)}
    with Program(["open", saved], (80, 24), environment, background=answer) as program:
        program.wait_for("t=0/29(.|\n)*quit")
        assert program.terminal.picture[0][1][2] == paper[1:]
        program.send("q")
        assert program.end() == 0


def test_the_theme_that_is_named_is_taken_without_asking(tmp_path: Path) -> None:
    saved = str(tmp_path / "run.trace")
    synthetic("lstm", 30, 4).save(saved)
    (tmp_path / "lstmtui").mkdir()
    config = tmp_path / "lstmtui" / "config.toml"
    config.write_text(
        'theme = "dark"\n[themes.sea]\nbase = "light"\nbackground = "#e0f4ff"\naccent = "#003355"\n'
    )
    for options, paper in (([], "12151a"), (["--theme", "light"], "fbfaf7"), (["--theme", "sea"], "e0f4ff")):
        environment = {"XDG_CONFIG_HOME": str(tmp_path)}
        with Program(["open", saved, *options], (80, 24), environment, background=WHITE) as program:
            program.wait_for("t=0/29(.|\n)*quit")
            title = program.terminal.picture[0][1]
            assert title[2] == paper
            assert title[1] == "003355" or paper != "e0f4ff"
            assert b"]11;" not in program.written


def test_a_terminal_that_does_not_answer_is_not_waited_for_long_nor_one_that_is_none() -> None:
    assert not is_light({}, patience=0.01)
    assert is_light({"COLORFGBG": "0;default;15"}, patience=0.01)
    assert not is_light({"COLORFGBG": "15;0"}, patience=0.01)

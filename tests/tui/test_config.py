"""The user's configuration: all that is wrong with it is said, and keys do what they are told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import synthetic
from terminal import Program

from lstmtui.errors import UserError
from lstmtui.tui.config import Config, config_file, load_config
from lstmtui.tui.footer import footer_parts
from lstmtui.tui.key_names import key_label, key_problem, textual_names
from lstmtui.tui.keys import KEYS, bindings, label, remap


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_everything_is_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTMTUI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_config() == Config()
    monkeypatch.setenv("LSTMTUI_CONFIG", str(tmp_path / "mine.toml"))
    assert config_file() == tmp_path / "mine.toml"
    with pytest.raises(UserError, match="there is no such file, which LSTMTUI_CONFIG names"):
        load_config()


def test_what_is_said_is_read(tmp_path: Path) -> None:
    text = 'theme = "sea"\n[themes.sea]\nbase = "light"\nh = "#00508C"\n[keys]\nundo = "U"\nunit_back = []\n'
    config = load_config(written(tmp_path, text))
    assert config.theme == "sea"
    assert config.themes == {"sea": {"base": "light", "h": "#00508C"}}
    assert config.keys == {"undo": ("U", "shift+u"), "unit_back": ()}


def test_every_problem_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'theme = "lihgt"\ncolour = 3\n[themes.dark]\nh = "blue"\n'
        '[themes.sea]\nbase = "pale"\nhh = "#000000"\n'
        '[keys]\nsteep = "x"\nzoom = "ctrl+entr"\nwatch = 3\nplay = "c"\n'
        'layer = ["é", "strg+x"]\npanel = "x"\n',
    )
    with pytest.raises(UserError) as refused:
        load_config(path)
    lines = [line.removeprefix(f"{path}:") for line in str(refused.value).splitlines()]
    begins = [
        "1: theme: is 'lihgt'; allowed: auto, dark, light",
        "2: colour: unknown key; allowed: theme, themes, keys",
        "3: themes.dark: is a theme that is there already",
        "4: themes.dark.h: is 'blue'; a colour is written \"#rrggbb\"",
        "6: themes.sea.base: is 'pale'; allowed: dark, light",
        '7: themes.sea.hh: unknown key; did you mean "h"?',
        '9: keys.steep: unknown key; did you mean "step"?',
        "10: keys.zoom: is 'ctrl+entr'; a key is one character or a name",
        "11: keys.watch: is 3; a key is one character",
        "12: keys.play: c is a key of continue too; give continue another one",
        "13: keys.layer: is 'strg+x'; a key is",
        "14: keys.panel: unknown key",
    ]
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == begins
    assert lines[0].endswith('did you mean "light"?')
    assert lines[6].endswith('did you mean "step"?')
    assert 'did you mean "ctrl+enter"?' in lines[7]


@pytest.mark.parametrize(
    "text", ["keys = 3", "themes = []", "[themes]\nx = 1", "[[keys]]", "x", "\x00", "theme = 1e5"]
)
def test_a_file_of_another_shape_is_a_sentence(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as refused:
        load_config(path)
    assert str(refused.value).startswith(f"{path}:1: ") or text.startswith("[themes]")


@pytest.mark.parametrize(
    ("key", "names", "shown"),
    [
        ("x", ("x",), "x"),
        ("X", ("X", "shift+x"), "X"),
        ("?", ("question_mark",), "?"),
        ("+", ("plus",), "+"),
        ("right", ("right",), "→"),
        ("shift+right", ("shift+right",), "shift+→"),
        ("shift+ctrl+f5", ("ctrl+shift+f5",), "ctrl+shift+f5"),
        ("alt+,", ("alt+comma",), "alt+,"),
    ],
)
def test_a_key_has_a_name_and_a_sign(key: str, names: tuple[str, ...], shown: str) -> None:
    assert key_problem(key) == ""
    assert textual_names(key) == names
    assert key_label(names) == shown


@pytest.mark.parametrize(
    "key", ["", " ", "xy", "ctrl+", "ctrl+ctrl+x", "hyper+x", "ctrl+xy", "\x1b", "++", 3, None]
)
def test_what_nobody_can_press_is_no_key(key: object) -> None:
    assert key_problem(key).startswith("a key is one character or a name")


def test_every_key_of_the_table_can_be_written() -> None:
    for key in KEYS:
        if key.id != "panel":
            assert key_label(key.keys) or not key.keys


def test_other_keys_are_bound_and_shown_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.tui.keys.KEYS", kept := [*KEYS])
    remap({"step": ("x", "right"), "zoom": (), "quit": ("f10",)})
    by_id = {key.id: key for key in kept}
    assert label(by_id["step"]) == "x →"
    pairs = {(binding.key, binding.action) for binding in bindings(kept)}
    assert {("x", "run('step')"), ("right", "run('step')"), ("f10", "program('quit')")} <= pairs
    assert not [pair for pair in pairs if pair[1] == "zoom" or pair[0] in ("q", "ctrl+c")]
    monkeypatch.setattr("lstmtui.tui.footer.KEYS", kept)
    text = "".join(t for spans, _ in footer_parts(None, None, 120, ascii=False) for t, _ in spans)
    assert text.startswith(" x step")
    assert "zoom" not in text
    assert "f10 quit" in text


def test_the_program_obeys_other_keys_and_refuses_wrong_ones(tmp_path: Path) -> None:
    saved = str(tmp_path / "run.trace")
    synthetic("lstm", 30, 4).save(saved)
    environment = {"LSTMTUI_CONFIG": str(written(tmp_path, '[keys]\nstep = "X"\nquit = "f10"\n'))}
    with Program(["open", saved], (80, 24), environment) as program:
        program.wait_for("X step(.|\n)*f10 quit")
        program.send("Xlq\x1b[CX")
        program.wait_for("t=2/29")
        program.send("?")
        program.wait_for(r"▸ X +the next timestep")
        program.send("\x1b")
        program.wait_for("f10 quit")
        program.send("\x1b[21~")
        assert program.end() == 0
    environment = {"LSTMTUI_CONFIG": str(written(tmp_path, '[keys]\nsteep = "X"\nquit = 10\n'))}
    with Program(["open", saved], (80, 24), environment) as program:
        assert program.end() == 2
        said = program.terminal.text.replace("\n", "")
        assert "config.toml:2: keys.steep: unknown key" in said
        assert "config.toml:3: keys.quit: is 10" in said
        assert "Traceback" not in said

"""The user's own configuration: which theme, colours of themes, and keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lstmtui.closest import closest
from lstmtui.errors import UserError
from lstmtui.tui.background import OWN_THEMES
from lstmtui.tui.key_names import key_problem, textual_names
from lstmtui.tui.keys import KEYS, LESSON
from lstmtui.tui.theme import GROUNDS, ROLES

TABLES = ("theme", "themes", "keys")
"""What a configuration may say."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_FIXED = ("panel",)
"""Keys that belong to panels by their number."""


@dataclass(frozen=True)
class Config:
    """The user's choices."""

    theme: str = "auto"
    themes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Colours by role, and `base`, of the user's own themes."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys by the id of what they do."""


def config_file() -> Path:
    """`LSTMTUI_CONFIG`, else config.toml in lstmtui's folder among the user's configuration."""
    path = os.environ.get("LSTMTUI_CONFIG")
    if path:
        return Path(path)
    from platformdirs import user_config_path

    return user_config_path("lstmtui") / "config.toml"


def load_config(path: Path | None = None) -> Config:
    """What stands in the user's file; without one everything is as it comes.

    Raises:
        ScenarioError: with every problem of the file.
        UserError: `LSTMTUI_CONFIG` names a file that is not there.
    """
    path = path or config_file()
    if not path.exists():
        if os.environ.get("LSTMTUI_CONFIG"):
            raise UserError(f"{path}: there is no such file, which LSTMTUI_CONFIG names")
        return Config()
    from lstmtui.scenario.load import parse_toml
    from lstmtui.scenario.problem import Problem, ScenarioError
    from lstmtui.scenario.report import DataError, Report

    try:
        from lstmtui.scenario.files import read_text

        text = read_text(path, 1 << 20)
    except DataError as error:
        raise ScenarioError([Problem(str(path), None, "", error.wrong_of(path))]) from None
    report = Report(str(path), text)
    reader = _Reader(report)
    config = reader.read(parse_toml(str(path), text))
    report.raise_if_any()
    return config


class _Reader:
    """Reads tables, and reports what is wrong with them."""

    def __init__(self, report: Any) -> None:
        self._report = report

    def read(self, raw: Mapping[str, Any]) -> Config:
        for key in raw:
            if key not in TABLES:
                self._unknown((key,), TABLES)
        themes = {
            name: self._theme(("themes", name), colors)
            for name, colors in self._table(raw, "themes").items()
            if self._is_table(("themes", name), colors)
        }
        theme = raw.get("theme", "auto")
        if not isinstance(theme, str) or theme not in (*OWN_THEMES, *themes):
            self._wrong(("theme",), theme, (*OWN_THEMES, *themes))
        for name in set(themes) & set(OWN_THEMES):
            self._report.add(("themes", name), "is a theme that is there already; choose another name")
        return Config(theme, themes, self._keys(self._table(raw, "keys")))

    def _theme(self, at: tuple[str, ...], colors: Mapping[str, Any]) -> dict[str, str]:
        for role, color in colors.items():
            place = (*at, role)
            if role == "base":
                if color not in OWN_THEMES[1:]:
                    self._wrong(place, color, OWN_THEMES[1:])
            elif role not in ROLES and role not in GROUNDS:
                self._unknown(place, ("base", *GROUNDS, *ROLES))
            elif not isinstance(color, str) or not _COLOR.fullmatch(color):
                self._report.add(place, f"is {_shown(color)}", 'a colour is written "#rrggbb"')
        return dict(colors)

    def _keys(self, raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        changes: dict[str, tuple[str, ...]] = {}
        ids = tuple(key.id for key in KEYS if key.id not in _FIXED)
        for name, value in raw.items():
            written = value if isinstance(value, list) else [value]
            if name not in ids:
                self._unknown(("keys", name), ids)
                continue
            for key in written:
                if problem := key_problem(key):
                    self._report.add(("keys", name), f"is {_shown(key)}", problem)
                    break
            else:
                changes[name] = tuple(n for key in written for n in textual_names(key))
        self._clashes(changes)
        return changes

    def _clashes(self, changes: Mapping[str, tuple[str, ...]]) -> None:
        """No two keys of the screen may be one; those of a lesson stand before others."""
        for is_lesson in (False, True):
            owners: dict[str, str] = {}
            keys = [key for key in KEYS if (key.group == LESSON) == is_lesson]
            for key in sorted(keys, key=lambda key: key.id in changes):
                for name in changes.get(key.id, key.keys):
                    other = owners.setdefault(name, key.id)
                    if other != key.id:
                        self._report.add(
                            ("keys", key.id), f"{name} is a key of {other} too", f"give {other} another one"
                        )

    def _table(self, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        table = raw.get(key, {})
        return table if self._is_table((key,), table) else {}

    def _is_table(self, at: tuple[str, ...], value: Any) -> bool:
        if not isinstance(value, dict):
            self._report.add(at, f"is {_shown(value)}", "a table is wanted")
        return isinstance(value, dict)

    def _unknown(self, at: tuple[str, ...], names: tuple[str, ...]) -> None:
        self._report.add(at, "unknown key", f"allowed: {', '.join(names)}", closest(at[-1], names))

    def _wrong(self, at: tuple[str, ...], value: Any, words: tuple[str, ...]) -> None:
        meant = closest(value, words) if isinstance(value, str) else ""
        self._report.add(at, f"is {_shown(value)}", f"allowed: {', '.join(words)}", meant)


def _shown(value: Any) -> str:
    from lstmtui.scenario.problem import shown

    return shown(value)

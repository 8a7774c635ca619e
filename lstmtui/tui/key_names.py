"""Keys as a user writes them, and as Textual calls them."""

from __future__ import annotations

from lstmtui.closest import closest
from lstmtui.tui.compat import character_name

NAMED = (
    *("left", "right", "up", "down", "home", "end", "pageup", "pagedown", "insert", "delete"),
    *("enter", "escape", "tab", "space", "backspace"),
    *(f"f{number}" for number in range(1, 13)),
)
"""Keys that have a name in place of a character."""
MODIFIERS = ("ctrl", "alt", "shift")
_SIGNS = {
    "right": "→",
    "left": "←",
    "down": "↓",
    "up": "↑",
    "enter": "↵",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "escape": "esc",
}


def key_problem(written: object) -> str:
    """What is wrong with a key as a user wrote it, as what is allowed; empty where it can be pressed."""
    allowed = f'a key is one character or a name such as "ctrl+x" or "f5"; names: {", ".join(NAMED)}'
    if not isinstance(written, str):
        return allowed
    *modifiers, key = written.split("+") if len(written) > 1 else [written]
    is_modified = all(modifier in MODIFIERS for modifier in modifiers)
    if is_modified and (key in NAMED or (len(key) == 1 and key.isprintable() and key != " ")):
        return "" if len(set(modifiers)) == len(modifiers) else allowed
    meant = closest(key, NAMED)
    return f'{allowed}; did you mean "{"+".join((*modifiers, meant))}"?' if meant else allowed


def textual_names(written: str) -> tuple[str, ...]:
    """What Textual calls a key that :func:`key_problem` has nothing against; a capital has two names."""
    if len(written) == 1:
        name = character_name(written)
        is_capital = written.isascii() and written.isupper()
        return (name, f"shift+{written.lower()}") if is_capital else (name,)
    *modifiers, key = written.split("+")
    return ("+".join((*sorted(modifiers), character_name(key) if len(key) == 1 else key)),)


def key_label(written: tuple[str, ...]) -> str:
    """How keys are shown, by Textual's names."""
    shown = [name for name in written if not (name.startswith("shift+") and len(name) == 7)]
    return " ".join(map(_sign, shown))


def _sign(name: str) -> str:
    *modifiers, key = name.split("+")
    return "+".join((*modifiers, _SIGNS.get(key, _CHARACTERS.get(key, key))))


_CHARACTERS = {character_name(c): c for c in map(chr, range(33, 127))}

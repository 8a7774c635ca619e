"""Every key, in one table: bindings, footer and help are made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from textual.binding import Binding

from lstmtui.tui.key_names import key_label


@dataclass(frozen=True)
class Key:
    """One thing the user can do from the keyboard."""

    id: str
    keys: tuple[str, ...]
    """Textual's key names, the one to show first."""
    action: str
    """The method `action_…` of the debugger screen (after `app.`: of the app), with arguments."""
    command: str
    """The same in the command language."""
    help: str
    label: str = ""
    """How the keys are shown; left out: the first key's own name."""
    hint: str = ""
    """One word for the footer; left out: not in the footer."""
    group: str = "Walk"


LESSON = "Lesson"
"""The group of the keys that turn the pages of a lesson."""

KEYS: list[Key] = [
    Key("step", ("right", "l", "n", "s"), "run('step')", "step", "the next timestep", "→ l n s", "step"),
    Key("back", ("left", "h"), "run('back')", "back", "the timestep before", "← h", "back"),
    Key(
        "into",
        ("down", "enter", "j"),
        "run('into')",
        "into",
        "the next equation, or binding of code",
        "↓ ↵ j",
        "into",
    ),
    Key("out", ("up", "k"), "run('out')", "out", "out of a function, or to whole timesteps", "↑ k"),
    Key("step_10", ("shift+right", "greater_than_sign"), "run('step 10')", "step 10", "ten on", "shift+→ >"),
    Key("back_10", ("shift+left", "less_than_sign"), "run('back 10')", "back 10", "ten back", "shift+← <"),
    Key("page_on", ("pagedown",), "page(1)", "step N", "the next page of timesteps", "PgDn"),
    Key("page_back", ("pageup",), "page(-1)", "back N", "the page of timesteps before", "PgUp"),
    Key("first", ("home", "circumflex_accent"), "run('first')", "first", "the first timestep", "Home ^"),
    Key("last", ("end", "dollar_sign"), "run('last')", "last", "the last timestep", "End $"),
    Key("older", ("ctrl+o",), "run('older')", "older", "back to where the cursor was", "ctrl+o"),
    Key("newer", ("ctrl+n",), "run('newer')", "newer", "and on again", "ctrl+n"),
    Key("goto", ("g",), "command('goto ')", "goto T", "go to a timestep: type its number", "g", "goto"),
    Key("play", ("space",), "play", "", "play, and pause", "space"),
    Key("faster", ("plus", "equals_sign"), "faster(1)", "", "play faster", "+"),
    Key("slower", ("minus",), "faster(-1)", "", "play slower", "-"),
    Key("break", ("b",), "command('break when ')", "break when EXPR", "stop where …", "b", "break", "Debug"),
    Key("continue", ("c",), "run('continue')", "continue", "to the next hit", "c", "continue", "Debug"),
    Key("rcontinue", ("C", "shift+c"), "run('rcontinue')", "rcontinue", "back to a hit", "C", "", "Debug"),
    Key("watch", ("w",), "command('watch ')", "watch EXPR", "show a value all the time", "w", "", "Debug"),
    Key("undo", ("ctrl+z",), "run('undo')", "undo", "take back the latest change", "ctrl+z", "", "Debug"),
    Key("redo", ("ctrl+y",), "run('redo')", "redo", "do again what was undone", "ctrl+y", "", "Debug"),
    Key(
        "why",
        ("W", "shift+w"),
        "run('why')",
        "why",
        "what the memory of the unit is made of",
        "W",
        "why",
        "Debug",
    ),
    Key("copy", ("y",), "copy", "", "copy the value in focus to the clipboard", "y", "", "Debug"),
    Key("command", ("colon",), "command", "", "a command: Tab completes, ↑ recalls", ":", "command", "Debug"),
    Key(
        "messages", ("H", "shift+h"), "run('messages')", "messages", "what was said so far", "H", "", "Debug"
    ),
    Key(
        "laws",
        ("S", "shift+s"),
        "run('laws')",
        "laws",
        "test the laws of state on the model",
        "S",
        "",
        "Debug",
    ),
    Key(
        "lesson",
        ("t",),
        "lesson('toggle')",
        "",
        "begin the lesson, or leave it and go on later",
        "t",
        "",
        LESSON,
    ),
    Key("lesson_next", ("space", "right"), "lesson('next')", "", "the next page", "space →", "", LESSON),
    Key("lesson_back", ("left",), "lesson('back')", "", "the page before", "←", "", LESSON),
    Key(
        "lesson_play",
        ("a",),
        "lesson('play')",
        "",
        "let pages turn by themselves, at reading speed; any key holds them",
        "a",
        "",
        LESSON,
    ),
    Key(
        "lesson_enter",
        ("enter",),
        "lesson('enter')",
        "answer NUMBER",
        "answer a question; at the end: the next lesson",
        "↵",
        "",
        LESSON,
    ),
    Key("unit", ("u",), "select('unit', 1)", "unit K", "the next unit", "u", "unit", "Look at"),
    Key("unit_back", ("U", "shift+u"), "select('unit', -1)", "unit K", "the unit before", "U", "", "Look at"),
    Key("model", ("m",), "select('model', 1)", "model NAME", "the next model", "m", "model", "Look at"),
    Key(
        "model_back",
        ("M", "shift+m"),
        "select('model', -1)",
        "model NAME",
        "the model before",
        "M",
        "",
        "Look at",
    ),
    Key(
        "layer",
        ("L", "shift+l"),
        "select('layer', 1)",
        "layer L",
        "the next layer, round to the first",
        "L",
        "",
        "Look at",
    ),
    Key(
        "direction",
        ("d",),
        "select('direction', 1)",
        "direction D",
        "the other direction",
        "d",
        "",
        "Look at",
    ),
    Key(
        "batch",
        ("B", "shift+b"),
        "select('batch', 1)",
        "batch B",
        "the next sequence of the batch",
        "B",
        "",
        "Look at",
    ),
    Key(
        "difference",
        ("D", "shift+d"),
        "difference",
        "difference",
        "maps of a difference, and back",
        "D",
        "",
        "Look at",
    ),
    Key(
        "panel",
        tuple("1234567890"),
        "",
        "panel KEY",
        "jump to a panel (one that is hidden is zoomed); 0: the diagnosis",
        "1 … 9 0",
        "",
        "Panels",
    ),
    Key("panel_cell", ("i",), "panel(10)", "panel i", "the cell as a picture", "i", "", "Panels"),
    Key(
        "panel_weights",
        ("v",),
        "panel(11)",
        "panel v",
        "the weights as maps; again: the gradients by them",
        "v",
        "",
        "Panels",
    ),
    Key(
        "whole_run",
        ("f",),
        "whole_run",
        "fit",
        "fit the whole run on the screen, and back",
        "f",
        "fit",
        "Panels",
    ),
    Key(
        "together",
        ("left_parenthesis",),
        "stretch(-1)",
        "fit N",
        "twice as many timesteps a column",
        "(",
        "",
        "Panels",
    ),
    Key(
        "apart",
        ("right_parenthesis",),
        "stretch(1)",
        "fit N",
        "half as many timesteps a column",
        ")",
        "",
        "Panels",
    ),
    Key("zoom", ("z",), "zoom", "", "zoom the panel, and back", "z", "zoom", "Panels"),
    Key("next_panel", ("tab",), "panel_by(1)", "", "the next panel", "tab", "", "Panels"),
    Key("previous_panel", ("shift+tab",), "panel_by(-1)", "", "the panel before", "shift+tab", "", "Panels"),
    Key("leave", ("escape",), "leave", "", "end zoom, play, a run or a lesson", "esc", "", "Panels"),
    Key("open", ("p",), "program('pick')", "", "pick another scenario", "p", "", "Program"),
    Key(
        "redraw", ("ctrl+l",), "program('redraw')", "", "draw the whole screen again", "ctrl+l", "", "Program"
    ),
    Key("reconnect", ("R", "shift+r"), "reconnect", "", "try a lost link again now", "R", "", "Program"),
    Key(
        "help",
        ("question_mark", "f1"),
        "program('help')",
        "help",
        "all keys and commands: choose one and run it",
        "?",
        "help",
        "Program",
    ),
    Key(
        "palette",
        ("ctrl+p",),
        "program('palette')",
        "",
        "find a key, a command, a panel, a scenario",
        "ctrl+p",
        "",
        "Program",
    ),
    Key("quit", ("q", "ctrl+c"), "program('quit')", "quit", "quit", "q", "quit", "Program"),
]
"""The keys of the debugger screen, in the order of the help."""


def remap(changes: Mapping[str, Sequence[str]]) -> None:
    """Set other keys, by the id of their action; called before the screen is imported, which binds them."""
    for at, key in enumerate(KEYS):
        if key.id in changes:
            names = tuple(changes[key.id])
            KEYS[at] = replace(key, keys=names, label=key_label(names))


def bindings(keys: Iterable[Key] = KEYS) -> list[Binding]:
    """The table as Textual bindings; the keys of a panel's number carry that number.

    Those of a lesson come first: while one is on screen, they stand before what the same keys do otherwise.
    """
    made = []
    for key in sorted(keys, key=lambda key: key.group != LESSON):
        for name in key.keys:
            action = key.action or f"panel({name})"
            # With priority: keys typed ahead are then acted on in order, also round the prompt.
            made.append(Binding(name, action, key.help, show=False, priority=True, id=f"{key.id}.{name}"))
    return made


_WORDS = str.maketrans(
    {"→": "right", "←": "left", "↓": "down", "↑": "up", "↵": "enter", "…": "to"},
)


def in_words(sign: str) -> str:
    """The signs of keys in ASCII."""
    return sign.translate(_WORDS)


def label(key: Key, *, ascii: bool = False) -> str:
    """How a key is shown, as signs or, in ASCII, as words."""
    return in_words(key.label) if ascii else key.label

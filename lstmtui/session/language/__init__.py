"""The command language: one line is one command, at the prompt and in scripts."""

from lstmtui.session.language.command import Change, Command
from lstmtui.session.language.parse import parse_line, parse_script
from lstmtui.session.language.problem import ScriptError, ScriptProblem
from lstmtui.session.language.verbs import ALIASES, VERBS, Verb

__all__ = [
    "ALIASES",
    "VERBS",
    "Change",
    "Command",
    "ScriptError",
    "ScriptProblem",
    "Verb",
    "parse_line",
    "parse_script",
]

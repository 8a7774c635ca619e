"""The command language: how a line is read, one command to a line, at the prompt and in scripts."""

from lstmtui.session.language.command import Change, Command
from lstmtui.session.language.problem import ScriptError, ScriptProblem

__all__ = ["Change", "Command", "ScriptError", "ScriptProblem"]

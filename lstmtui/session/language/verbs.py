"""Every command of the language, in one table: parsing, help and completion are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.session.language import arguments
from lstmtui.session.language.arguments import Parse


@dataclass(frozen=True)
class Verb:
    """One command."""

    name: str
    usage: str
    """How it is written; capitals stand for something, square brackets may be left out."""
    help: str
    """What it does, in one line."""
    parse: Parse
    """What follows the verb, read from the line."""


_ALL = (
    Verb("step", "step [N]", "go 1 timestep, or N, forward", arguments.count),
    Verb("back", "back [N]", "go 1 timestep, or N, back", arguments.count),
    Verb("goto", "goto T", "go to timestep T; -1 is the last one", arguments.timestep),
    Verb("first", "first", "go to the first timestep", arguments.nothing),
    Verb("last", "last", "go to the last timestep", arguments.nothing),
    Verb("into", "into", "evaluate the next equation inside this timestep", arguments.nothing),
    Verb("out", "out", "back to whole timesteps", arguments.nothing),
    Verb("layer", "layer L", "look at layer L", arguments.index("the layer")),
    Verb(
        "direction", "direction forward|backward", "look at one direction of the layer", arguments.direction
    ),
    Verb("batch", "batch B", "look at sequence B of the batch", arguments.index("the sequence")),
    Verb("unit", "unit K", "look at unit K", arguments.index("the unit")),
    Verb("model", "model NAME", "look at another model", arguments.rest("the model's name")),
    Verb(
        "break",
        "break when EXPR [note TEXT] | break at T",
        "stop where a condition holds, or at a timestep; with a note: say it and go on",
        arguments.breakpoint_place,
    ),
    Verb("breaks", "breaks", "list the breakpoints", arguments.nothing),
    Verb("delete", "delete N", "delete breakpoint N", arguments.identity("the breakpoint")),
    Verb("enable", "enable N", "let breakpoint N stop again", arguments.identity("the breakpoint")),
    Verb("disable", "disable N", "keep breakpoint N without stopping", arguments.identity("the breakpoint")),
    Verb("continue", "continue", "go to the next breakpoint hit, or the end", arguments.nothing),
    Verb("rcontinue", "rcontinue", "go back to the previous breakpoint hit, or the start", arguments.nothing),
    Verb(
        "first-bad",
        "first-bad [forward|backward]",
        "go to where NaN or inf first appears, in the run or among its derivatives",
        arguments.optional_pass,
    ),
    Verb(
        "diagnose", "diagnose", "say what is wrong with the run: gates, units, gradients", arguments.nothing
    ),
    Verb("watch", "watch EXPR", "show an expression at every timestep", arguments.expression),
    Verb("unwatch", "unwatch N", "remove watch N", arguments.identity("the watch")),
    Verb("print", "print EXPR", "evaluate an expression here", arguments.expression),
    Verb(
        "set",
        "set QUANTITY[UNIT] = VALUE [from T [to T2]]",
        "what if: run again with a value changed, beside the baseline",
        arguments.change,
    ),
    Verb(
        "unset", "unset [N]", "take back what-if N, or the latest", arguments.optional_identity("the what-if")
    ),
    Verb("reset", "reset", "take back every what-if", arguments.nothing),
    Verb("loss", "loss at T [unit K]", "take the gradients of h at one timestep", arguments.loss_place),
    Verb("compare", "compare MODEL|TRACE|none", "look at two runs on one cursor", arguments.compared),
    Verb("note", "note TEXT", "say something", arguments.rest("the text")),
    Verb("pause", "pause SECONDS", "wait while a script plays", arguments.seconds),
    Verb("expect", "expect EXPR", "fail unless a condition holds here", arguments.condition),
    Verb("screenshot", "screenshot FILE", "save the screen as an SVG picture", arguments.rest("the file")),
    Verb("export", "export FILE", "save the numbers as .csv or .npz", arguments.rest("the file")),
    Verb("quit", "quit", "leave", arguments.nothing),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
"""By name, in the order of the help."""

ALIASES: dict[str, str] = {
    "n": "step",
    "s": "step",
    "c": "continue",
    "b": "break",
    "p": "print",
    "q": "quit",
}
"""gdb's one-letter commands."""

ELSEWHERE: dict[str, str] = {
    "next": "step",
    "jump": "goto",
    "exit": "quit",
    "display": "watch",
    "undisplay": "unwatch",
    "rc": "rcontinue",
    "reverse-continue": "rcontinue",
    "reverse-step": "back",
    "finish": "out",
    "assert": "expect",
    "breakpoints": "breaks",
}
"""What other debuggers call it: suggested, not accepted."""

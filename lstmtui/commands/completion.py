"""`lstmtui --print-completion SHELL`: what a shell needs to complete the command line, made by shtab."""

from __future__ import annotations

import argparse

from lstmtui.commands import VERBS, verb

_TARGETS = {
    "bash": '_lstmtui_target_files() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}',
    "zsh": "_lstmtui_target_files() {{ _alternative 'scenarios:scenario:({names})' 'files:file:_files' }}",
}
"""A function for each shell: the bundled scenarios, and files."""


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for the shell to read, as by `eval "$(lstmtui --print-completion bash)"`.

    Args:
        parser: has the options that stand before a verb; the verbs are added to it.
        shell: one of bash and zsh.
    """
    import shtab

    from lstmtui.scenario import bundled_scenarios

    targets = dict.fromkeys(_TARGETS, "_lstmtui_target_files")
    kinds = {"TARGET": targets, "SCENARIO": targets, "DIR": shtab.DIRECTORY, "FILE": shtab.FILE}
    verbs = parser.add_subparsers()
    for name in VERBS:
        module = verb(name)
        arguments = verbs.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(arguments)
        for action in arguments._actions:
            if action.metavar in kinds:
                action.complete = kinds[action.metavar]  # type: ignore[attr-defined]
    names = " ".join(path.stem for path in bundled_scenarios())
    return shtab.complete(parser, shell, preamble=_TARGETS[shell].format(names=names))

"""The command line: `lstmtui VERB …`, the same as `python -m lstmtui`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lstmtui.commands import VERBS, verb
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.streams import complain, drop_output, open_streams, warnings_as_notes
from lstmtui.version import __version__

COMPLETION = "--print-completion"
SHELLS = ("bash", "zsh")
FINE, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb, and give the exit status: 0 fine, 2 bad input or usage, or output that nothing takes.

    Args:
        argv: the arguments without the program's name; None: those of the process.
    """
    open_streams()
    try:
        with warnings_as_notes():
            status = _status(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except RuntimeError as error:
        if not _is_interrupt(error):
            raise
        status = INTERRUPTED
    except BrokenPipeError:
        status = BROKEN_PIPE
    except OSError as error:
        complain(f"{error.filename or 'standard output'}: {(error.strerror or str(error)).lower()}")
        status = BAD_INPUT
    drop_output()
    return status


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: in the midst of Python's own locks it comes out as one of theirs."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _status(argv: list[str]) -> int:
    try:
        return _run(argv)
    except UserError as error:
        complain(str(error))
        return BAD_INPUT
    except SystemExit as stop:  # argparse, after --help or wrong usage
        return stop.code if isinstance(stop.code, int) else FINE


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line and are always printable."""

    def error(self, message: str) -> NoReturn:
        hint = self._meant(message) or f"`{self.prog} --help` says more"
        text = message if message.endswith("?") else f"{message}; {hint}"
        self.exit(BAD_INPUT, f"{self.prog}: {printable(text)}\n")

    def _meant(self, message: str) -> str:
        """The option that the first unknown one in a message of argparse's probably misspells."""
        from lstmtui.closest import closest

        unknown = next((word for word in message.split() if word.startswith("-")), "").partition("=")[0]
        meant = closest(unknown, self._option_string_actions) if "unrecognized" in message else ""
        return f"did you mean {meant}?" if meant else ""

    def _print_message(self, message: str, file: Any = None) -> None:
        # Argparse's own swallows it when nothing takes the help.
        (file or sys.stderr).write(message)


def _opens(name: str) -> bool:
    """Whether `open` may take this, as a file or as a bundled scenario."""
    from os.path import exists

    from lstmtui.scenario.bundled import bundled_scenarios

    return name.endswith(".toml") or exists(name) or name in {path.stem for path in bundled_scenarios()}


def _run(argv: list[str]) -> int:
    """Only the module of the verb that is asked for is imported; without a verb it is `open`."""
    name = argv[0] if argv else "open"
    if name in VERBS:
        return _run_verb(name, argv[1:])
    if name.startswith("-") and name.partition("=")[0] not in ("-h", "--help", "--version", COMPLETION):
        return _run_verb("open", argv)
    if not name.startswith("-"):
        from lstmtui.closest import closest

        meant = "open " + name if _opens(name) else closest(name, VERBS)
        _overview().error(f"there is no verb {name}" + (f"; did you mean lstmtui {meant}?" if meant else ""))
    parser = _overview()
    shell = parser.parse_args(argv).print_completion
    if shell is not None:
        from lstmtui.commands.completion import completion_script

        print(completion_script(parser, shell))
    return FINE


def _run_verb(name: str, argv: list[str]) -> int:
    module = verb(name)
    parser = _Parser(prog=f"lstmtui {name}", description=module.SUMMARY, allow_abbrev=False)
    module.add_arguments(parser)
    return module.run(parser.parse_args(argv))


def _overview() -> argparse.ArgumentParser:
    """The parser of `lstmtui --help`, and of words that are no verb."""
    width = max(len(name) for name in VERBS)
    verbs = "\n".join(f"  {name:{width}}  {verb(name).SUMMARY}" for name in VERBS)
    parser = _Parser(
        prog="lstmtui",
        usage="lstmtui [VERB] …",
        description="gdb for recurrent cells: walk an RNN, LSTM or GRU timestep by timestep.",
        epilog=f"verbs:\n{verbs}\n\nWithout a verb: pick a scenario from a list, then debug it.\n"
        "lstmtui VERB --help says more about one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lstmtui {__version__}")
    help = 'print a completion script for your shell; use it as: eval "$(lstmtui --print-completion bash)"'
    parser.add_argument(COMPLETION, choices=SHELLS, help=help)
    return parser


if __name__ == "__main__":
    sys.exit(main())

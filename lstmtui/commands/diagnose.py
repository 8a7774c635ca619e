"""`lstmtui diagnose TARGET`: what is wrong with a run, if anything, for people and for CI."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from lstmtui.commands.remote import add_remote_arguments, is_remote, open_request, remote_client
from lstmtui.commands.results import json_lines, wrapped
from lstmtui.commands.run_arguments import add_run_arguments, add_target, record_scenario, trace_or_scenario
from lstmtui.errors import UserError
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.analysis.diagnosis import Verdict
    from lstmtui.session import Session
    from lstmtui.trace import Trace

SUMMARY = "say what is wrong with a run: gates, units, gradients, NaN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target, the form of the answer, and what makes the exit status 1."""
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object for each verdict")
    parser.add_argument(
        "--fail-on",
        metavar="NAMES",
        default="",
        help="exit with status 1 if one of these verdicts, such as dead,exploding, is bad",
    )
    add_run_arguments(parser)
    add_remote_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Status 0; 1 where a verdict named by `--fail-on` is bad."""
    from lstmtui.analysis.diagnosis import BAD, diagnose

    failing, status = _names(arguments.fail_on), 0
    with _session(arguments) as session:
        for model in session.traces:
            session.select_model(model)
            verdicts = diagnose(session.view)
            if arguments.json:
                lines = json_lines(model, map(asdict, verdicts))
            else:
                lines = _lines(model, session.trace, verdicts)
            for line in lines:
                print(printable(line))
            status |= any(v.name in failing and v.severity == BAD for v in verdicts)
    return status


@contextmanager
def _session(arguments: argparse.Namespace) -> Iterator[Session]:
    """A session on the target, here or on another machine."""
    from lstmtui.commands.progress import ProgressLine
    from lstmtui.session import Session

    if not is_remote(arguments.target):
        yield Session(_traces(arguments))
        return
    target, progress = open_request(arguments), ProgressLine()
    with remote_client(arguments) as client:
        try:
            traces = client.open(target, progress)
        finally:
            progress.clear()
        yield Session(traces, client, client)


def _names(text: str) -> set[str]:
    """The verdicts that `--fail-on` names."""
    from lstmtui.analysis.diagnosis import NAMES
    from lstmtui.closest import meant_or_all

    names = {name.strip() for name in text.split(",")} - {""}
    unknown = sorted(names - NAMES.keys())
    if unknown:
        hint = meant_or_all(unknown[0], NAMES)
        raise UserError(f"--fail-on: there is no verdict {unknown[0]}; {hint}")
    return names


def _traces(arguments: argparse.Namespace) -> Trace | dict[str, Trace]:
    """A saved trace, or a scenario that is run now."""
    from lstmtui.scenario import Scenario

    target = trace_or_scenario(arguments)
    return record_scenario(target, arguments) if isinstance(target, Scenario) else target


def _lines(model: str, trace: Trace, verdicts: tuple[Verdict, ...]) -> list[str]:
    """The model, what is not fine with what to look at next, and the names of what is."""
    from lstmtui.analysis.diagnosis import FINE, NOT_MEASURED, reasons

    untrained = f", {trace.header.untrained}" if trace.header.untrained else ""
    what = trace.header.module or "recorded run"
    lines = [f"{model}: {what}, T={trace.steps}, B={trace.batch}{untrained}"]
    for verdict in (v for v in verdicts if v.severity not in (FINE, NOT_MEASURED)):
        place = f"{verdict.place}: " if verdict.place else ""
        head = f"  {verdict.severity:13} {verdict.name:10} "
        lines += wrapped(head, place + verdict.text)
        # A command to copy stands on a line of its own.
        sign = f"{'':{len(head)}}next: "
        lines += [
            f"{sign if not at else '':{len(sign)}}{command}" for at, command in enumerate(verdict.commands)
        ]
    for why, names in reasons(verdicts).items():
        lines += wrapped(f"  {NOT_MEASURED:13} ", f"{', '.join(names)}: {why}")
    raised = {v.name for v in verdicts if v.severity != FINE}
    fine = ", ".join(dict.fromkeys(v.name for v in verdicts if v.name not in raised))
    return lines + (wrapped(f"  {FINE:13} ", fine) if fine else [])

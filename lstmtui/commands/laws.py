"""`lstmtui laws TARGET`: the laws of state on a model that can be run, for people and for CI."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lstmtui.commands.remote import add_remote_arguments, is_remote, open_request, remote_client
from lstmtui.commands.results import json_lines, wrapped
from lstmtui.commands.run_arguments import (
    add_run_arguments,
    add_target,
    trace_or_scenario,
    with_run_arguments,
)
from lstmtui.libraries import load_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.analysis.laws import LawResult

SUMMARY = "test the laws of state on a model: isolation, causality, carry, reset …"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target, the form of the answer, and which laws."""
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object for each law")
    parser.add_argument(
        "--only", metavar="NAMES", default="", help="test only these laws, such as isolation,causality"
    )
    add_run_arguments(parser)
    add_remote_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Status 0; 1 where a law is broken."""
    from lstmtui.analysis.laws import any_broken

    status = 0
    for model, note, results in _held(arguments):
        if arguments.json:
            lines = json_lines(model, (result.as_json() for result in results))
        else:
            lines = _lines(model, note, results)
        for line in lines:
            print(printable(line), flush=True)
        status |= any_broken(results)
    return status


def _held(arguments: argparse.Namespace) -> Iterator[tuple[str, str, tuple[LawResult, ...]]]:
    """(model, what the results are of, results) of every model of the target."""
    only = [name.strip() for name in arguments.only.split(",") if name.strip()]
    yield from _held_there(arguments, only) if is_remote(arguments.target) else _held_here(arguments, only)


def _held_there(
    arguments: argparse.Namespace, only: list[str]
) -> Iterator[tuple[str, str, tuple[LawResult, ...]]]:
    """On another machine."""
    from lstmtui.commands.progress import ProgressLine
    from lstmtui.trace import Trace

    recording = ProgressLine()
    with remote_client(arguments) as client:
        try:
            traces = client.open(open_request(arguments), recording)
        finally:
            recording.clear()
        for trace in [traces] if isinstance(traces, Trace) else traces.values():
            progress = _ProgressLine(trace.name)
            try:
                held = client.laws(trace, progress, only)
            finally:
                progress.clear()
            yield trace.name, held.note, held.results


def _held_here(
    arguments: argparse.Namespace, only: list[str]
) -> Iterator[tuple[str, str, tuple[LawResult, ...]]]:
    load_library("torch")
    from lstmtui.capture.laws.targets import OF_TRACE, note_of, scenario_laws, trace_laws
    from lstmtui.scenario import Scenario
    from lstmtui.trace import Trace

    target = trace_or_scenario(arguments)
    if isinstance(target, Scenario):
        target = with_run_arguments(target, arguments)
        for spec in target.models:
            progress = _ProgressLine(spec.name)
            try:
                results = scenario_laws(target, spec.name, only, progress)
            finally:
                progress.clear()
            yield spec.name, note_of(target, spec.name), results
        return
    for trace in [target] if isinstance(target, Trace) else target.values():
        progress = _ProgressLine(trace.name)
        try:
            results = trace_laws(trace, only, progress)
        finally:
            progress.clear()
        yield trace.name, OF_TRACE, results


class _ProgressLine:
    """Prints to stderr which law is being tested, and how long it takes if that is over a second."""

    def __init__(self, model: str) -> None:
        self._model, self._law, self._said = model, "", False

    def __call__(self, law: str, seconds: float) -> None:
        if law != self._law:
            self._law, self._said = law, False
        if seconds > 1 and not self._said:
            self._said = True
            end = "" if sys.stderr.isatty() else "\n"
            self.clear()
            text = printable(f"{self._model}: {law} takes about {seconds:,.0f} s")
            print(text, end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _lines(model: str, note: str, results: tuple[LawResult, ...]) -> list[str]:
    """The model, and a law after the other with what came of it."""
    lines = [f"{model}{f' ({note})' if note else ''}:"]
    for result in results:
        head = f"  {result.status:10} {result.name:10} "
        text = result.text
        if result.broken and result.place is not None:
            text += f"; first at {result.place}"
        text = "; ".join([text, *result.notes])
        lines += wrapped(head, text)
    return lines

"""`lstmtui play TARGET`: run its playback script without a screen."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lstmtui.commands.remote import add_remote_arguments, is_remote, open_request, remote_client
from lstmtui.commands.run_arguments import (
    add_run_arguments,
    add_target,
    record_scenario,
    trace_or_scenario,
    with_run_arguments,
)
from lstmtui.commands.scenario_script import script_of, vocabulary
from lstmtui.errors import UserError

if TYPE_CHECKING:
    from lstmtui.capture.laws.engine import ModelEngine
    from lstmtui.expressions import Vocabulary
    from lstmtui.playback import OutputFolder, Played, Screen, Script
    from lstmtui.remote.client.client import Client
    from lstmtui.scenario import Scenario
    from lstmtui.session import Command
    from lstmtui.trace import Trace, Traces

SUMMARY = "run a playback script without a screen"

LARGEST_SCRIPT = 1 << 20
"""Bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target, the script, how to run, and what comes out."""
    add_target(parser)
    parser.add_argument(
        "--script", metavar="FILE", help="run this script instead of the target's own; - is standard input"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object for each command")
    form.add_argument("--plain", action="store_true", help="one sentence for each command (the default)")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="the directory that screenshot and export write to; existing files are replaced",
    )
    parser.add_argument(
        "--cast", metavar="FILE", help="record the screen as an asciicast, with the script's pauses"
    )
    add_run_arguments(parser)
    add_remote_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Status 0; 1 where an `expect` did not hold; 2 for a bad script, or a command that was refused."""
    from lstmtui.playback import OutputFolder
    from lstmtui.scenario import Scenario

    folder = OutputFolder(arguments.out)
    if arguments.cast is not None and Path(arguments.cast).suffix.lower() not in ("", ".cast"):
        raise UserError(
            f"{arguments.cast}: the recording is an asciicast, so the file name must end in .cast"
        )
    if arguments.cast is not None and not Path(arguments.cast).absolute().parent.is_dir():
        raise UserError(f"{arguments.cast}: there is no such folder")
    if is_remote(arguments.target):
        return _run_remote(arguments, folder)
    target = trace_or_scenario(arguments)
    if isinstance(target, Scenario):
        script = _script_of(arguments) or _of_scenario(target, arguments.target)
        commands = script.parse(_vocabulary(target))
        from lstmtui.capture.laws.engine import ModelEngine

        traces, engine = record_scenario(target, arguments), ModelEngine()
        engine.remember(functools.partial(with_run_arguments, target, arguments), traces)
        return _play(arguments, traces, script, commands, folder, engine=engine)
    script = _script_of(arguments) or _of_traces(target, arguments.target)
    return _play(arguments, target, script, script.parse(_vocabulary(target)), folder)


def _run_remote(arguments: argparse.Namespace, folder: OutputFolder) -> int:
    """Play on another machine; a script that was given is read before anything is connected."""
    from lstmtui.expressions import open_vocabulary

    target, script = open_request(arguments), _script_of(arguments)
    commands = None if script is None else script.parse(open_vocabulary())
    with remote_client(arguments) as client:
        from lstmtui.commands.progress import ProgressLine

        progress = ProgressLine()
        try:
            traces = client.open(target, progress)
        finally:
            progress.clear()
        script = script or _of_traces(traces, arguments.target)
        return _play(arguments, traces, script, commands or script.parse(_vocabulary(traces)), folder, client)


def _vocabulary(target: Trace | Traces | Scenario) -> Vocabulary:
    """The words of a script: any name may be one where code is to be run that has names of its own."""
    from lstmtui.expressions import vocabulary_of
    from lstmtui.scenario import Scenario

    if isinstance(target, Scenario):
        return vocabulary(target)
    return vocabulary_of(target.values() if isinstance(target, dict) else [target])


def _script_of(arguments: argparse.Namespace) -> Script | None:
    """The script of `--script`; None where the target's own is played."""
    from lstmtui.playback import Script

    name = arguments.script
    if name is None:
        return None
    shown = "standard input" if name == "-" else name
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            data = file.read(LARGEST_SCRIPT + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "not a file name"
        raise UserError(f"{shown}: the script cannot be read: {reason}") from None
    if len(data) > LARGEST_SCRIPT:
        raise UserError(f"{shown}: a script has at most {LARGEST_SCRIPT:,} bytes")
    try:
        return Script(data.decode("utf-8-sig"), shown)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{shown}:{line}: is not UTF-8 text") from None


def _of_scenario(scenario: Scenario, target: str) -> Script:
    """The scenario's own script, with the lines of its file."""
    if not scenario.script.strip():
        raise _nothing_to_play(target, "[playback] script")
    return script_of(scenario)


def _of_traces(traces: Trace | Traces, target: str) -> Script:
    """The script that was saved with a trace."""
    from lstmtui.playback import Script

    every = list(traces.values()) if isinstance(traces, dict) else [traces]
    text = next((trace.header.script for trace in every if trace.header.script.strip()), "")
    if not text:
        raise _nothing_to_play(target, "script")
    return Script(text, f"{target}: script")


def _nothing_to_play(target: str, what: str) -> UserError:
    return UserError(f"{target}: there is nothing to play: it has no {what}; give one with --script FILE")


def _play(
    arguments: argparse.Namespace,
    traces: Trace | Traces,
    script: Script,
    commands: Sequence[Command],
    folder: OutputFolder,
    far: Client | None = None,
    engine: ModelEngine | None = None,
) -> int:
    """Play, print at least a line for each command, and print at the end what did not hold."""
    from lstmtui.analysis.raised import raised_text
    from lstmtui.capture.laws.engine import ModelEngine
    from lstmtui.playback import Cast, ScriptResult, play, record_cast, replace_file
    from lstmtui.session import Session
    from lstmtui.session.verbs import VERBS

    session, verdict = Session(traces, far or engine or ModelEngine(), far), ScriptResult(script.file)
    # An open screen puts its own streams in the place of these.
    out, err = sys.stdout, sys.stderr
    if raised := raised_text(session.trace):
        print(raised, file=err)
    cast = Cast(session.trace.header.title or session.trace.name) if arguments.cast else None
    with ExitStack() as stack:
        screen: Screen | None = None
        if cast or any(VERBS[command.verb].takes_picture for command in commands):
            from lstmtui.tui.headless import HeadlessDebugger

            screen = stack.enter_context(HeadlessDebugger(session))
        played = verdict.watch(play(session, commands, folder, screen))
        if cast and screen:
            played = record_cast(cast, screen, played)
        _print(played, out, json=arguments.json)
    if cast:
        replace_file(arguments.cast, cast.write)
    for line in verdict.lines:
        print(line, file=err)
    return verdict.status


def _print(played: Iterable[Played], out: TextIO, *, json: bool) -> None:
    from lstmtui.playback import json_line, plain_lines

    for step in played:
        for line in [json_line(step)] if json else plain_lines(step):
            print(line, file=out, flush=True)

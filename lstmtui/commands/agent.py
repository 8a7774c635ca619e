"""`lstmtui agent`: the program on the remote side; it speaks on standard input and output."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.libraries import load_library

if TYPE_CHECKING:
    from lstmtui.remote.agent.request_handler import ModelRunner, Progress
    from lstmtui.remote.wire.messages import Open
    from lstmtui.scenario import Scenario
    from lstmtui.trace import Trace, Traces

SUMMARY = "the remote end; `lstmtui open ssh://…` starts it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Serve one client; what anything prints goes to standard error, never among the frames."""
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UserError("the agent is started by `lstmtui open ssh://host/path`, not by hand")
    from lstmtui.remote.agent.agent import Agent

    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    agent = Agent(
        _model_runner(), lambda count: os.read(source, count), lambda data: _write(sink, data), on_gone=_quiet
    )
    signal.signal(signal.SIGTERM, lambda *_: agent.hang_up(stop=True))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: agent.hang_up())
    agent.serve()
    # Threads may still be reading, or inside torch: their results are of no use any more.
    os._exit(0)


def _quiet() -> None:
    """Discard what is printed once nobody reads it, instead of failing."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def _scenario(path: Path, target: Open) -> Scenario:
    """A scenario as it is run for a client."""
    from lstmtui.commands.run_arguments import with_run_arguments
    from lstmtui.scenario import load_scenario

    return with_run_arguments(load_scenario(path, target.trust), target)


def _model_runner() -> ModelRunner:
    from functools import partial

    from lstmtui.capture.laws.engine import ModelEngine

    engine = ModelEngine()

    class Here:
        """Runs scenarios and models on this machine."""

        @property
        def engine(self) -> ModelEngine:
            """What runs models again."""
            return engine

        def record(self, path: Path, target: Open, progress: Progress) -> Traces:
            """The recording of a scenario."""
            from lstmtui.scenario import load_scenario

            scenario = load_scenario(path, target.trust)
            load_library("torch")
            from lstmtui.capture.run import run as run_scenario

            return run_scenario(scenario, target.device, target.dtype, progress, target.trust)

        def remember(self, path: Path, target: Open, traces: Mapping[str, Trace]) -> None:
            """These traces are of that scenario."""
            engine.remember(partial(_scenario, path, target), traces)

    return Here()

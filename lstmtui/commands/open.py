"""`lstmtui open TARGET`, and `lstmtui` alone: the debugger in this terminal."""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.commands.remote import add_remote_arguments, is_remote, open_request, remote_client
from lstmtui.commands.run_arguments import add_run_arguments, add_target, with_run_arguments
from lstmtui.errors import UserError
from lstmtui.libraries import load_library, require_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.capture.laws.engine import ModelEngine
    from lstmtui.scenario import Scenario
    from lstmtui.trace import Trace, Traces
    from lstmtui.tui.start import Choice, Opening, Progress, Start

_EVERY = 0.5
"""Seconds between two looks for a trace that is not there yet."""

SUMMARY = "debug a scenario or a saved trace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target, and how to run and to draw it."""
    add_target(parser, optional=True)
    parser.add_argument(
        "--follow",
        action="store_true",
        help="follow a trace while it is recorded; wait if it is not there yet",
    )
    add_run_arguments(parser)
    add_remote_arguments(parser)
    parser.add_argument(
        "--color",
        choices=("auto", "truecolor", "256", "16", "none"),
        default="auto",
        help="how many colours to use",
    )
    parser.add_argument("--theme", metavar="NAME", help="auto, dark, light, or a theme of your configuration")
    parser.add_argument("--ascii", action="store_true", help="show only ASCII characters")


def run(arguments: argparse.Namespace) -> int:
    """Check the target before the screen opens, so that its problems are printed to stderr."""
    if is_remote(arguments.target):
        return _run_remote(arguments)
    start = _start(arguments)
    from lstmtui.tui.launch import launch

    launch(start, color=arguments.color, ascii=arguments.ascii, theme=arguments.theme)
    return 0


def _run_remote(arguments: argparse.Namespace) -> int:
    """Connect before the screen opens, so that ssh can ask for passwords; the target opens after that."""
    from threading import get_ident

    from lstmtui.tui.launch import import_ahead, launch, refuse_what_cannot_be_drawn_on, user_config

    refuse_what_cannot_be_drawn_on()
    config = user_config(arguments.color)
    with remote_client(arguments, functools.partial(import_ahead, arguments.color)) as client:
        from lstmtui.tui.start import Opening, Start

        target = open_request(arguments)
        client.impatient = get_ident()
        client.begin_to_open(target)
        work = functools.partial(client.open, target)
        opening = Opening(arguments.target, work, arguments.target, "Opening", "the agent reads it")
        start = Start(
            opening=opening, engine=client, backend=client, follower=client, follow=arguments.follow
        )
        launch(start, color=arguments.color, ascii=arguments.ascii, config=config, theme=arguments.theme)
    return 0


def _start(arguments: argparse.Namespace) -> Start:
    from lstmtui.capture.laws.engine import ModelEngine
    from lstmtui.scenario import bundled_scenarios, find_scenario
    from lstmtui.scenario.bundled import nearest_scenario
    from lstmtui.tui.start import Start

    engine = ModelEngine()
    opener = functools.partial(_opening, arguments=arguments, engine=engine)
    if arguments.target is None:
        return Start(choices=_choices(), opener=opener, engine=engine)
    target = find_scenario(arguments.target)
    if target.is_dir() or (arguments.follow and not target.exists()):
        return _saved(target, opener, engine, follow=arguments.follow)
    if arguments.follow:
        raise UserError(f"{target}: --follow is for traces; a scenario is recorded before it opens")
    if not target.exists():
        bundled = ", ".join(path.stem for path in bundled_scenarios())
        meant = nearest_scenario(arguments.target)
        hint = f"did you mean {meant}?" if meant else f"bundled are {bundled}"
        raise UserError(f"{target}: there is no such file, trace or bundled scenario; {hint}")
    return Start(opening=opener(target), choices=_choices(), opener=opener, engine=engine)


def _saved(target: Path, opener: Callable[[Path], Opening], engine: ModelEngine, *, follow: bool) -> Start:
    """A trace that may still be growing; to follow one it need not be there yet."""
    from lstmtui.trace import load
    from lstmtui.trace.growth import Growth
    from lstmtui.tui.start import Start

    growth = Growth(target)
    traces = growth.poll()
    if traces is None and follow:
        print(printable(f"waiting for a trace at {target}; Ctrl-C gives up"), file=sys.stderr)
        while traces is None:
            time.sleep(_EVERY)
            traces = growth.poll()
    return Start(
        traces=load(target) if traces is None else traces,
        place=target,
        engine=engine,
        choices=_choices(),
        opener=opener,
        follower=growth,
        follow=follow,
    )


def _choices() -> list[Choice]:
    from lstmtui.scenario import bundled_scenarios, is_lesson, own_scenarios, scenario_notes, scenario_title
    from lstmtui.tui.start import COURSE_GROUP, Choice

    def choice(path: Path, note: str, group: str) -> Choice:
        return Choice(path, scenario_title(path), note, group, functools.partial(scenario_notes, path))

    bundled = bundled_scenarios()
    lessons = [choice(path, path.stem, COURSE_GROUP) for path in bundled if is_lesson(path)]
    examples = [choice(path, path.stem, "Examples") for path in bundled if not is_lesson(path)]
    own = [choice(path, str(path), "Your own") for path in own_scenarios(Path())]
    return [*lessons, *examples, *own]


def _opening(path: Path, arguments: argparse.Namespace, engine: ModelEngine) -> Opening:
    """The scenario as something to record off the event loop; its problems are raised here."""
    from lstmtui.scenario import load_scenario
    from lstmtui.tui.start import Opening

    scenario = load_scenario(path, arguments.trust)
    require_library("torch")
    return Opening(scenario.title, functools.partial(_record, scenario, arguments, engine), path)


def _record(
    scenario: Scenario, arguments: argparse.Namespace, engine: ModelEngine, progress: Progress
) -> Trace | Traces:
    load_library("torch")
    from lstmtui.capture.run import run

    traces = run(scenario, arguments.device, arguments.dtype, progress, arguments.trust)
    engine.remember(functools.partial(with_run_arguments, scenario, arguments), traces)
    return traces

"""`lstmtui train SCENARIO`: train its models, and write their weights beside it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.cells.notation import plain
from lstmtui.commands.interrupts import Interrupts
from lstmtui.errors import UserError
from lstmtui.libraries import load_library
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.capture.scenario_training import Training
    from lstmtui.scenario import ModelSpec, Scenario
    from lstmtui.scenario.trained_weights import WeightFile

SUMMARY = "train a scenario's models, and write their weights beside it"

_INTERRUPTED = 130
_STEPS = 1000
_MOST_STEPS = 10_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The scenario, how long and how fast, where the weights go, and what comes out."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario .toml")
    parser.add_argument(
        "--steps", type=_count, default=_STEPS, metavar="N", help=f"steps of the optimiser ({_STEPS})"
    )
    parser.add_argument(
        "--learning-rate",
        type=_rate,
        default=0.01,
        metavar="RATE",
        help="the peak of the one-cycle schedule (0.01)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from the weights that the scenario names, instead of a seed",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the directory for the weights, instead of the scenario's own"
    )
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1 or mps, instead of the scenario's device")
    parser.add_argument("--json", action="store_true", help="a JSON object for each model")
    parser.add_argument("--ascii", action="store_true", help="draw the curve with ASCII characters only")


def run(arguments: argparse.Namespace) -> int:
    """Status 0; 2 where a model cannot be trained or its loss is lost; 130 after Ctrl-C, which keeps what is
    learned so far where no older weights would be lost by it."""
    scenario = _scenario(arguments)
    load_library("torch")
    from lstmtui.capture.scenario_training import trainable_models
    from lstmtui.scenario.trained_weights import weight_files

    specs = trainable_models(scenario)
    folder = None if arguments.output is None else Path(arguments.output)
    files = weight_files(scenario, specs, folder)
    with Interrupts() as interrupts:
        statuses = []
        for spec in specs:
            if interrupts.came:
                print(printable(f"{spec.name}: not trained, nothing written"), file=sys.stderr)
                continue
            statuses.append(_train(scenario, spec, files[spec.name], arguments, interrupts))
    return _INTERRUPTED if interrupts.came else max(statuses)


def _scenario(arguments: argparse.Namespace) -> Scenario:
    """The scenario, whose weights need not be there unless they are gone on from."""
    from dataclasses import replace

    from lstmtui.scenario import find_scenario, load_scenario
    from lstmtui.scenario.bundled import is_bundled

    path = find_scenario(arguments.scenario)
    if arguments.output is None and is_bundled(path):
        raise UserError(
            f"{arguments.scenario}: is bundled with lstmtui, and so are its weights; pass -o DIR for weights "
            "of your own, or train a copy of the file"
        )
    scenario = load_scenario(path, trust=True, fresh=not arguments.resume)
    if arguments.device is None:
        return scenario
    return replace(scenario, run=replace(scenario.run, device=arguments.device))


def _train(
    scenario: Scenario,
    spec: ModelSpec,
    file: WeightFile,
    arguments: argparse.Namespace,
    interrupts: Interrupts,
) -> int:
    """Train one model and write its weights; the result goes to stdout, progress to stderr."""
    from time import monotonic

    load_library("torch")
    from lstmtui.capture.scenario_training import Training

    training = Training(scenario, spec, arguments.steps, arguments.learning_rate)
    before, begin, losses = training.measure(), monotonic(), []
    line = _StepLine(spec.name, arguments.steps)
    lost = ""
    try:
        for loss in training.run():
            losses.append(loss)
            line.show(len(losses), loss)
            if interrupts.came:
                break
    except FloatingPointError as error:
        lost = str(error)
    finally:
        line.clear()
    after, seconds = training.measure(), monotonic() - begin
    is_cut = len(losses) < arguments.steps
    why_not = f"{lost}; try a smaller --learning-rate" if lost else ""
    if not why_not and is_cut and file.path.exists() and not arguments.resume:
        why_not = f"interrupted; the weights in {file.path} are as they were"
    if not why_not and not losses:
        why_not = "interrupted before the first step"
    if not why_not:
        _write(training, file)
    _report(arguments, spec, file, losses, (before, after), seconds, why_not)
    return 2 if lost else 0


def _write(training: Training, file: WeightFile) -> None:
    from safetensors.torch import save

    from lstmtui.atomic_write import write_atomically

    file.path.parent.mkdir(parents=True, exist_ok=True)
    data = save(training.weights())
    write_atomically(file.path, lambda stream: stream.write(data))


def _report(
    arguments: argparse.Namespace,
    spec: ModelSpec,
    file: WeightFile,
    losses: list[float],
    measured: tuple[float, float],
    seconds: float,
    why_not: str,
) -> None:
    """The result for one model: its loss before and after, the curve, and where its weights are."""
    before, after = measured
    if arguments.json:
        from lstmtui.playback.reports import json_value

        record = {
            "model": spec.name,
            "steps": len(losses),
            "loss_before": before,
            "loss": after,
            "seconds": round(seconds, 3),
            "file": None if why_not else str(file.path),
            "advice": "" if why_not else file.advice,
            "problem": why_not,
            "losses": losses,
        }
        print(json.dumps({key: json_value(value) for key, value in record.items()}), flush=True)
    else:
        for text in _curve(losses, arguments):
            print(text)
        steps = f"{len(losses):,} of {arguments.steps:,} steps, {seconds:.0f} s"
        print(printable(f"{spec.name}: loss {plain(before)} before, {plain(after)} after ({steps})"))
        if not why_not:
            print(printable(f"{spec.name}: weights written to {file.path}"))
            if file.advice:
                print(printable(f"{spec.name}: {file.advice}"))
        sys.stdout.flush()
    if why_not:
        print(printable(f"{spec.name}: {why_not}; nothing written"), file=sys.stderr)


def _curve(losses: list[float], arguments: argparse.Namespace) -> list[str]:
    """The loss over the steps, where there is a terminal to look at it."""
    if not sys.stdout.isatty():
        return []
    from shutil import get_terminal_size

    from lstmtui.tui.curve import curve_lines

    is_ascii = arguments.ascii or "utf" not in (sys.stdout.encoding or "").lower()
    return curve_lines("steps: loss", losses, get_terminal_size().columns, ascii=is_ascii)


class _StepLine:
    """The progress of a training on stderr: a counting line on a terminal, else a line for each tenth."""

    def __init__(self, model: str, steps: int) -> None:
        from lstmtui.commands.progress import ProgressLine

        self._model, self._steps, self._line = model, steps, ProgressLine()

    def show(self, step: int, loss: float) -> None:
        """`step` steps are done, the last with this loss."""
        text = f"{self._model}: step {step:,} of {self._steps:,}, loss {plain(loss)}"
        if self._line.shown:
            self._line.show(text)
        elif step * 10 // self._steps > (step - 1) * 10 // self._steps:
            print(printable(text), file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        self._line.clear()


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= _MOST_STEPS:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 to {_MOST_STEPS:,} is wanted")
    return number


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 10:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0, at most 10, is wanted")
    return rate

"""Every kind of file that is read, sound at first, and what is done with it once it is spoilt."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from scenario.mutations import SCENARIOS, spoilt, write_data
from scenario.sound_checkpoints import CHECKPOINTS, write_sound
from torch import nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.models.keras import process as keras_process
from lstmtui.models.onnx import process as onnx_process
from lstmtui.session import Session
from lstmtui.session import saved_state as memory
from lstmtui.trace import Header, Layer
from lstmtui.trace.writing import TraceWriter
from lstmtui.tui.start import Start

SCRIPT = """# Look around.
layer 1
direction forward
batch 1
goto 3
step
break at 5
break when norm(h) > 0.1 or any(isnan(c))
continue
print f[0] * c[1] - mean(abs(o))
watch norm(dh)
expect norm(h) < 100
note what is this
set f[1] = 0.5 from 2 to 4
loss at 4 unit 0
unset
reset
rcontinue
export numbers.csv
breaks
quit
"""
SHORT_SCRIPT = "goto 3\nstep\nprint norm(h)\nbreak when h[0] > 2\ncontinue\nexpect h[0] == 1\n"
"""For a run of one layer without derivatives."""
TABLES = {
    "d.tsv": SCENARIOS["d.csv"].replace("d.csv", "d.tsv"),
    "ids.npy": '[input]\nfile = "ids.npy"\nas = "tokens"\n[[model]]\ncell = "gru"\nhidden_size = 2\n',
    "m.npz": SCENARIOS["d.npz"].replace("d.npz", "m.npz"),
}
"""More scenarios by the data file that is spoilt in their place."""

_SCRIPTS = {"saved": "script.txt", "killed": "short.txt"}
"""The traces, and what is played on each."""
Case = Callable[[random.Random], int]


@dataclass(frozen=True)
class Files:
    """The sound files of a folder, and the cases that spoil one of them at a time."""

    folder: Path
    sound: dict[Path, bytes]
    spoilt: list[Path] = field(default_factory=list)

    @cached_property
    def traces(self) -> dict[str, list[Path]]:
        """The files of each trace."""
        return {
            name: [path for path in self.sound if self.folder / name in path.parents] for name in _SCRIPTS
        }

    def spoil(self, paths: list[Path], rng: random.Random) -> None:
        path = rng.choice(paths)
        self.spoilt.append(path)
        path.write_bytes(spoilt(self.sound[path], rng))

    def restore(self) -> None:
        """Put back what was spoilt."""
        while self.spoilt:
            path = self.spoilt.pop()
            path.write_bytes(self.sound[path])

    def scenario(self, rng: random.Random) -> int:
        """check: a scenario, or the data it names."""
        data, text = rng.choice(list((SCENARIOS | TABLES).items()))
        path, content = self.folder / "a.toml", text.encode()
        if data and rng.random() < 0.5:
            self.spoil([self.folder / data], rng)
        else:
            content = spoilt(content, rng)
        path.write_bytes(content)
        return main(["check", str(path)])

    def checkpoint(self, rng: random.Random) -> int:
        """check: a checkpoint of each kind, or a scenario that reads its weights."""
        name = rng.choice(CHECKPOINTS)
        self.spoil([self.folder / name], rng)
        if rng.random() < 0.5:
            return main(["check", str(self.folder / name)])
        key = "onnx" if name.endswith("onnx") else "checkpoint"
        path = self.folder / "b.toml"
        path.write_text(f'[input]\nvalues = [[1, 2], [3, 4]]\n[[model]]\n{key} = "{name}"\n')
        return main(["check", str(path)])

    def trace(self, rng: random.Random) -> int:
        """open, diagnose and play: a saved trace, its manifest or one of its arrays."""
        manifest = self.folder / "saved" / "trace.json"
        self.spoil([manifest] if rng.random() < 0.4 else self.traces["saved"], rng)
        return self._look("saved", rng)

    def live(self, rng: random.Random) -> int:
        """open, diagnose and play: a recording that a killed process left."""
        live = self.folder / "killed" / "live.json"
        self.spoil([live] if rng.random() < 0.5 else self.traces["killed"], rng)
        return self._look("killed", rng)

    def script(self, rng: random.Random) -> int:
        """play: a script on a sound trace."""
        trace = rng.choice(list(_SCRIPTS))
        self.spoil([self.folder / _SCRIPTS[trace]], rng)
        return self._play(trace, rng.choice(([], ["--json"])))

    def state(self, rng: random.Random) -> int:
        """What was kept of a session, in the user's state directory."""
        self.spoil([memory.state_file("a scenario")], rng)
        session = Session(lstmtui.load(self.folder / "saved"))
        if memory.load(session, "a scenario"):
            memory.save(session, "another")
            [str(point) for point in (*session.breakpoints, *session.watches)]
        return 0

    def _look(self, trace: str, rng: random.Random) -> int:
        verb = rng.choice(("open", "diagnose", "play"))
        return self._play(trace) if verb == "play" else main([verb, str(self.folder / trace)])

    def _play(self, trace: str, form: Sequence[str] = ()) -> int:
        script, out = self.folder / _SCRIPTS[trace], self.folder / "out"
        return main(["play", str(self.folder / trace), "--script", str(script), "--out", str(out), *form])

    @property
    def cases(self) -> dict[str, tuple[int, Case]]:
        """Each with its share of all."""
        return {
            "scenario": (8, self.scenario),
            "checkpoint": (4, self.checkpoint),
            "trace": (4, self.trace),
            "live": (2, self.live),
            "script": (1, self.script),
            "state": (1, self.state),
        }


def prepare(folder: Path) -> Files:
    """Write every sound file into an empty folder, and let what is opened go without a screen."""
    torch.manual_seed(0)
    os.environ["LSTMTUI_STATE_DIR"] = str(folder / "state")
    write_data(folder)
    shutil.copy(folder / "d.csv", folder / "d.tsv")
    (folder / "d.tsv").write_text((folder / "d.csv").read_text().replace(",", "\t"))
    np.save(folder / "ids.npy", np.arange(12) % 4)
    np.savez(folder / "m.npz", x=np.ones((12, 1)), other=np.ones(3))
    for name in CHECKPOINTS:
        write_sound(folder / name)
    (folder / "script.txt").write_text(SCRIPT)
    (folder / "short.txt").write_text(SHORT_SCRIPT)
    trace = lstmtui.record(nn.LSTM(2, 3, 2, bidirectional=True), torch.randn(8, 2, 2), name="lstm")
    trace.save(folder / "saved")
    _leave_half(folder / "killed")
    session = Session(lstmtui.load(folder / "saved"))
    session.breakpoints.add_at(2)
    memory.save(session, "a scenario")
    (folder / "out").mkdir()
    _stay_in_this_process()
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return Files(folder, {path: path.read_bytes() for path in paths})


def _leave_half(path: Path) -> None:
    """What is on disk of a recording whose process was killed."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        writer = TraceWriter(path)
        writer.describe(
            Header("m", (Layer("rnn_tanh", 1, 1),), steps=9, batch=1),
            {"0/forward/initial/h": np.zeros((1, 1))},
        )
        for name in ("x", "h_pre", "h"):
            writer.array(f"0/forward/{name}", (9, 1, 1), np.float32).write(0, np.ones((6, 1, 1)))
        writer.advance(6)
    finally:
        os._exit(0)


def _stay_in_this_process() -> None:
    """No screen is opened; foreign readers run in forks of this process, which has loaded them already."""
    import h5py  # noqa: F401
    import onnx  # noqa: F401

    import lstmtui.tui.launch

    def look(start: Start, **_: object) -> None:
        traces = start.traces.values() if isinstance(start.traces, dict) else [start.traces]
        for trace in traces:
            [trace.arrays[key].tobytes() for key in trace.arrays]

    lstmtui.tui.launch.launch = look
    for process in (onnx_process, keras_process):
        process._run = partial(_forked, process.answer)


def _forked(
    answer: Callable[[str, int], int], arguments: Sequence[str], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Like `_run` of what reads a file in a process of its own, without the start of Python."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 99
        try:
            os.dup2(writing, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            status = answer(arguments[0], 1 << 40)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        content = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return subprocess.CompletedProcess([], status, content)

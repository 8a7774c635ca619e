"""Runs Python code in a process of its own, within limits on time and memory. No torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TypeVar

from lstmtui.errors import UserError

T = TypeVar("T")

FINE, REFUSED = 0, 2
"""How such a process ends: with its answer on stdout, or with the reason that there is none."""


@dataclass(frozen=True)
class Task:
    """What such a process does with a file, in words that follow the file's name."""

    doing: str
    """reading"""
    done: str
    """read"""
    crashed: str
    """How is added in brackets: ": onnxruntime failed on it"."""
    stumbled: str
    """With a place for the kind of exception: ": cannot be run: {} in the onnx package"."""
    too_large: str
    """: takes more memory than …"""
    more_time: str = ""
    """How it may take longer."""


def run_python(
    code: str, arguments: Sequence[str], seconds: float, request: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process that imports from where this one does.

    Args:
        code: reads the folders of `sys.path` from behind its arguments.
        arguments: of the process.
        seconds: after so long it is given up.
        request: what it reads from stdin.

    Raises:
        subprocess.TimeoutExpired: it was given up.
        OSError: no process can be started.
    """
    # -P: not from the current folder, where anybody may have put an onnx.py.
    command = [sys.executable, "-P", "-c", code, *arguments, *filter(None, sys.path)]
    return subprocess.run(
        command,
        input=request,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=seconds,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # numpy multiplies nothing there.
        check=False,
    )


def answer_of(
    name: str,
    task: Task,
    start: Callable[[], subprocess.CompletedProcess[bytes]],
    seconds: float,
    read: Callable[[bytes], T],
) -> T:
    """What another process answers.

    Args:
        name: of the file, printable.
        task: what is done with it.
        start: runs the process, which calls `answer_with`.
        seconds: after so long it is given up.
        read: what the process wrote; ValueError or OSError where it is something else.

    Raises:
        UserError: it has no answer, or crashed, hung or asked for too much memory.
    """
    try:
        ended = start()
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name}: {task.doing} it was given up after {seconds:.0f} seconds{task.more_time}"
        ) from None
    except OSError as error:
        why = (error.strerror or "").lower()
        wrong = f"cannot be {task.done}, as no process can be started for it: {why}"
        raise UserError(f"{name}: {wrong}") from None
    if ended.returncode == REFUSED:
        raise UserError(ended.stdout.decode("utf-8", "replace"))
    if ended.returncode == FINE:
        with suppress(ValueError, OSError):
            return read(ended.stdout)
    raise UserError(f"{name}{task.crashed} ({_death(ended.returncode)})")


def answer_with(name: str, task: Task, work: Callable[[], Callable[[IO[bytes]], object]]) -> int:
    """What the other process does: its work, whose answer it writes to stdout.

    Args:
        name: of the file, printable.
        task: what is done with it.
        work: gives what writes the answer; UserError where there is none.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there is no answer.
    """
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # What a library prints does not get into the answer.
        try:
            write = work()
        except UserError as error:
            reason = str(error)
        except MemoryError:
            reason = name + task.too_large
        except Exception as error:  # whatever a damaged file makes the library stumble over
            reason = name + task.stumbled.format(type(error).__name__)
        else:
            write(out)
            return FINE
        out.write(reason.encode("utf-8", "replace"))
        return REFUSED


def limit_memory(memory: int) -> None:
    """Bound what this process may take, in bytes of address space, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _death(status: int) -> str:
    """How a process ended, in a word."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"status {status}"

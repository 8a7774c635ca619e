"""Python code in a process of its own, with bounds on its time and memory. No torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

FINE, REFUSED = 0, 2
"""How such a process ends: with its answer on stdout, or with the reason that there is none."""


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


def limit_memory(memory: int) -> None:
    """Bound what this process may take, in bytes of address space, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def death(status: int) -> str:
    """How a process ended, in a word."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"status {status}"

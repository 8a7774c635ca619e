"""Standard streams that may be closed, on a full disk, or pipes whose reader has gone."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lstmtui.printable import printable


def open_streams() -> None:
    """Make all three streams usable: what a stream cannot encode is ?, and a closed one is the null device.

    A file that is opened later would otherwise get the number of a closed stream, and what libraries write
    there.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = getattr(sys, name)
        if stream is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        if mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def complain(text: str) -> None:
    """Lines on standard error; where that takes none, the exit status says enough."""
    with suppress(OSError):
        print(printable(text, lines=True), file=sys.stderr, flush=True)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Within this context a warning is a line on standard error, once, without this program's own code.

    One about code of the user's, or of a library, is led by its place there.
    """
    said = set[str]()
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: object = None,
    ) -> None:
        text = str(message).removeprefix("lstmtui.record: ")
        is_own = os.path.abspath(filename).startswith(own)
        text = f"note: {text}" if is_own else f"{filename}:{lineno}: {category.__name__}: {text}"
        if text not in said:
            said.add(text)
            complain(text)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def drop_output() -> None:
    """Throw away what the streams have not taken, which would fail again when the program ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):  # a stream of tests has no number
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)

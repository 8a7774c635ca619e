"""copy: repeat symbols after a gap of blanks (Hochreiter & Schmidhuber 1997; Graves et al. 2014)."""

from __future__ import annotations

import numpy as np

from lstmtui.scenario.tasks.task import Generator, Option, Task, TaskData

BLANK, GO = "_", ">"


def copy(length: int, batch: int, rng: Generator, *, symbols: int, recall: int) -> TaskData:
    """`recall` symbols, blanks, the go marker, blanks again, during which the symbols are the targets."""
    shown = rng.integers(0, symbols, size=(recall, batch))
    tokens = np.full((length, batch), symbols, dtype=np.int64)
    tokens[:recall] = shown
    tokens[length - recall - 1] = symbols + 1
    target = np.full((length, batch), symbols, dtype=np.int64)
    target[length - recall :] = shown
    defined = np.zeros((length, batch), dtype=bool)
    defined[length - recall :] = True
    labels = (*(chr(ord("a") + symbol) for symbol in range(symbols)), BLANK, GO)
    return TaskData(labels, "cross_entropy", "every", target, defined, tokens=tokens)


COPY = Task(
    "copy",
    "repeat the symbols seen before a gap",
    copy,
    length=50,
    least_length=lambda options: 2 * int(options["recall"]) + 1,
    options={
        "symbols": Option(8, 1, 26, "how many different symbols there are"),
        "recall": Option(10, 1, 1000, "how many symbols are to be repeated"),
    },
)

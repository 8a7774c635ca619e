"""brackets: how deep is the nesting of ( ) [ ] in a text?"""

from __future__ import annotations

import numpy as np

from lstmtui.scenario.tasks.task import Generator, Option, Task, TaskData

PAIRS = ("()", "[]")
LETTERS = "abcde"
VOCABULARY = "".join(PAIRS) + LETTERS


def brackets(length: int, batch: int, rng: Generator, *, max_depth: int) -> TaskData:
    """Well-nested text that ends at depth 0; the target at each timestep is the depth after its character."""
    sequences = [_sequence(length, rng, max_depth) for _ in range(batch)]
    tokens = np.array([ids for ids, _ in sequences], dtype=np.int64).T.copy()
    depth = np.array([depths for _, depths in sequences], dtype=np.float64).T.copy()
    everywhere = np.ones((length, batch), dtype=bool)
    return TaskData(tuple(VOCABULARY), "mse", "every", depth[..., None], everywhere, tokens=tokens)


def _sequence(length: int, rng: Generator, max_depth: int) -> tuple[list[int], list[int]]:
    """Ids and depths of one text: at each place a bracket opens, closes, or a letter stands."""
    choices = rng.random(length).tolist()
    pairs = rng.integers(0, len(PAIRS), size=length).tolist()
    letters = rng.integers(2 * len(PAIRS), len(VOCABULARY), size=length).tolist()
    ids: list[int] = []
    depths: list[int] = []
    opened: list[int] = []
    for place, choice in enumerate(choices):
        remaining = length - place
        if opened and (len(opened) == remaining or choice < 0.3):
            ids.append(2 * opened.pop() + 1)
        elif choice > 0.65 and len(opened) < max_depth and len(opened) + 2 <= remaining:
            opened.append(pairs[place])
            ids.append(2 * pairs[place])
        else:
            ids.append(letters[place])
        depths.append(len(opened))
    return ids, depths


BRACKETS = Task(
    "brackets",
    "follow the nesting depth of brackets",
    brackets,
    length=60,
    least_length=lambda options: 1,
    options={"max_depth": Option(8, 1, 1000, "the deepest nesting")},
)

"""Blocks of timesteps, so that a run of any length is searched in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_BLOCK = 64
"""Timesteps of the first block of a search: what is sought often comes early."""
LARGEST_BLOCK = 1 << 18
"""Numbers of one quantity in a block at most."""


def growing_blocks(steps: int, numbers: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive blocks, each twice as long as the one before up to the largest.

    Args:
        steps: T, the timesteps in all.
        numbers: what the widest quantity has at each timestep.
    """
    largest = max(1, LARGEST_BLOCK // max(1, numbers))
    start, size = 0, min(FIRST_BLOCK, largest)
    while start < steps:
        yield start, min(start + size, steps)
        start, size = start + size, min(2 * size, largest)

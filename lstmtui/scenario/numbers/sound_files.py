"""Sound from .wav files, by the standard library."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lstmtui.scenario.files import open_file
from lstmtui.scenario.limits import MAX_DATA
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.report import DataError
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_CONVERTED = "ffmpeg -i {} -c:a pcm_s16le sound.wav makes one that is"


class Sound(NamedTuple):
    """The contents of a sound file."""

    samples: Array
    """(T, channels) float64 from −1 to 1."""
    rate: int
    """How many samples of each channel are a second."""


def read_wav(path: Path, columns: list[Any] | None = None) -> Sound:
    """The samples of a .wav file: PCM of 8, 16, 24 and 32 bits.

    Args:
        path: of the file.
        columns: the channels that are taken, by their positions from 0; None: all.

    Raises:
        DataError: the file is broken, holds samples of another kind, too many, or not such a channel.
    """
    import numpy as np

    file, size = open_file(path)
    name = short(path.name)
    with file:
        try:
            with wave.open(file) as sound:
                width, channels, steps = sound.getsampwidth(), sound.getnchannels(), sound.getnframes()
                rate = sound.getframerate()
                # What the header claims is not what there is; no more is read than the file has.
                steps = min(steps, size // max(1, width * channels))
                if steps * channels > MAX_DATA:
                    has = counted(steps * channels, "sample")
                    raise DataError(f"the sound has {has}", f"at most {MAX_DATA:,}")
                content = sound.readframes(steps)
        except (wave.Error, EOFError, OSError, ValueError, RuntimeError) as error:
            if "unknown format" in str(error):
                allowed = f"PCM of 8, 16, 24 or 32 bits is read; {_CONVERTED.format(name)}"
                raise DataError(f"{name} holds samples that are not PCM", allowed) from None
            raise DataError(f"{name} is not a readable .wav file: cut off, or of another kind") from None
    if width not in (1, 2, 3, 4):
        raise DataError(f"{name} has samples of {8 * width} bits", "PCM of 8, 16, 24 or 32 bits is read")
    content = content[: len(content) // (width * channels) * width * channels]
    if not content:
        raise DataError(f"{name} has no sample")
    if width == 1:  # Only these have no sign.
        samples = (np.frombuffer(content, np.uint8).astype(np.float64) - 128) / 128
    else:
        whole = np.zeros((len(content) // width, 4), np.uint8)
        whole[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
        samples = whole.reshape(-1).view("<i4").astype(np.float64) / (1 << 31)
    return Sound(samples.reshape(-1, channels)[:, _positions(columns, channels)], rate)


def _positions(columns: list[Any] | None, channels: int) -> list[int]:
    if columns is None:
        return list(range(channels))
    for index, column in enumerate(columns):
        if type(column) is not int or not 0 <= column < channels:
            allowed = f"positions from 0 to {channels - 1}" if channels > 1 else "it has one channel, 0"
            raise DataError(f"there is no channel {shown(column)} in the sound", allowed, within=(index,))
    return columns


def why_no_sound(kind: str) -> str:
    """What to do with a file of sound that is not read, by its suffix; empty where it is none."""
    others = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".wma", ".webm")
    return f"of sound, .wav is read; {_CONVERTED.format('sound' + kind)}" if kind in others else ""

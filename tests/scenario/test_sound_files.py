"""Sound from .wav files is what was written into them; whatever else calls itself so is a sentence."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstmtui.scenario import Scenario

SOUND = '[input]\nfile = "a.wav"\n'


def write(path: Path, width: int, frames: bytes, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(16_000)
        file.writeframes(frames)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_every_width_are_read(tmp_path: Path, load: Callable[..., Scenario], width: int) -> None:
    levels, half = [-1.0, -0.5, 0.0, 0.25, 0.5], 1 << (8 * width - 1)
    numbers = [int(level * half) + (half if width == 1 else 0) for level in levels]
    frames = b"".join(number.to_bytes(width, "little", signed=width > 1) for number in numbers)
    write(tmp_path / "a.wav", width, frames)
    values = load(SOUND).input.values
    assert values is not None
    assert values[:, 0, 0].tolist() == levels


def test_channels_are_side_by_side(tmp_path: Path, load: Callable[..., Scenario]) -> None:
    write(tmp_path / "a.wav", 2, np.array([1, 2, 3, 4], "<i2").tobytes(), channels=2)
    values = load(SOUND).input.values
    assert values is not None
    assert (values[:, 0] * 32768).tolist() == [[1, 2], [3, 4]]


def test_a_channel_is_chosen_by_its_position(
    tmp_path: Path, load: Callable[..., Scenario], problem: Callable[..., str]
) -> None:
    write(tmp_path / "a.wav", 2, np.array([1, 2, 3, 4], "<i2").tobytes(), channels=2)
    source = load(SOUND + "columns = [1]\n").input
    assert source.values is not None
    assert (source.values[:, 0] * 32768).tolist() == [[2], [4]]
    assert source.sound_rate == 16_000
    for channel in ("2", '"left"', "true"):
        said = problem(SOUND + f"columns = [{channel}]\n")
        assert "input.columns[0]: there is no channel" in said
        assert "positions from 0 to 1" in said


def header(kind: int, bits: int, length: int) -> bytes:
    """The beginning of a .wav file, before its samples."""
    width = bits // 8
    sound = struct.pack("<IHHIIHH", 16, kind, 1, 8000, 8000 * width, width, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + length) + b"WAVEfmt " + sound + b"data" + struct.pack("<I", length)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RIFF", "a.wav is not a readable .wav file: cut off, or of another kind"),
        (b"ID3\x03" + bytes(100), "a.wav is not a readable .wav file"),
        (header(3, 32, 4) + bytes(4), "a.wav holds samples that are not PCM; PCM of 8, 16, 24"),
        (header(1, 16, 0), "a.wav has no sample"),
    ],
)
def test_broken_sound_is_a_sentence(
    tmp_path: Path, problem: Callable[..., str], content: bytes, said: str
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert said in problem(SOUND)


def test_a_length_that_is_only_claimed_takes_no_memory(tmp_path: Path, load: Callable[..., Scenario]) -> None:
    write(tmp_path / "a.wav", 2, bytes(8))
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = struct.pack("<I", (1 << 32) - 2)
    (tmp_path / "a.wav").write_bytes(content)
    assert load(SOUND).input.steps == 4


def test_other_formats_say_how_to_get_there(problem: Callable[..., str]) -> None:
    said = problem('[input]\nfile = "a.flac"\n')
    assert ".flac files are not read; of sound, .wav is read; ffmpeg -i sound.flac" in said

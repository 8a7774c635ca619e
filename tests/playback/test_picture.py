"""A file holds the format that its name says, or is not written."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.playback import OutputFolder, Script, play
from lstmtui.playback.picture import picture_file
from lstmtui.session import ScriptError, Session
from lstmtui.session.verbs import VERBS
from lstmtui.trace import Trace
from lstmtui.tui.headless import HeadlessDebugger


def pixels(png: bytes) -> np.ndarray:
    """(rows, columns, 4), read as the specification of PNG says."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data, size = 8, b"", (0, 0)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunk = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + chunk) == struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", chunk[:8])
            assert chunk[8:] == bytes([8, 6, 0, 0, 0]), "8 bits of red, green, blue and alpha"
        data += chunk if kind == b"IDAT" else b""
        at += 12 + length
    width, height = size
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * 4)
    image = np.zeros((height, width * 4), int)
    for y, row in enumerate(rows):
        above = image[y - 1] if y else np.zeros(width * 4, int)
        image[y] = unfiltered(int(row[0]), row[1:].astype(int), above)
    return image.reshape(height, width, 4)


def unfiltered(kind: int, row: np.ndarray, above: np.ndarray) -> np.ndarray:
    if kind in (0, 2):
        return (row + (above if kind else 0)) % 256
    out = np.zeros_like(row)
    for x in range(len(row)):
        left, upper, corner = (out[x - 4], above[x], above[x - 4]) if x >= 4 else (0, above[x], 0)
        guess = left + upper - corner
        paeth = min((abs(guess - v), n, v) for n, v in enumerate((left, upper, corner)))[2]
        out[x] = (row[x] + {1: left, 3: (left + upper) // 2, 4: paeth}[kind]) % 256
    return out


def test_a_png_is_a_png_that_shows_the_screen_with_its_letters(trace: Trace, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    session = Session(trace)
    with HeadlessDebugger(session, (40, 12)) as screen:
        commands = Script("screenshot a.svg\nscreenshot b.png\nscreenshot C.PNG", "s").parse()
        outcomes = [one.outcome for one in play(session, commands, OutputFolder(tmp_path), screen)]
    assert [outcome.text for outcome in outcomes if not outcome.ok] == []
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    image = pixels((tmp_path / "b.png").read_bytes())
    assert (tmp_path / "C.PNG").read_bytes() == (tmp_path / "b.png").read_bytes()
    # The header's row: light letters on the background of the theme.
    header = image[45:65, 20:-20, :3]
    background = np.array([0x12, 0x15, 0x1A])
    assert (np.abs(header - background).max(axis=2) == 0).mean() > 0.5
    assert (header.min(axis=2) > 150).mean() > 0.02, "there are letters"


def test_where_there_is_no_library_for_it_the_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    monkeypatch.setattr("lstmtui.libraries.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'lstmtui\[png\]', or save an .svg"):
        picture_file("<svg/>", "a.png")


def test_where_there_is_no_font_nothing_is_drawn_without_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr("lstmtui.playback.picture._draws_text", lambda: False)
    with pytest.raises(UserError, match="no font"):
        picture_file("<svg/>", "a.png")


WRITERS = [verb for verb in VERBS.values() if verb.writes]


@pytest.mark.parametrize("verb", WRITERS, ids=lambda verb: verb.name)
@pytest.mark.parametrize("ending", [".json", ".txt", ".jpg", ".svg", ".png", ".csv", ".npz", "", ".svgz"])
def test_an_ending_that_is_not_understood_is_refused_at_its_place(verb, ending: str) -> None:
    line = f"{verb.name} a{ending}"
    if ending in verb.writes:
        assert len(Script(line, "s").parse()) == 1
        return
    with pytest.raises(ScriptError) as refused:
        Script(line, "s").parse()
    endings = " or ".join(verb.writes)
    assert str(refused.value) == f"s:1:{len(verb.name) + 2}: the file name ends in {endings}"

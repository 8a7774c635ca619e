"""Scenarios and data files, spoilt at random but always in the same way for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lstmtui.cells import CELLS
from lstmtui.cells.layout import Layout

MODEL = """
[[model]]
name = "one"
cell = "lstm"
hidden_size = 3
head = 1
weights = "w.safetensors"

[[model]]
name = "two"
cell = "gru"
hidden_size = 2
num_layers = 2
bidirectional = true
head = 1
seed = 4
initial = { h0 = [0.5, -0.5] }
"""
COMMON = """title = "Spoilt"
notes = '''
# Notes
text'''
"""
OBJECTIVE = '\n[objective]\nloss = "mse"\nat = "every"\ntarget = "next"\n'
RUN = '\n[run]\ndevice = "cpu"\ndtype = "float64"\n\n[playback]\nscript = """\nstep 3\n"""\n'
TOKENS = '\n[[model]]\ncell = "rnn_tanh"\nhidden_size = 4\nembedding = 3\nhead = 9\n'

SCENARIOS = {
    "d.csv": COMMON
    + '[input]\nfile = "d.csv"\ncolumns = ["b"]\nnormalize = "standard"\n'
    + OBJECTIVE
    + MODEL
    + RUN,
    "d.npy": COMMON + '[input]\nfile = "d.npy"\n' + OBJECTIVE + MODEL,
    "d.npz": COMMON + '[input]\nfile = "d.npz"\narray = "x"\nnormalize = "minmax"\n' + OBJECTIVE + MODEL,
    "d.safetensors": '[input]\nfile = "d.safetensors"\n' + OBJECTIVE + MODEL + RUN,
    "w.safetensors": "[input]\nvalues = [[[1], [2.5]], [[nan]]]\n" + OBJECTIVE + MODEL,
    "d.txt": '[input]\nfile = "d.txt"\nvocabulary = "abcd\\n"\n' + TOKENS + RUN,
    "": '[input]\ntask = "latch"\nlength = 20\nbatch = 2\nseed = 1\nnoise = 0.5\n'
    + MODEL.replace('weights = "w.safetensors"', "[model.parameters]\nweight_ih_l0 = [[1, 2]]\n"),
}
"""Scenarios by the data file that is spoilt in their place."""

LITERALS = (
    b"-1", b"0", b"1e999", b"nan", b"-inf", b"true", b'""', b"[]", b"{}", b"[[1], [2, 3]]", b"'\x1b[2J'",
    b'"\\u001b]0;x\\u0007"', b"999999999999999999999999", b"16384", b"0x" + b"f" * 5000, b"2000-01-01",
    b'"/dev/zero"', b'"/"', b'"cross_entropy"', b'"tokens"', b'"\\u202e"', b"4_000_000", b"[" * 2000,
)  # fmt: skip


def write_data(folder: Path) -> None:
    """Write the sound data files into `folder`."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((12, 1))
    (folder / "d.csv").write_text("a,b\n" + "".join(f"x{n},{v[0]:.3f}\n" for n, v in enumerate(values)))
    np.save(folder / "d.npy", values.astype(np.float32))
    np.savez_compressed(folder / "d.npz", x=values, other=np.ones(3))
    save_file({"x": values}, folder / "d.safetensors")
    (folder / "d.txt").write_text("abcabdcba\n" * 3)
    shapes = Layout(CELLS["lstm"], 1, 3).shapes() | {"head.weight": (1, 3), "head.bias": (1,)}
    save_file(
        {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()},
        folder / "w.safetensors",
    )


def mutants(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """`count` scenario files in turn, each spoilt or beside a spoilt data file; one at a time exists."""
    rng = random.Random(seed)
    write_data(folder)
    sound = {name: (folder / name).read_bytes() for name in SCENARIOS if name}
    path = folder / "a.toml"
    for _ in range(count):
        data = rng.choice(list(SCENARIOS))
        text = SCENARIOS[data].encode()
        if not data or rng.random() < 0.6:
            text = spoilt(text, rng)
        else:
            (folder / data).write_bytes(spoilt(sound[data], rng))
        path.write_bytes(text)
        yield path
        if data:
            (folder / data).write_bytes(sound[data])


def spoilt(content: bytes, rng: random.Random) -> bytes:
    """A few random changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        content = rng.choice(MUTATIONS)(content, rng)
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content or b"x")
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _delete(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 30) :]


def _repeat_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    return b"\n".join([*lines[:place], lines[place], *lines[place:]])


def _swap_values(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    places = [place for place, line in enumerate(lines) if b" = " in line]
    if len(places) < 2:
        return content[::-1]
    one, other = rng.sample(places, 2)
    (a, x), (b, y) = (lines[place].split(b" = ", 1) for place in (one, other))
    lines[one], lines[other] = a + b" = " + y, b + b" = " + x
    return b"\n".join(lines)


def _other_value(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    places = [place for place, line in enumerate(lines) if b" = " in line]
    if not places:
        return _insert(content, rng)
    place = rng.choice(places)
    lines[place] = lines[place].split(b" = ", 1)[0] + b" = " + rng.choice(LITERALS)
    return b"\n".join(lines)


def _insert(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    control = bytes(rng.choice((0, 7, 27, 13, 155, 127)) for _ in range(3))
    return content[:start] + rng.choice((control, *LITERALS)) + content[start:]


def _random_bytes(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(8) + content[start + 8 :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _truncate,
    _delete,
    _repeat_line,
    _swap_values,
    _other_value,
    _other_value,
    _insert,
    _random_bytes,
)

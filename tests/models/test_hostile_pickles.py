"""Descriptions of tensors that would take for ever, or all memory, or change what is in this process."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path

import pytest
from clock import Within
from models.pickles import NUMBERS, REBUILD, of_pickle, tensors_of, text

from lstmtui.errors import UserError

DOUBLED = b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
"""A tuple of two tuples, of four, of eight …"""
LISTS = b"]q\x00" + b"".join(b"](h%ch%ceq%c0" % (n, n, n + 1) for n in range(60)) + b"h\x3c"
HOSTILE = {
    "a key of very many tuples": b"}" + DOUBLED + b"K\x01s",
    "a key of tuples within tuples": b"})" + b"\x85" * 300_000 + b"K\x01s",
    "a pair whose key is of very many tuples": b"ccollections\nOrderedDict\n](" + DOUBLED + b"N\x86e\x85R",
    "a dtype that takes for ever to print": b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n"
    + LISTS
    + b")\x86R",
    "very many arguments, very often": REBUILD
    + b"q\x01("
    + b"N" * 500_000
    + b"tq\x02("
    + b"h\x01h\x02R" * 50_000
    + b"t",
    "very many pairs, very often": b"ccollections\nOrderedDict\nq\x01]("
    + b"X\x01\0\0\0aN\x86" * 50_000
    + b"e\x85q\x02("
    + b"h\x01h\x02R" * 50_000
    + b"t",
    "very many tuples": b"(" + b")\x85" * (5 << 20) + b"t",
    "a long name, very often": b"}"
    + text("n" * 1_000_000)
    + b"}("
    + b"".join(text(f"{n}") + REBUILD + b"(" + NUMBERS + b"K\x00))tR" for n in range(200))
    + b"us",
    "attributes of a function": REBUILD + b"}" + text("x") + b"Nsb",
    "a function that calls itself": b"ctorch._tensor\n_rebuild_from_type_v2\nq\x01N"
    + b"N(h\x01N(h\x01N" * 5_000,
}


@pytest.mark.clock
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("pickled", HOSTILE.values(), ids=HOSTILE)
def test_a_description_that_would_take_for_ever_or_all_memory_is_answered(
    tmp_path: Path, within: Within, pickled: bytes, zipped: bool
) -> None:
    path = of_pickle(tmp_path / "c.pt", b"\x80\x02" + pickled + b".", zipped)
    with within(5), suppress(UserError):
        assert not tensors_of(path).tensors


@pytest.mark.clock
def test_a_key_of_very_many_tuples_is_no_key_of_numbers(tmp_path: Path, within: Within) -> None:
    whole = of_pickle(tmp_path / "c.pt", b"\x80\x02}.", zipped=False).read_bytes()
    keys = b"\x80\x02](" + DOUBLED + b"e."
    (tmp_path / "c.pt").write_bytes(whole.removesuffix(pickle.dumps([], protocol=2)) + keys)
    with within(5), pytest.raises(UserError, match="it is damaged or of another kind"):
        tensors_of(tmp_path / "c.pt")


def test_bytes_of_any_claimed_length_are_not_made(tmp_path: Path) -> None:
    bomb = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R."
    assert not tensors_of(of_pickle(tmp_path / "c.pt", bomb, zipped=True)).tensors
    assert not tensors_of(of_pickle(tmp_path / "c.pt", bomb, zipped=False)).tensors


@pytest.mark.parametrize("zipped", [True, False])
def test_a_memo_of_any_claimed_size_is_not_made(tmp_path: Path, zipped: bool) -> None:
    path = of_pickle(tmp_path / "c.pt", b"\x80\x02}r\xff\xff\xff\x7f.", zipped)
    with pytest.raises(UserError, match=r"c\.pt is refused: it is a pickle of more than tensors"):
        tensors_of(path)

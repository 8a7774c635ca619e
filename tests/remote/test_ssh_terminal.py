"""The program in a terminal, a real sshd on the remote side: drawn there or here, and with its link lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from clock import Within
from remote.slow_box import SlowBox, slow_box
from remote.sshd import needs_sshd
from terminal import Picture, Program
from tui.test_pty import assert_restored

pytestmark = needs_sshd

CELL_STATE = r"c₅ = f·c₄ \+ i·g"


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowBox]:
    """No slower than it has to be."""
    with slow_box(tmp_path_factory.mktemp("near"), delay=0.0, rate=1e9) as near:
        yield near


@pytest.fixture(autouse=True)
def flowing(near: SlowBox) -> Iterator[None]:
    yield
    near.relay.flow()
    near.relay.accept()


def walked(program: Program) -> Picture:
    """The screen after some keys, and a smaller one after that."""
    program.wait_for(r"t=0/11(.|\n)*c₀ = f·c₋₁(.|\n)*quit")
    program.send("l")
    program.wait_for(r"t=1/11(.|\n)*c₁ = f·c₀")
    program.send(":break when t == 7\r")
    program.wait_for("1 +t == 7")
    program.send("c")
    program.wait_for(r"t=7/11(.|\n)*c₇ = f·c₆")
    program.send("j")
    program.wait_for("▸ f₇ =")
    program.resize(100, 30)
    program.wait_for(r"▸ f₇ =(.|\n)*quit")
    program.read(quiet=0.3)
    return program.terminal.picture


def test_the_program_drawn_there_and_the_one_drawn_here_show_the_same(near: SlowBox, saved: Path) -> None:
    with near.shown(saved) as there:
        pictures = [walked(there)]
        # COLORTERM does not travel: TERM decides.
        assert b"\x1b[38;5;" in there.written
        assert b"\x1b[38;2;" not in there.written
        there.send("q")
        assert there.end() == 0
        assert_restored(there)
    with near.opened(saved, (120, 40), "--color", "256") as here:
        pictures.append(walked(here))
        here.send("q")
        assert here.end() == 0
        assert_restored(here)
    assert pictures[0] == pictures[1]


def debuggers(path: Path) -> list[int]:
    """The processes of this machine that draw a trace."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if (process / "cmdline").read_bytes().endswith(f"-m\0lstmtui\0open\0{path}\0".encode()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def until_none(path: Path, limit: float) -> None:
    end = monotonic() + limit
    while debuggers(path):
        assert monotonic() < end, "it outlives its link"
        sleep(0.05)


def test_the_program_drawn_there_ends_with_its_link(near: SlowBox, saved: Path) -> None:
    with near.shown(saved) as program:
        before = program.attributes
        program.wait_for("t=0/11(.|\n)*quit")
        assert len(debuggers(saved)) == 1
        raw = program.attributes
        near.relay.cut()
        until_none(saved, 30)
        assert program.end() == 255
        assert raw != before
        assert program.attributes == before


@pytest.mark.clock
def test_a_cut_link_is_told_and_made_again_with_everything_as_it_was(
    near: SlowBox, saved: Path, within: Within
) -> None:
    with near.opened(saved) as program:
        program.wait_for("t=0/11(.|\n)*quit")
        program.send(":break when t == 9\r:set c[1] = 2.5 from 4 to 6\r")
        program.wait_for("what-if", limit=60)
        program.send(":goto 5\r")
        program.wait_for(rf"t=5/11(.|\n)*{CELL_STATE}")
        program.read(quiet=0.5)
        near.relay.refuse()
        near.relay.cut()
        program.wait_for("reconnecting, attempt [1-9]+ of 10")
        program.wait_for(rf"t=5/11(.|\n)*{CELL_STATE}(.|\n)*t == 9")
        near.relay.accept()
        program.wait_for("reconnecting", gone=True)
        program.send("u")
        program.wait_for(r"unit 1 (.|\n)*unit 1 at t=5", limit=60)
        program.wait_for(r"what-if(.|\n)*t == 9")
        program.send("c")
        program.wait_for(r"t=9/11(.|\n)*c₉ = f·c₈")
        near.relay.stall()
        program.wait_for(r"link stalled for \d s", limit=10)
        near.relay.flow()
        program.wait_for("link stalled", gone=True)
        near.relay.refuse()
        near.relay.cut()
        program.wait_for("reconnecting")
        with within(3):
            program.send("qy")  # the what-if is lost
            assert program.end() == 0
        assert_restored(program)

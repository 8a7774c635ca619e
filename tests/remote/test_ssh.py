"""Over a real OpenSSH server: open, walk, break, what-if, export; and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from remote.sshd import Box, needs_sshd, running

import lstmtui
from lstmtui.__main__ import main
from lstmtui.analysis.windows import vector
from lstmtui.errors import UserError
from lstmtui.remote.client.client import Client
from lstmtui.remote.client.ssh import SshConnector
from lstmtui.remote.client.ssh_target import parse_ssh_target
from lstmtui.remote.wire.messages import Open
from lstmtui.session import Session

pytestmark = needs_sshd


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with running(tmp_path_factory.mktemp("sshd")) as box:
        yield box


@pytest.fixture(autouse=True)
def on_the_path(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", box.path)
    monkeypatch.setenv("LSTMTUI_REMOTE_COMMAND", box.command)


SCRIPT = """\
step 2
print f
break when min(f) < 0.5
continue
set c[1] = 2.5 from 4 to 6
goto 5
expect abs(c[1] - base(c[1])) > 0
compare GRU
export a.csv
export a.npz
"""


def test_a_script_played_over_ssh_says_and_writes_the_same(
    scenario: Path, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.txt").write_text(SCRIPT)
    said, files = [], []
    for target in (str(saved), f"ssh://box{scenario}"):
        out = tmp_path / f"out{len(said)}"
        assert main(["play", target, "--script", str(tmp_path / "s.txt"), "--out", str(out)]) == 0
        said.append(capsys.readouterr())
        files.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert said[0] == said[1]
    assert files[0] == files[1]
    assert set(files[0]) == {"a.csv", "a.npz"}


def test_laws_are_held_there_as_they_are_here(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for target in (str(scenario), f"ssh://box{scenario}"):
        assert main(["laws", target, "--only", "causality,save"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "held       causality" in said[0]


def agents(state: Path) -> list[int]:
    """The agents that serve the clients of this test, which hand on where its state is kept."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(state).encode() in environment and command.endswith(b"-m\0lstmtui\0agent\0"):
            found.append(int(process.name))
    return found


def until_gone(state: Path, seconds: float, *, but: int = 0) -> None:
    end = monotonic() + seconds
    while len(agents(state)) > but:
        assert monotonic() < end, "the agent outlives its link"
        sleep(0.05)


def test_a_session_over_ssh_survives_the_death_of_its_link_and_leaves_no_agent(
    saved: Path, state: Path
) -> None:
    real = lstmtui.load(saved)["GRU"]  # type: ignore[index]
    target = parse_ssh_target(f"ssh://box{saved}")
    client = Client(SshConnector(target, os.environ["LSTMTUI_REMOTE_COMMAND"]))
    client.connect()
    try:
        session = Session(client.open(Open(target.path)), client, client)
        session.select_model("GRU")
        np.testing.assert_array_equal(vector(session.view, "dh"), real.values("dh")[0, 0])
        (agent,) = agents(state)
        os.kill(agent, signal.SIGKILL)
        session.goto(9)
        np.testing.assert_array_equal(vector(session.view, "dh"), real.values("dh")[9, 0])
        assert agents(state) != [agent]
    finally:
        client.close()
    until_gone(state, 30)


def test_an_agent_ends_when_ssh_is_killed(saved: Path, state: Path) -> None:
    command = ["ssh", "-T", "box", os.environ["LSTMTUI_REMOTE_COMMAND"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ssh:
        assert ssh.stdout
        assert b"lstmtui" in ssh.stdout.read(12)
        assert len(agents(state)) == 1
        ssh.kill()
    until_gone(state, 30)


@pytest.mark.parametrize(
    ("target", "command", "said"),
    [
        ("ssh://box/nowhere.toml", None, "there is no such file or trace on the remote side"),
        ("ssh://box/x", "no-such-lstmtui agent", "--remote-command"),
        ("ssh://127.0.0.1:1/x", None, "ssh could not connect"),
        ("ssh://-oProxyCommand=x/x", None, "begins with no -"),
    ],
)
def test_what_cannot_be_reached_is_a_sentence_and_status_2(
    target: str, command: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--remote-command", command] if command else []
    assert main(["play", target, *given]) == 2
    assert said in capsys.readouterr().err


def test_noise_of_a_shell_is_put_up_with(box: Box, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"echo Welcome; echo to gpu >&2; {box.command}"
    assert main(["play", f"ssh://box{saved}", "--remote-command", command]) == 0
    output = capsys.readouterr()
    assert output.out == "t=2\nt == 2 holds: t = 2 at t=2, model LSTM\n"
    assert "to gpu" in output.err
    with pytest.raises(UserError, match="Welcome"):
        Client(SshConnector(parse_ssh_target("ssh://box/x"), "echo Welcome")).connect()


def test_the_agent_is_not_for_a_terminal_and_prints_nothing_among_its_frames() -> None:
    code = (
        "import sys, os; sys.argv = ['lstmtui', 'agent']; from lstmtui import __main__;"
        "from lstmtui.remote.agent.agent import Agent; serve = Agent.serve;"
        "Agent.serve = lambda self: (print('noise'), os.system('echo more'), serve(self)); __main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"", capture_output=True, timeout=60, check=True
    )
    assert b"noise" not in done.stdout
    assert b"noise" in done.stderr
    assert done.stdout.startswith(b"\x00\x1a\xfflstmtui")


def test_a_diagnosis_of_the_far_end_is_that_of_this_one(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for target in (str(saved), f"ssh://box{saved}"):
        assert main(["diagnose", target, "--json"]) == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert said[0].out


def test_an_agent_of_another_protocol_is_a_sentence_that_says_which_to_update(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        'import lstmtui.remote.agent.agent as agent; agent.PROTOCOL = 99; agent.__version__ = "9.9";'
        'from lstmtui.__main__ import main; main([\\"agent\\"])'
    ).replace('"9.9"', '\\"9.9\\"')
    assert main(["play", f"ssh://box{saved}", "--remote-command", f'{sys.executable} -c "{code}"']) == 2
    assert "lstmtui 9.9 runs there" in capsys.readouterr().err


def test_two_clients_of_one_machine_leave_each_other_alone(scenario: Path, state: Path) -> None:
    target = parse_ssh_target(f"ssh://box{scenario}")
    clients = [Client(SshConnector(target, os.environ["LSTMTUI_REMOTE_COMMAND"])) for _ in range(2)]
    sessions = []
    try:
        for client in clients:
            client.connect()
        for client in clients:
            sessions.append(Session(client.open(Open(target.path)), client, client))
        assert len(agents(state)) == 2
        clients[0].close()
        until_gone(state, 30, but=1)
        sessions[1].goto(7)
        assert vector(sessions[1], "h").shape == (4,)
        assert len(list((state / "recordings").iterdir())) == 1
    finally:
        for client in clients:
            client.close()
    until_gone(state, 30)


def test_a_trace_that_is_being_recorded_there_is_waited_for_followed_and_left_behind(
    saved: Path, tmp_path: Path
) -> None:
    """Walking back stops following, and the end is marked."""
    from synthetic import synthetic
    from terminal import Program

    place = tmp_path / "run.trace"
    with Program(["open", f"ssh://box{place}", "--follow"], (120, 40)) as program:
        program.wait_for("waiting for a trace")
        synthetic("lstm", 6, 3, name="LSTM", live=9).save(tmp_path / "1")
        (tmp_path / "1").rename(place)
        program.wait_for("t=5/5(.|\n)*quit")
        program.send("h")
        program.wait_for("t=4/5")
        place.rename(tmp_path / "old")
        synthetic("lstm", 9, 3, name="LSTM").save(tmp_path / "2")
        (tmp_path / "2").rename(place)
        program.wait_for("t=4/8")
        program.send(f":export {tmp_path}/a.csv\r")
        program.wait_for("a.csv")
        program.send("q")
        assert program.end() == 0
    assert (tmp_path / "a.csv").read_text().startswith("t,norm(x)")

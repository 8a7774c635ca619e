"""URLs: what they mean, and that nothing in them reaches ssh as an option or a shell as text."""

from __future__ import annotations

import pytest

from lstmtui.errors import UserError
from lstmtui.remote.client.ssh import SshConnector
from lstmtui.remote.client.ssh_target import SshTarget, parse_ssh_target


@pytest.mark.parametrize(
    ("url", "host", "path", "user", "port"),
    [
        ("ssh://gpu/data/run.toml", "gpu", "/data/run.toml", None, None),
        ("ssh://me@gpu.example.org:2222/~/runs/a.trace", "gpu.example.org", "~/runs/a.trace", "me", 2222),
        ("ssh://me@corp@gpu/x", "gpu", "/x", "me@corp", None),
        ("ssh://[fe80::1%25eth0]/x".replace("%25", "%"), "fe80::1%eth0", "/x", None, None),
        ("ssh://[::1]:22/x", "::1", "/x", None, 22),
        ("ssh://gpu/a%20b%2520c/∂é.toml", "gpu", "/a b%20c/∂é.toml", None, None),
        ("ssh://gpu/$(reboot);`x`|&.toml", "gpu", "/$(reboot);`x`|&.toml", None, None),
        ("ssh://gpu/-rf", "gpu", "/-rf", None, None),
        ("ssh://gpu/%7E/x", "gpu", "~/x", None, None),
        ("ssh://gpu//x", "gpu", "//x", None, None),
    ],
)
def test_a_url_names_a_place(url: str, host: str, path: str, user: str | None, port: int | None) -> None:
    assert parse_ssh_target(url) == SshTarget(host, path, user, port)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=touch%20x/x",
        "ssh://-oProxyCommand=sh/x",
        "ssh://%2doProxyCommand=sh/x",
        "ssh://-l@gpu/x",
        "ssh://-oProxyCommand=sh@gpu/x",
        "ssh://a -oProxyCommand=sh@gpu/x",
        "ssh://gpu -oProxyCommand=sh/x",
        "ssh://gpu;reboot/x",
        "ssh://$(reboot)/x",
        "ssh://`reboot`/x",
        "ssh://gpu|sh/x",
        "ssh://gpu&sh/x",
        "ssh://gpu'x/x",
        'ssh://gpu"x/x',
        "ssh://gpu\\x/x",
        "ssh://gpu\n-oProxyCommand=sh/x",
        "ssh://gpu\x00/x",
        "ssh://gpu\u202e/x",
        "ssh://[-oProxyCommand=sh]/x",
        "ssh://[::1/x",
        "ssh://[gpu]/x",
        "ssh://me:secret@gpu/x",
        "ssh://@gpu/x",
        "ssh:///x",
        "ssh://gpu",
        "ssh://gpu/",
        "ssh://gpu/~",
        "ssh://gpu/~/",
        "ssh://gpu:/x",
        "ssh://gpu:0/x",
        "ssh://gpu:65536/x",
        "ssh://gpu:22x/x",
        "ssh://gpu:-1/x",
        "ssh://gpu:+22/x",
        "ssh://gpu:٢٢/x",
        "ssh://gpü/x",
        "ssh://gpu/%0a",
        "ssh://gpu/%00",
        "ssh://gpu/%1b[2J",
        "ssh://gpu/%ff",
        "ssh://gpu/%",
        "ssh://gpu/%2",
        "ssh://gpu/%zz",
        "ssh://gpu/" + "x" * 5000,
        "http://gpu/x",
        "SSH://gpu/x",
    ],
)
def test_what_ssh_or_a_shell_might_take_for_something_else_is_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_ssh_target(url)
    assert "ssh://[user@]host[:port]/path" in str(caught.value)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in str(caught.value))


def test_the_host_stands_behind_the_options_and_the_path_not_at_all() -> None:
    link = SshConnector(parse_ssh_target("ssh://me@gpu:2222/$(x)"), "lstmtui agent")
    assert link.arguments(again=False) == [
        *("ssh", "-T", "-l", "me", "-p", "2222", "--", "gpu", "lstmtui agent"),
    ]
    assert "BatchMode=yes" in link.arguments(again=True)

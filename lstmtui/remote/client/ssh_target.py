"""ssh://[user@]host[:port]/path: read so that nothing in it can be taken for an option or for shell text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from lstmtui.errors import UserError
from lstmtui.printable import printable

SCHEME = "ssh://"
_LONGEST = 4096
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")
_PORT = re.compile(r"[0-9]{1,5}")
_ESCAPE = re.compile(r"%(?:([0-9A-Fa-f]{2})|.?)")


@dataclass(frozen=True)
class SshTarget:
    """A file or a trace on another machine."""

    host: str
    path: str
    """Absolute, or beginning with ~/ for the home directory of that machine."""
    user: str | None = None
    port: int | None = None


def is_remote(target: str | None) -> bool:
    """Whether a target is meant to be on another machine."""
    return target is not None and target.startswith(SCHEME)


def parse_ssh_target(url: str) -> SshTarget:
    """The parts of ssh://[user@]host[:port]/path; in the path %20 and the like are decoded.

    Raises:
        UserError: it is not of this form, or holds what ssh or a shell might take for something else.
    """
    if not is_remote(url):
        raise _wrong(url, f"does not begin with {SCHEME}")
    if len(url) > _LONGEST or any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in url):
        raise _wrong(url, "holds control characters, or is too long")
    place, slash, path = url[len(SCHEME) :].partition("/")
    user, at, address = place.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise _wrong(url, "the user's name may hold letters, digits and . _ + - @, and no password")
    host, port = _host_and_port(address, url)
    decoded = _decoded(path, url)
    if not slash or not decoded or decoded in ("~", "~/"):
        raise _wrong(url, "there is no path after the host")
    decoded = decoded if decoded.startswith("~/") else "/" + decoded
    return SshTarget(host, decoded, user if at else None, port)


def _host_and_port(address: str, url: str) -> tuple[str, int | None]:
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket or not _ADDRESS.fullmatch(host):
            raise _wrong(url, "the text in [ ] is not an IPv6 address")
    else:
        host, colon, rest = address.partition(":")
        rest = colon + rest
        if not _HOST.fullmatch(host):
            raise _wrong(url, "the host may hold letters, digits and . _ -, and begins with no -")
    if not rest:
        return host, None
    if not (rest.startswith(":") and _PORT.fullmatch(rest[1:]) and 1 <= int(rest[1:]) <= 65535):
        raise _wrong(url, "the port is a number from 1 to 65535")
    return host, int(rest[1:])


def _decoded(path: str, url: str) -> str:
    def byte(escape: re.Match[str]) -> bytes:
        if escape[1] is None:
            raise _wrong(url, "a % in the path is followed by two hexadecimal digits; write %25 for %")
        return bytes([int(escape[1], 16)])

    parts, last = [], 0
    for escape in _ESCAPE.finditer(path):
        parts += [path[last : escape.start()].encode(), byte(escape)]
        last = escape.end()
    try:
        text = b"".join([*parts, path[last:].encode()]).decode()
    except UnicodeDecodeError:
        raise _wrong(url, "the path is not UTF-8") from None
    if any(unicodedata.category(c) == "Cc" for c in text):
        raise _wrong(url, "the path holds control characters")
    return text


def _wrong(url: str, why: str) -> UserError:
    shown = printable(url if len(url) <= 200 else url[:199] + "…")
    return UserError(
        f"{shown}: {why}; write ssh://[user@]host[:port]/path, or /~/path from the home directory"
    )

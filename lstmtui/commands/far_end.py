"""Targets on another machine: how it is reached, and what is opened there."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmtui.errors import UserError

if TYPE_CHECKING:
    from lstmtui.remote.client import Client
    from lstmtui.remote.wire.messages import Open

VARIABLE = "LSTMTUI_REMOTE_COMMAND"


def add_remote_arguments(parser: argparse.ArgumentParser) -> None:
    """`--remote-command`, for machines where lstmtui is not on the PATH."""
    parser.add_argument(
        "--remote-command",
        metavar="COMMAND",
        help=f"with ssh://: what starts the agent there: '/path/to/lstmtui agent'; or {VARIABLE}",
    )


def is_remote(target: str | None) -> bool:
    """Whether a target is on another machine."""
    return target is not None and target.startswith("ssh://")


def wanted(arguments: argparse.Namespace) -> Open:
    """What is to be opened there.

    Raises:
        UserError: the target is not of the form ssh://[user@]host[:port]/path.
    """
    from lstmtui.remote.target import parse_target
    from lstmtui.remote.wire.messages import Open

    path = parse_target(arguments.target).path
    waits = getattr(arguments, "follow", False)
    return Open(path, arguments.device, arguments.dtype, arguments.trust, wait=waits)


@contextmanager
def far_end(arguments: argparse.Namespace, meanwhile: Callable[[], object] | None = None) -> Iterator[Client]:
    """A client that is connected by ssh, which may ask for passwords first.

    Args:
        arguments: of the command.
        meanwhile: begins what can be done while ssh connects.

    Raises:
        UserError: there is no connection.
    """
    from lstmtui.remote.link import REMOTE_COMMAND, SshLink
    from lstmtui.remote.target import parse_target

    command = arguments.remote_command or os.environ.get(VARIABLE) or REMOTE_COMMAND
    link = SshLink(parse_target(arguments.target), command)
    link.begin()
    from lstmtui.remote.client import Client

    client = Client(link)
    if meanwhile is not None:
        meanwhile()
    client.connect()
    try:
        yield client
    except UnicodeError:  # what is said cannot be written here
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Answers are checked as they come; what a lie leads to all the same is no more than a sentence.
        raise UserError(f"what the far end answered makes no sense: {error}") from error
    finally:
        client.close()

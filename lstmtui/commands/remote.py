"""Targets on another machine: how it is reached, and what is opened."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.remote.client.ssh_target import is_remote

if TYPE_CHECKING:
    from lstmtui.remote.client.client import Client
    from lstmtui.remote.wire.messages import Open

__all__ = ["add_remote_arguments", "is_remote", "open_request", "remote_client"]

VARIABLE = "LSTMTUI_REMOTE_COMMAND"


def add_remote_arguments(parser: argparse.ArgumentParser) -> None:
    """`--remote-command`, for machines where lstmtui is not on the PATH."""
    parser.add_argument(
        "--remote-command",
        metavar="COMMAND",
        help=f"with ssh://, what starts the agent there: '/path/to/lstmtui agent' (or set {VARIABLE})",
    )


def open_request(arguments: argparse.Namespace) -> Open:
    """The request to open the target of a command.

    Raises:
        UserError: the target is not of the form ssh://[user@]host[:port]/path.
    """
    from lstmtui.remote.client.ssh_target import parse_ssh_target
    from lstmtui.remote.wire.messages import Open

    path = parse_ssh_target(arguments.target).path
    waits = getattr(arguments, "follow", False)
    return Open(path, arguments.device, arguments.dtype, arguments.trust, wait=waits)


@contextmanager
def remote_client(
    arguments: argparse.Namespace, meanwhile: Callable[[], object] | None = None
) -> Iterator[Client]:
    """A client that is connected by ssh, which may ask for passwords first.

    Args:
        arguments: of the command.
        meanwhile: begins what can be done while ssh connects.

    Raises:
        UserError: there is no connection.
    """
    from lstmtui.remote.client.program import REMOTE_COMMAND
    from lstmtui.remote.client.ssh import SshConnector
    from lstmtui.remote.client.ssh_target import parse_ssh_target

    command = arguments.remote_command or os.environ.get(VARIABLE) or REMOTE_COMMAND
    connector = SshConnector(parse_ssh_target(arguments.target), command)
    connector.begin()
    from lstmtui.remote.client.client import Client

    client = Client(connector)
    if meanwhile is not None:
        meanwhile()
    client.connect()
    try:
        yield client
    except UnicodeError:  # a text cannot be written to this terminal
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Answers are checked as they come; what a lie leads to all the same is no more than a sentence.
        raise UserError(f"the agent's answer makes no sense: {error}") from error
    finally:
        client.close()

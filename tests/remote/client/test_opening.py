"""What is to be opened is asked for before anybody waits for it."""

from __future__ import annotations

import socket
from pathlib import Path

from remote.pairs import AgentLink, connected
from remote.test_session import wait_until

from lstmtui.analysis.windows import vector
from lstmtui.remote.wire.messages import Open
from lstmtui.session import Session


def test_a_link_that_is_lost_between_the_answer_and_who_waits_for_it_changes_nothing(saved: Path) -> None:
    link, target = AgentLink(), Open(str(saved))
    with connected(link) as client:
        client.begin_to_open(target)
        wait_until(lambda: link.streams[0].received > 500 and client._dispatcher.reopening)
        link.streams[0].end.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: link.connections == 2)
        session = Session(client.open(target), client, client)
        assert link.connections == 2
        assert vector(session.view, "h").shape == (4,)

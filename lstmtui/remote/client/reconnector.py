"""Notices when a connection stalls or ends, and makes another one, patiently but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.client.connection import GREETING, Connection, LinkLost
from lstmtui.remote.client.connector import Connector
from lstmtui.remote.client.dispatcher import Dispatcher
from lstmtui.remote.wire.messages import Hello

STALLED, SILENT = 3.0, 12.0
"""Seconds without a byte after which the screen says so, and after which the connection is given up."""
_SETTLED = 30.0
"""Seconds after which a connection counts as a good one, whatever came over it."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after which delays, a lost link is retried."""

    attempts: int = 10
    first: float = 0.2
    """Seconds before the first attempt; twice as many before each further one."""
    most: float = 8.0

    def pause(self, attempt: int) -> float:
        """Seconds before an attempt, which are counted from 1."""
        return min(self.most, self.first * 2.0 ** min(attempt - 1, 30))


class Reconnector:
    """Holds the current connection, and watches over it in a thread.

    Args:
        connector: connects to an agent.
        dispatcher: gives what is sent, and takes what comes.
        session: the client's name for its session.
        on_update: called when `link_status` is another, from any thread.
        retry_policy: how a lost link is tried again.
    """

    def __init__(
        self,
        connector: Connector,
        dispatcher: Dispatcher,
        session: str,
        on_update: Callable[[], None],
        retry_policy: RetryPolicy,
    ) -> None:
        self._connector, self._dispatcher, self._session = connector, dispatcher, session
        self._on_update, self._retry_policy = on_update, retry_policy
        self._connection: Connection | None = None
        self._pending: Connection | None = None
        """A connection that is being made."""
        self._attempt = 0
        self._is_stalled = False
        """Whether the screen says so."""
        self._closed, self._now = Event(), Event()
        self._lock = Lock()
        self.hello = Hello("", 0)

    @property
    def link_status(self) -> str:
        """What is wrong with the link, in a few words; empty where all is well."""
        failure, connection = self._dispatcher.failure, self._connection
        if failure is not None:
            return f"link lost, R reconnects: {failure}"
        if connection is None or connection.ended.is_set():
            return f"reconnecting, attempt {max(1, self._attempt)} of {self._retry_policy.attempts}"
        silent = monotonic() - connection.heard
        return f"link stalled for {silent:.0f} s" if silent > STALLED else ""

    def start(self) -> None:
        """Connect for the first time; ssh may ask for passwords meanwhile.

        Raises:
            UserError: there is no connection.
        """
        try:
            self._connect(again=False)
        except LinkLost as error:
            raise UserError(str(error)) from None
        Thread(target=self._keep, daemon=True).start()

    def retry(self) -> None:
        """Try again now, be it after giving up."""
        self._attempt = 0
        self._dispatcher.fail(None)
        self._now.set()

    def close(self) -> None:
        """End the connection for good."""
        self._closed.set()
        self._now.set()
        with self._lock:
            connection, pending, is_well = self._connection, self._pending, not self.link_status
        if pending is not None:
            pending.close()
        if connection is not None:
            (connection.leave if is_well else connection.close)()
        self._dispatcher.fail(UserError("the link has been closed"))

    def _connect(self, *, again: bool) -> None:
        streams = self._connector.connect(again=again)
        connection = self._pending = Connection(streams, self._dispatcher, self._on_update)
        try:
            self.hello = connection.greet(self._session, GREETING if again else None)
        except BaseException:
            connection.close()
            raise
        finally:
            self._pending = None
        with self._lock:
            if self._closed.is_set():
                connection.close()
                return
            self._connection = connection
        self._dispatcher.restart(connection)
        connection.start()

    def _keep(self) -> None:
        while not self._closed.is_set():
            connection = self._connection
            if self._dispatcher.failure is not None or connection is None:
                if connection is not None:
                    connection.close()
                self._now.wait()
                self._now.clear()
                self._reconnect()
            elif connection.ended.wait(0.5):
                self._ended(connection)
            else:
                self._listen_for(connection)

    def _listen_for(self, connection: Connection) -> None:
        silent = monotonic() - connection.heard
        if silent > SILENT:
            connection.close()
        elif silent > STALLED or self._is_stalled:
            self._is_stalled = silent > STALLED
            self._on_update()

    def _ended(self, connection: Connection) -> None:
        """Make another connection after one that is over, where that may help."""
        connection.close()
        if self._closed.is_set():
            return
        if connection.problem is not None:
            self._give_up(str(connection.problem))
            return
        if self._dispatcher.replies_of_connection or monotonic() - connection.began > _SETTLED:
            self._attempt = 0
        self._reconnect()

    def _reconnect(self) -> None:
        why = "it ends each time before anything is answered"
        while not self._closed.is_set() and self._attempt < self._retry_policy.attempts:
            self._attempt += 1
            self._on_update()
            self._now.wait(self._retry_policy.pause(self._attempt))
            self._now.clear()
            if self._closed.is_set():
                return
            try:
                self._connect(again=True)
            except LinkLost as error:
                why = str(error)
                if "Permission denied" in why:
                    why = "ssh asks for a password again, and the screen is in the way: open it anew"
                    break
            except (UserError, OSError) as error:
                why = str(error)
                break
            else:
                self._on_update()
                return
        if not self._closed.is_set():
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._dispatcher.fail(UserError(printable(why)))
        self._on_update()

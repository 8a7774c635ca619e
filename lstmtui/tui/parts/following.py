"""Follows a trace that grows: polls it off the event loop, and keeps the cursor at its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Thread
from typing import Protocol

from lstmtui.cells.notation import percent
from lstmtui.errors import Cancelled, UserError
from lstmtui.session import Session, Stop
from lstmtui.trace import Trace, Traces
from lstmtui.trace.growth import LIVE_STATE, Follower

EVERY = 0.5
"""Seconds between two looks."""


class Display(Protocol):
    """A screen that shows a session whose traces grow."""

    message: Stop | None
    """What was said last."""

    @property
    def is_busy(self) -> bool:
        """Whether a command is running; traces are not replaced while it does."""

    def renew(self, *, live: bool) -> None:
        """Draw everything again, as the session has new traces; `live`: they are still growing."""

    def show_session(self) -> None:
        """Draw what changed."""


class Following:
    """Renews a session when its traces have grown.

    At the last timestep of the last model the cursor moves along; anywhere else it stays where it is.

    Args:
        session: what is renewed.
        display: what shows the session.
        follower: what is asked.
        follow: whether to begin at the end.
    """

    def __init__(self, session: Session, display: Display, follower: Follower, *, follow: bool) -> None:
        self._session, self._display, self._follower = session, display, follower
        self._follows = follow
        self._news: Trace | Traces | None = None
        self._shown = ""
        if follow:
            go_to_end(session)

    @property
    def text(self) -> str:
        """How it stands, for the header."""
        header, state = self._session.trace.header, self._follower.state
        if header.live and state == LIVE_STATE:
            state = f"live {percent(header.steps / header.live)}"
        return ", ".join(filter(None, (state, "following" if self.follows else "")))

    @property
    def follows(self) -> bool:
        """Whether the cursor moves along with the recording: if it was told to, and stands at the end."""
        return self._follows and is_at_end(self._session)

    async def poll_repeatedly(self) -> None:
        """Poll the traces again and again, until this is cancelled."""
        was_at_end = is_at_end(self._session)
        while True:
            await asyncio.sleep(EVERY)
            news = await self._poll()
            self._news = self._news if news is None else news
            at_end = is_at_end(self._session)
            # Who goes to the end follows from there on, and who leaves it does not.
            self._follows = at_end and (self._follows or not was_at_end)
            self._renew()
            was_at_end = is_at_end(self._session)

    async def _poll(self) -> Trace | Traces | None:
        """Poll in a thread that the program does not wait for when it ends: a link may be slow."""
        answer: asyncio.Future[Trace | Traces | None] = asyncio.get_running_loop().create_future()

        def ask() -> None:
            news, problem = None, ""
            try:
                news = self._follower.poll()
            except Cancelled:
                pass
            except UserError as error:
                problem = str(error)
            with suppress(RuntimeError):  # the event loop is closed
                answer.get_loop().call_soon_threadsafe(settle, news, problem)

        def settle(news: Trace | Traces | None, problem: str) -> None:
            if problem:
                self._display.message = Stop("refused", problem)
            if not answer.done():
                answer.set_result(news)

        Thread(target=ask, name="follow", daemon=True).start()
        return await answer

    def _renew(self) -> None:
        """Show what has grown; what-ifs of a shorter run, and a command that runs, are left in peace."""
        session, display = self._session, self._display
        if self._news is not None and not display.is_busy and not session.changed:
            follows = self._follows
            session.renew(self._news)
            self._news = None
            if follows:
                go_to_end(session)
            display.renew(live=self._follower.state == LIVE_STATE)
        elif self.text != self._shown:
            display.show_session()
        self._shown = self.text


def is_at_end(session: Session) -> bool:
    """Whether the cursor is at the last timestep of the last model."""
    return session.cursor.t == session.last_t and session.cursor.model == next(reversed(session.traces))


def go_to_end(session: Session) -> None:
    """Select the last model, and its last timestep."""
    session.select_model(next(reversed(session.traces)))
    session.last()

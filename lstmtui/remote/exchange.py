"""The questions of a client and their answers, between the threads that ask and those of the link."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition
from time import monotonic
from typing import Any

from msgspec import Raw

from lstmtui.errors import Cancelled, UserError
from lstmtui.remote.cache import AnswerCache, Answered
from lstmtui.remote.jobs import Job
from lstmtui.remote.prefetch import Prefetch
from lstmtui.remote.questions import Question, ReadingQuestion
from lstmtui.remote.wire.frames import encode_frame
from lstmtui.remote.wire.messages import AboutRequest, Cancel, Ping, Request

PING_EVERY = 2.0
"""Seconds."""
MOST_URGENT, MOST_EARLY = 64 << 10, 16 << 10
"""Bytes of answers that may be on their way at once, for what is waited for and for what may be wanted soon:
at 2 Mbit/s 16 KiB delay an answer by 65 ms."""
_STALE = 2.0
"""Seconds after which a question that nobody waits for, neither sent nor repeated, is dropped."""
_FIRST_GUESS = 512
"""Bytes of an answer to a question that was never asked before."""
_GATHER = 0.001
"""Seconds in which questions of one pass are gathered for one write."""
_PROGRESS_EVERY = 0.1
_MOST_PARTS = 256

Progress = Callable[[str, int, int], None]


class Exchange:
    """Jobs by number, answers by question.

    Args:
        memory: bytes of answers that are kept.
    """

    def __init__(self, memory: int) -> None:
        self.changed = Condition()
        """Guards everything here, and is told of every change."""
        self.reopening: Job | None = None
        """Goes first on every new connection."""
        self.answers_of_connection = 0
        self.failure: UserError | None = None
        """Why there will be no more answers; None while there may be."""
        self._cache = AnswerCache(memory)
        self._prefetch = Prefetch()
        self._jobs: dict[int, Job] = {}
        self._asked: dict[Any, Job] = {}
        self._sizes: dict[str, float] = {}
        self._cancelled: list[int] = []
        self._number = 0
        self._epoch = 0
        self._pinged = monotonic()
        self._carrier: object = None

    def note(self, asked: ReadingQuestion) -> None:
        """Something is being looked at: what comes next may be fetched."""
        with self.changed:
            self._prefetch.note(asked)
            self.changed.notify_all()

    def found(self, question: Question) -> Answered | None:
        """The answer if it is here; else it is asked for."""
        with self.changed:
            answered = self._cache.get(question.key)
            if answered is None:
                self._ask(question)
            return answered

    def answer(self, question: Question) -> Any:
        """The answer, waited for.

        Raises:
            UserError: there is none.
            Cancelled: `cancel` was called.
        """
        with self.changed:
            answered = self._cache.get(question.key)
            job = None if answered else self._ask(question)
        return self.wait(job) if job else _given(answered)

    def submit(self, request: Request, take: Callable[[Raw], Any], *, parts: bool = False) -> Job:
        """Ask for something whose answer is not kept."""
        with self.changed:
            job = self._add(request, take)
            if parts:
                job.parts = deque()
            return job

    def wait(
        self, job: Job, progress: Progress | None = None, part: Callable[[bytes], object] | None = None
    ) -> Any:
        """The answer of a job.

        Args:
            job: what was asked.
            progress: told how far it is, and now and then that it still goes on; may raise to stop it.
            part: given the parts of a file as they come.

        Raises:
            UserError: there is none.
            Cancelled: `cancel` was called.
        """
        with self.changed:
            epoch = self._epoch
            job.waiting += 1
        try:
            while True:
                with self.changed:
                    self._await(job, epoch)
                    parts = list(job.parts or ())
                    if job.parts:
                        job.parts.clear()
                        self.changed.notify_all()
                    answered, told = job.answered, job.progress or ("", 0, 1)
                for data in parts:
                    if part is not None:
                        part(data)
                if answered is not None:
                    return _given(answered)
                if progress is not None:
                    progress(*told)
        except BaseException:
            with self.changed:
                self._drop(job)
            raise
        finally:
            with self.changed:
                job.waiting -= 1

    def cancel(self) -> None:
        """Every thread that waits gives up."""
        with self.changed:
            self._epoch += 1
            self.changed.notify_all()

    def fail(self, error: UserError | None) -> None:
        """There will be no more answers, or there may be again."""
        with self.changed:
            self.failure = error
            self.changed.notify_all()

    def restart(self, carrier: object) -> None:
        """A new agent is there, which knows of nothing; only its connection is given messages from now on."""
        with self.changed:
            self._carrier = carrier
            self.answers_of_connection = 0
            self._cancelled = []
            self._prefetch.forget()
            for job in [*self._jobs.values(), *([self.reopening] if self.reopening else [])]:
                job.sent, job.answered = False, None
            for job in [job for job in self._jobs.values() if job.early]:
                self._forget(job)
            self.changed.notify_all()

    def received(self, message: AboutRequest, size: int) -> bool:
        """A message has come; whether it is news for somebody."""
        with self.changed:
            job = self._jobs.get(message.id)
            if message.id == 0 and self.reopening is not None:
                self.reopening.receive(message)
            if job is None or self.failure is not None:
                # After a failure, answers may be about something else than was asked.
                self.changed.notify_all()
                return False
            job.receive(message)
            while job.parts is not None and len(job.parts) > _MOST_PARTS and job.waiting:
                self.changed.wait(1.0)
            if job.answered is not None:
                self._forget(job)
                self.answers_of_connection += 1
                if job.question is not None and not isinstance(job.answered.error, Cancelled):
                    self._cache.put(job.question.key, job.answered)
                    old = self._sizes.get(job.question.name, size)
                    self._sizes[job.question.name] = 0.7 * old + 0.3 * size
            self.changed.notify_all()
            return True

    def outgoing(self, carrier: object, timeout: float) -> bytes:
        """What a connection is to send now, waited for; nothing where nothing came up in time."""
        with self.changed:
            data = self._gathered(carrier)
            if not data:
                self.changed.wait(timeout)
                # The questions of one pass come one by one; they go out together.
                self.changed.wait(_GATHER)
                data = self._gathered(carrier)
            return data

    def _await(self, job: Job, epoch: int) -> None:
        """Wait a little, unless there is something to do already."""
        if job.answered is None and not job.parts:
            if self._epoch != epoch:
                raise Cancelled
            if self.failure is not None:
                raise self.failure
            self.changed.wait(_PROGRESS_EVERY)

    def _ask(self, question: Question, *, early: bool = False) -> Job:
        job = self._asked.get(question.key)
        if job is None:
            job = self._add(question.request, question.take, question, early)
            self._asked[question.key] = job
        job.early, job.asked = job.early and early, monotonic()
        return job

    def _add(
        self,
        request: Request,
        take: Callable[[Raw], Any],
        question: Question | None = None,
        early: bool = False,
    ) -> Job:
        self._number += 1
        size = int(self._sizes.get(question.name, _FIRST_GUESS)) if question else 0
        job = Job(self._number, request, take, question, early, size=size)
        self._jobs[job.number] = job
        self.changed.notify_all()
        return job

    def _drop(self, job: Job) -> None:
        """Nobody wants it any more; the agent is told if it knows of it."""
        if job.answered is None and job.waiting <= 1 and job.number in self._jobs:
            self._forget(job)
            if job.sent:
                self._cancelled.append(job.number)
                self.changed.notify_all()

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.number, None)
        if job.question is not None:
            self._asked.pop(job.question.key, None)

    def _gathered(self, carrier: object) -> bytes:
        """The frames that may go now: those that steer, those that are waited for, those ahead."""
        if carrier is not self._carrier:
            return b""
        frames = []
        if self._cancelled:
            frames.append(encode_frame(Cancel(tuple(self._cancelled))))
            self._cancelled = []
        if monotonic() - self._pinged > PING_EVERY:
            self._pinged = monotonic()
            frames.append(encode_frame(Ping()))
        if self.reopening is not None and not self.reopening.sent:
            self.reopening.sent = True
            frames.append(encode_frame(self.reopening.ask))
        frames += [encode_frame(job.ask) for job in (*self._urgent(), *self._early())]
        return b"".join(frames)

    def _urgent(self) -> list[Job]:
        """What is waited for, then what was asked last, as far as the answers fit on the way."""
        now = monotonic()
        unsent = [job for job in self._jobs.values() if not job.sent]
        for job in unsent:
            if job.question and not job.waiting and now - job.asked > _STALE:
                self._forget(job)
        unsent = [job for job in unsent if job.number in self._jobs]
        unsent.sort(key=lambda job: (not (job.waiting or job.question is None), -job.asked))
        room = MOST_URGENT - sum(job.size for job in self._jobs.values() if job.sent and not job.early)
        chosen = []
        for job in unsent:
            if job.size > room and room < MOST_URGENT and not job.waiting:
                break
            job.sent = True
            room -= job.size
            chosen.append(job)
        return chosen

    def _early(self) -> list[Job]:
        """What may be wanted soon, while nobody waits for anything."""
        if self.failure is not None or any(not job.early for job in self._jobs.values()):
            return []
        room = MOST_EARLY - sum(job.size for job in self._jobs.values())
        chosen: list[Job] = []
        for asked in self._prefetch.wanted() if room > 0 else ():
            question = asked.question
            if question.key in self._asked or question.key in self._cache:
                continue
            job = self._ask(question, early=True)
            job.sent = True
            chosen.append(job)
            room -= job.size
            if room <= 0:
                break
        return chosen


def _given(answered: Answered | None) -> Any:
    assert answered is not None
    if answered.error is not None:
        raise answered.error.with_traceback(None)
    return answered.value

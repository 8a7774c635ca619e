"""The messages of client and agent; each is of one kind, so that it is a value or an error, never neither."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from lstmtui.remote.wire.references import CursorReference, RunReference, ViewedRuns

PROTOCOL = 2
"""The version of the messages; ends whose versions differ do not talk."""
SESSION_DIGITS = 32
"""Hexadecimal digits of a session's name."""


class Hello(Struct, frozen=True):
    """The first message of either end, of the same form in every version."""

    lstmtui: str
    """The program's version."""
    protocol: int
    session: str = ""
    """From the client: a random name, by which a later agent finds what an earlier one recorded."""


class Open(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="open"):
    """Open a scenario, which is recorded, or a saved trace; answered by `Opened`, or its token alone."""

    path: str
    device: str | None = None
    """None: what the scenario says."""
    dtype: str | None = None
    """None: what the scenario says."""
    trust: bool = False
    """Whether the user lets the scenario run code of theirs."""
    token: str = ""
    """Of what the client has opened before; where it is still the same, the answer is this token alone."""
    wait: bool = False
    """Whether to wait for a trace that does not exist yet."""


class Answer(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="answer"):
    """Answer a query."""

    query: str
    arguments: Raw
    """A map, by name."""
    place: CursorReference
    runs: ViewedRuns | None = None
    """None: the opened run of the place's model, without what-ifs."""


class Rerun(Struct, frozen=True, tag_field="do", tag="rerun"):
    """Run a model again with what-ifs; answered by `RunDescription`."""

    run: RunReference


class Load(Struct, frozen=True, tag_field="do", tag="load"):
    """Find a saved run on the agent's machine; answered by `RunDescription`, or None if there is none."""

    run: RunReference


class HoldLaws(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="laws"):
    """Test the laws of state on a model; answered by `HeldLaws`, after (law, seconds) as progress."""

    run: RunReference
    only: tuple[str, ...] = ()
    """The names of the laws; empty: all."""


class Elements(Struct, frozen=True, tag_field="do", tag="elements"):
    """Part of an array: an integer or (start, stop, step) for each of its first axes."""

    run: RunReference
    key: int
    """The position of the array in `RunDescription.arrays`."""
    index: tuple[int | tuple[int, int, int], ...]


class ExportRequest(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="export"):
    """Export what is selected; answered by parts of the file, and then its size."""

    name: str
    place: CursorReference
    runs: ViewedRuns | None = None
    """None: the opened run of the place's model, without what-ifs."""
    offset: int = 0
    """Bytes that have arrived before."""


class Poll(Struct, frozen=True, tag_field="do", tag="poll"):
    """Ask for what was opened if it has changed; answered by `Opened`, or None."""

    token: str


Request = Open | Answer | Rerun | Load | HoldLaws | Elements | ExportRequest | Poll


class Ask(Struct, frozen=True, array_like=True, omit_defaults=True, tag="ask"):
    """A request with its number."""

    id: int
    request: Request
    prefetch: bool = False
    """Nobody waits for it yet."""


class Cancel(Struct, frozen=True, array_like=True, tag="cancel"):
    """The answers to these requests are not wanted any more."""

    ids: tuple[int, ...]


class Ping(Struct, frozen=True, array_like=True, tag="ping"):
    """A sign of life of the client; answered by `Pong`."""


class Bye(Struct, frozen=True, array_like=True, tag="bye"):
    """The client leaves for good."""


FromClient = Ask | Cancel | Ping | Bye


class Value(Struct, frozen=True, array_like=True, tag="value"):
    """The answer to a request."""

    id: int
    value: Raw
    """Of the type that the request says."""


class Failure(Struct, frozen=True, array_like=True, omit_defaults=True, tag="failure"):
    """Why a request has no answer."""

    id: int
    error: str
    kind: Literal["user", "expression"] = "user"
    """expression: an expression of the request cannot be evaluated."""


class RequestCancelled(Struct, frozen=True, array_like=True, tag="cancelled"):
    """A request was given up, as the client wished."""

    id: int


class RequestProgress(Struct, frozen=True, array_like=True, tag="progress"):
    """The progress of a request."""

    id: int
    activity: str
    done: int
    total: int


class RecordingStarted(Struct, frozen=True, array_like=True, tag="recording"):
    """A recording begins."""

    id: int
    path: str
    """Where it is kept on the agent's machine."""


class ExportChunk(Struct, frozen=True, array_like=True, tag="part"):
    """The next bytes of an export."""

    id: int
    data: bytes


class Pong(Struct, frozen=True, array_like=True, tag="pong"):
    """A sign of life of the agent."""


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """What the client sent is invalid; the agent ends."""

    reason: str


AboutRequest = Value | Failure | RequestCancelled | RequestProgress | RecordingStarted | ExportChunk
FromAgent = AboutRequest | Pong | Refused

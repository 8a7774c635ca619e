"""Plays a script: one command after another, until the end or a command that cannot be executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from lstmtui.errors import UserError
from lstmtui.playback.cast import Cast
from lstmtui.playback.export import export
from lstmtui.playback.picture import picture_file
from lstmtui.playback.written_files import OutputFolder
from lstmtui.printable import printable
from lstmtui.session import Command, Outcome, Session
from lstmtui.session.execute import execute
from lstmtui.session.requests import Export, Help, Pause, Request, Screenshot
from lstmtui.session.verbs import VERBS
from lstmtui.view import Cursor

COMMAND_SECONDS = 0.5
"""How long a recording stays on what a command did."""


class Screen(Protocol):
    """A screen on which a played session is shown, even if nobody watches."""

    def run(self, command: Command) -> Outcome:
        """Execute a command, and show the result."""

    def picture(self) -> str:
        """The contents of the screen, as SVG."""

    def changes(self) -> str:
        """The terminal sequences that turn what was sent before into what is on screen."""


@dataclass(frozen=True, eq=False)
class Played:
    """A command that was played."""

    command: Command
    outcome: Outcome
    cursor: Cursor
    """Where the session is after it."""
    stage: str | None = None
    """The quantity that was evaluated last, inside a timestep."""

    @property
    def refused(self) -> bool:
        """Whether it could not be done, which is not the same as an `expect` that did not hold."""
        return not self.outcome.ok and self.outcome.expect is None

    @property
    def last(self) -> bool:
        """Whether nothing is played after it."""
        return self.refused or VERBS[self.command.verb].ends


def play(
    session: Session, commands: Iterable[Command], folder: OutputFolder, screen: Screen | None = None
) -> Iterator[Played]:
    """Execute commands until one is refused or says `quit`; a `pause` is not waited for.

    Args:
        session: is changed by it.
        commands: of a script.
        folder: where `screenshot` and `export` write.
        screen: what pictures are taken of; None: they are refused.
    """
    run: Callable[[Command], Outcome] = screen.run if screen else lambda command: execute(session, command)
    for command in commands:
        outcome = run(command)
        if isinstance(outcome.request, Help):
            from lstmtui.help.page import reference

            outcome = replace(outcome, text=reference(outcome.request.topic))
        try:
            _save(session, command.verb, outcome.request, folder, screen)
        except UserError as error:
            outcome = replace(outcome, ok=False, text=printable(str(error)), request=None)
        cursor = session.cursor
        stage = None if cursor.stage is None else session.cell.stages[cursor.stage]
        played = Played(command, outcome, cursor, stage)
        yield played
        if played.last:
            return


def record_cast(cast: Cast, screen: Screen, played: Iterable[Played]) -> Iterator[Played]:
    """Play the same commands, and add each to the recording."""
    cast.output(screen.changes())
    cast.wait(COMMAND_SECONDS)
    for step in played:
        cast.mark(step.command.text)
        cast.output(screen.changes())
        request = step.outcome.request
        cast.wait(COMMAND_SECONDS + (request.seconds if isinstance(request, Pause) else 0))
        yield step


def _save(
    session: Session, verb: str, request: Request | None, folder: OutputFolder, screen: Screen | None
) -> None:
    """Write the file that a command asks for."""
    match request:
        case Export(name):
            folder.save(verb, name, lambda file: export(session.view, name, file))
        case Screenshot(name):
            if screen is None:
                raise UserError(f"{name}: there is no screen to take a picture of")
            picture = picture_file(screen.picture(), name)
            folder.save(verb, name, lambda file: file.write(picture))

"""What a verb is: how it is written, read, completed and executed, and what front ends must know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lstmtui.session.language.arguments import Parse
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.verbs.completions import Complete, nothing
from lstmtui.session.verbs.selection import Selection

Execute: TypeAlias = Callable[..., Outcome]
"""Called with the session and the verb's arguments; raises UserError where it cannot be done."""
InLesson: TypeAlias = Literal["acts", "speaks", "asks", "checks", "waits"]
Reads: TypeAlias = Literal["nothing", "arrays", "run"]


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One command of the language."""

    name: str
    usage: str
    """How it is written; capitals stand for something, square brackets may be left out."""
    help: str
    """What it does, in one line."""
    parse: Parse
    """What follows the verb, read from the line: the arguments of `execute`."""
    execute: Execute
    selection: Selection | None = None
    """What it selects one of, where keys can go through all of it."""
    complete: Complete = nothing
    """What may come next while its arguments are typed."""
    aliases: tuple[str, ...] = ()
    """gdb's one-letter commands for it."""
    other_names: tuple[str, ...] = ()
    """What other debuggers call it: suggested, not accepted."""

    reads: Reads = "nothing"
    """nothing: it is done in a moment; arrays: where these are on another machine, they are waited for; run:
    all of a run, which takes a while where it is long."""
    runs_model: bool | Callable[[Session], bool] = False
    """Whether a model is run again, or what says so of a session."""
    changes_run: bool = False
    """Whether the same place may hold other numbers afterwards."""
    walks: bool = False
    """Whether it goes by little: many of them, one after another, are one movement to go back from."""
    goes_through_history: bool = False
    """Whether it goes back to what there was before, or on again."""
    changes_what_is_hidden: bool = False
    """Whether the same numbers may be shown afterwards that were hidden, or the other way round."""
    changes_saved_state: bool = False
    """Whether breakpoints or watches change, which are saved for the next time."""
    takes_picture: bool = False
    """Whether it needs a screen."""
    writes: tuple[str, ...] = ()
    """How the name of the file that it writes may end; empty: it writes none."""
    in_lesson: InLesson = "acts"
    """What it is for where a script is a lesson. acts: a page begins with it; speaks, asks: the page is about
    this; checks: it says something of what is on the page; waits: the page ends."""
    ends: bool = False
    """Whether nothing comes after it."""

    def runs(self, session: Session) -> bool:
        """Whether a model is run again in this session now."""
        runs = self.runs_model
        return session.what_ifs is not None and (runs(session) if callable(runs) else runs)

    @property
    def can_be_undone(self) -> bool:
        """Whether what it changes is undone by `undo`."""
        return (self.changes_run or self.changes_saved_state) and not self.goes_through_history

    @property
    def walk(self) -> str:
        """The kind of its movement, where many of it are one: through time, or through what it selects."""
        return "time" if self.walks else self.name if self.selection is not None else ""

    @property
    def is_harmless(self) -> bool:
        """Whether it may be executed for a stranger's script: it writes no file and ends nothing."""
        return not self.writes and not self.ends

"""The breakpoints and watches of a scenario, kept between runs in the user's state directory."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from lstmtui.atomic_write import write_atomically
from lstmtui.errors import UserError
from lstmtui.expressions import Expression, open_vocabulary
from lstmtui.printable import printable
from lstmtui.session.breakpoints import MOST_BREAKPOINTS, Breakpoint
from lstmtui.session.session import Session
from lstmtui.session.watches import MOST_WATCHES
from lstmtui.state_directory import state_directory

SCHEMA = 1
"""The version of the file; another one is left alone."""
LARGEST_FILE = 1 << 22
"""Nothing larger is written or read."""
LONGEST_NOTE = 10_000

SavedBreakpoint = tuple[int | Expression, str | None, bool]
"""A timestep or a condition, the note, and whether it is enabled."""


def load(session: Session, scenario: str | Path) -> bool:
    """Add what was kept for a scenario to a session; False, and nothing added, where there is nothing good.

    Args:
        session: gets the breakpoints, not hit yet, and the watches.
        scenario: the file or the address the session was opened with.
    """
    kept = _read(state_file(scenario), _name(scenario))
    if kept is None:
        return False
    places, watches = kept
    if len(session.breakpoints) + len(places) > MOST_BREAKPOINTS:
        return False
    if len(session.watches) + len(watches) > MOST_WATCHES:
        return False
    for where, note, enabled in places:
        if isinstance(where, int):
            session.breakpoints.add_at(where, enabled=enabled)
        else:
            session.breakpoints.add_when(where, note, enabled=enabled)
    for expression in watches:
        session.watches.add(expression)
    return True


def save(session: Session, scenario: str | Path) -> bool:
    """Keep the breakpoints and watches of a session; False where it is too much or cannot be written.

    The file is replaced whole. One that cannot be understood is set aside first, not overwritten.
    """
    path, name = state_file(scenario), _name(scenario)
    kept = {
        "schema": SCHEMA,
        "scenario": name,
        "breakpoints": [_entry(point) for point in session.breakpoints],
        "watches": [watch.text for watch in session.watches],
    }
    text = json.dumps(kept, indent=1)
    if len(text) > LARGEST_FILE:
        return False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.lexists(path) and _read(path, name) is None:
            path.replace(path.with_suffix(".damaged"))
        write_atomically(path, lambda file: file.write(text.encode("ascii")), mode=0o600)
    except OSError:
        return False
    return True


def state_file(scenario: str | Path) -> Path:
    """Where the breakpoints and watches of a scenario are kept."""
    key = hashlib.sha256(os.fsencode(_name(scenario))).hexdigest()[:32]
    return state_directory() / "sessions" / f"{key}.json"


def _name(scenario: str | Path) -> str:
    """The absolute path, links followed, or the address, which two scenarios never share."""
    return scenario if isinstance(scenario, str) and "://" in scenario else os.path.realpath(scenario)


def _entry(point: Breakpoint) -> dict[str, Any]:
    if point.when is None:
        return {"at": point.t, "enabled": point.enabled}
    return {"when": point.when.text, "note": point.note, "enabled": point.enabled}


def _read(path: Path, name: str) -> tuple[list[SavedBreakpoint], list[Expression]] | None:
    """What a file holds; None where it is not there or any of it is not as `save` writes it."""
    try:
        # Only a plain file: opening a pipe would wait for ever.
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return None
        kept = json.loads(path.read_bytes())
        if (kept["schema"], kept["scenario"]) != (SCHEMA, name):
            return None
        places, watches = kept["breakpoints"], kept["watches"]
        if not (isinstance(places, list) and isinstance(watches, list)):
            return None
        if len(places) > MOST_BREAKPOINTS or len(watches) > MOST_WATCHES:
            return None
        return [_place(entry) for entry in places], [_expression(text) for text in watches]
    except (OSError, ValueError, TypeError, KeyError, RecursionError, UserError):
        return None


def _place(entry: dict[str, Any]) -> SavedBreakpoint:
    """A breakpoint of a file.

    Raises:
        ValueError: it is not one.
    """
    enabled, note = entry["enabled"], entry.get("note")
    if not isinstance(enabled, bool) or not (note is None or isinstance(note, str)):
        raise ValueError("not a breakpoint")
    if "when" not in entry:
        if type(entry["at"]) is not int or not 0 <= entry["at"] <= 10**15:
            raise ValueError("not a timestep")
        return entry["at"], None, enabled
    if note is not None and len(note) > LONGEST_NOTE:
        raise ValueError("not a note")
    when = _expression(entry["when"])
    if when.vector:
        raise ValueError("not a condition")
    return when, None if note is None else printable(note), enabled


def _expression(text: Any) -> Expression:
    if not isinstance(text, str):
        raise ValueError("not an expression")
    return Expression(text, open_vocabulary())

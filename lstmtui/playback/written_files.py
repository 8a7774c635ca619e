"""The files that a script writes: its pictures and exports, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from lstmtui.atomic_write import Write, write_atomically
from lstmtui.errors import UserError
from lstmtui.playback.file_names import name_problem
from lstmtui.printable import printable


class OutputFolder:
    """A folder that a script may write into.

    Args:
        folder: files in it are replaced; None: the working directory, in which only new files are made,
            because a script may come from anywhere.

    Raises:
        UserError: `folder` is there and is not a folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path("." if folder is None else folder)
        self._replaces = folder is not None
        self._written: set[Path] = set()
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{folder}: is not a folder")

    def save(self, verb: str, name: str, write: Write) -> None:
        """Write a file whole, or leave what is there.

        Args:
            verb: which says how the name ends.
            name: of the file, which nobody vouches for.
            write: is given the open file.

        Raises:
            UserError: the name leads elsewhere, the file is there already, or it cannot be written.
        """
        wrong = name_problem(verb, name)
        if wrong:
            raise UserError(f"{printable(name)}: {wrong}")
        try:
            base, target = self.folder.resolve(), self.folder / name
            if not target.parent.resolve().is_relative_to(base):
                raise UserError(f"{name}: a link leads out of the output folder")
            if not self._replaces and target not in self._written and os.path.lexists(target):
                raise UserError(f"{name}: is there already; with --out DIR files of DIR are replaced")
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, write)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            raise _unwritable(name, error) from None
        self._written.add(target)


def replace_file(path: str | Path, write: Write) -> None:
    """Write a file of the user's own choice whole, or leave what is there.

    Raises:
        UserError: it cannot be written.
    """
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():  # a pipe or a terminal is written to, not replaced
            with target.open("wb") as file:
                write(file)
        else:
            write_atomically(target, write)
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:
        raise _unwritable(str(path), error) from None


def _unwritable(name: str, error: Exception) -> UserError:
    reason = (error.strerror or "") if isinstance(error, OSError) else "links lead in a circle"
    return UserError(f"{name}: cannot be written: {reason.lower()}")

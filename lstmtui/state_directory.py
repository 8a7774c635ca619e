"""The directory that keeps files from one session to the next."""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    """`LSTMTUI_STATE_DIR`, else lstmtui's folder among the user's state; it need not be there."""
    directory = os.environ.get("LSTMTUI_STATE_DIR")
    if directory:
        return Path(directory)
    from platformdirs import user_state_path

    return user_state_path("lstmtui")

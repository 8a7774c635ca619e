"""What is on screen, as SVG."""

from __future__ import annotations

from typing import Any

from textual.app import App

from lstmtui.session import Session


def picture(app: App[Any], session: Session) -> str:
    """The screen of an app, with the title of what is debugged."""
    return app.export_screenshot(title=session.trace.header.title or app.title)

"""What tests of widgets share: drawing without an app."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.geometry import Region

from lstmtui.tui.widgets.line_widget import LineWidget


@pytest.fixture
def text() -> Callable[[LineWidget], list[str]]:
    """The lines of a laid out widget as plain text."""
    return lambda widget: [widget.render_line(y).text for y in range(widget._extent.height)]


@pytest.fixture
def refreshed() -> Callable[[LineWidget], list[Region]]:
    """Watch a widget: the list fills with the regions it asks to be repainted."""

    def watch(widget: LineWidget) -> list[Region]:
        regions: list[Region] = []

        def refresh(*asked: Region, **_: bool) -> LineWidget:
            regions.extend(asked or [Region(0, 0, *widget._extent)])
            return widget

        widget.refresh = refresh  # type: ignore[method-assign, assignment]
        return regions

    return watch

"""What tests of the screen share: a driver that keeps what a terminal would get, and an open debugger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from keyboard import pause, press
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from lstmtui.trace import Trace, Traces
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.start import Start
from lstmtui.uncollected import uncollected

_parse_rules = Stylesheet._parse_rules
_parsed: dict[Hashable, list[RuleSet]] = {}


def parsed_once(self: Stylesheet, *source: Hashable, **options: Hashable) -> list[RuleSet]:
    """The rules of a source with these values of variables."""
    key = source, *options.items(), *self._variables.items()
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *source, **options)  # type: ignore[arg-type]
    return _parsed[key]


@pytest.fixture(autouse=True)
def _no_longer_pauses_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pilot, "press", press)
    monkeypatch.setattr(Pilot, "pause", pause)


@pytest.fixture(autouse=True)
def _styles_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every app has the same rules, and would parse them anew."""
    monkeypatch.setattr(Stylesheet, "_parse_rules", parsed_once)


@pytest.fixture(autouse=True)
def _nothing_is_collected() -> Iterator[None]:
    """An app freezes what is there when it opens, and here hundreds of apps open in one process: each
    recording would count all that they have left."""
    with uncollected():
        yield


@pytest.fixture
def capture_driver() -> type[HeadlessDriver]:
    """A driver class whose `written` list holds all output; use with `run_test(headless=False)`."""

    class CaptureDriver(HeadlessDriver):
        written: list[str] = []  # noqa: RUF012 - one class per test

        @property
        def is_headless(self) -> bool:
            return False

        def write(self, data: str) -> None:
            self.written.append(data)

        @classmethod
        def taken(cls) -> str:
            """All output since the last call."""
            text = "".join(cls.written)
            cls.written.clear()
            return text

    return CaptureDriver


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Choose a depth for the next app: truecolor, 256, 16 or none."""

    def choose(depth: str) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        system = {"16": "standard"}.get(depth, depth)
        if depth == "none":
            monkeypatch.setenv("NO_COLOR", "1")
            system = "truecolor"
        monkeypatch.setattr("textual.constants.COLOR_SYSTEM", system)

    choose("truecolor")
    return choose


@pytest.fixture
def debugger(
    colours: Callable[[str], None], capture_driver: type[HeadlessDriver]
) -> Callable[..., AbstractAsyncContextManager[Pilot[None]]]:
    """Open the debugger: `async with debugger(traces, (120, 40)) as pilot`; its bytes are in the driver."""

    @asynccontextmanager
    async def opened(
        traces: Trace | Traces | Start, size: tuple[int, int] = (120, 40), **options: Any
    ) -> AsyncIterator[Pilot[None]]:
        start = traces if isinstance(traces, Start) else Start(traces=traces)
        app = LstmtuiApp(start, driver_class=capture_driver, **options)
        async with app.run_test(headless=False, size=size) as pilot:
            await pilot.pause()
            yield pilot

    return opened


@pytest.fixture
def shown() -> Callable[[Pilot[None]], str]:
    """The text on the screen of a running app."""

    def text(pilot: Pilot[None]) -> str:
        strips = pilot.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in strips)

    return text

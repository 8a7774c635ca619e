"""What Textual keeps to itself and this program uses: that it is there, and that one file alone uses it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import textual
from textual import _compositor, app, screen, widget, widgets

import lstmtui.tui
from lstmtui.tui import compat
from lstmtui.tui.compat import CompositorUpdate, UpdatesApp
from lstmtui.tui.difference import DifferenceApp
from lstmtui.tui.widgets.status import StatusLine

ROOM = Path(lstmtui.tui.__file__).parent
OWNERS = {"App": app.App, "Screen": screen.Screen, "Compositor": _compositor.Compositor}
USED = [
    *(("App", name) for name in ("_exit", "_loop", "_driver", "_background_screens", "_display")),
    *(("App", name) for name in ("_batch_count", "_end_batch")),
    ("Screen", "_compositor"),
    ("Compositor", "render_update"),
]


@pytest.mark.parametrize(("owner", "name"), USED)
def test_textual_still_has_what_is_used(owner: str, name: str) -> None:
    assert hasattr(OWNERS[owner](), name), f"Textual {textual.__version__} took away {owner}.{name}"


@pytest.mark.parametrize("name", ["ChopsUpdate", "CompositorUpdate", "LayoutUpdate"])
def test_textual_still_has_the_kinds_of_updates(name: str) -> None:
    assert hasattr(_compositor, name), f"Textual {textual.__version__} took away textual._compositor.{name}"


@pytest.mark.skipif(sys.platform == "win32", reason="another driver")
def test_textual_still_has_what_is_used_of_its_driver() -> None:
    linux_driver = pytest.importorskip("textual.drivers.linux_driver")
    said = f"changed in Textual {textual.__version__}"
    source = inspect.getsource(linux_driver.LinuxDriver) + inspect.getsource(linux_driver.Driver)
    for name in ("_sigcont_application", "_must_signal_resume", "_auto_restart", "_get_terminal_size"):
        assert name in source, said


def test_textual_still_calls_what_is_used_in_the_same_way() -> None:
    said = f"changed in Textual {textual.__version__}"
    assert list(inspect.signature(app.App._display).parameters) == ["self", "screen", "renderable"], said
    assert {"full", "screen_stack"} <= {
        *inspect.signature(_compositor.Compositor.render_update).parameters
    }, said


class Counts(UpdatesApp):
    """Counts its updates."""

    updates = 0

    def outgoing(self, update: CompositorUpdate) -> CompositorUpdate:
        """The same."""
        self.updates += 1
        return update


async def test_it_does_what_is_expected_of_it(capture_driver) -> None:
    program = Counts(capture_driver)
    async with program.run_test(headless=False, size=(20, 3)) as pilot:
        await pilot.pause()
        assert program.updates
        assert compat.event_loop(program) is asyncio.get_running_loop()
        assert len(list(compat.whole_screen(program).strips)) == 3
        capture_driver.taken()
        compat.write_to_terminal(program, "\x1b[s")
        assert "\x1b[s" in capture_driver.taken()
        assert not compat.is_ending(program)
        program.exit()
        assert compat.is_ending(program)


async def test_what_textual_draws_while_updates_are_held_back_is_sent_afterwards(capture_driver) -> None:
    """As it draws when the Notes panel is given other notes and the layout has just changed."""
    program = DifferenceApp(capture_driver)
    async with program.run_test(headless=False, size=(20, 3)) as pilot:
        line = StatusLine()
        await program.mount(line)
        await pilot.pause()
        capture_driver.taken()
        with program.batch_update():
            line.set_spans([("a step on", "text")])
            await pilot.pause()
            program.screen._compositor.update_widgets({line})
            program.screen._compositor_refresh()
        await pilot.pause()
        assert "a step on" in capture_driver.taken()


@cache
def names_of_textual() -> frozenset[str]:
    """The names of all that an app, a screen and its widgets have."""
    kinds = (app.App, screen.Screen, widget.Widget, widgets.Input)
    return frozenset(name for kind in kinds for name in dir(kind()))


def private_names(tree: ast.AST) -> Iterator[str]:
    """Private names of Textual that a source reads, imports or overrides."""
    textuals = names_of_textual()
    own = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("textual._"):
                yield module
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if is_private(name):
                if name in textuals:
                    yield name
            case ast.Attribute(value=ast.Name(id="os")):
                continue
            case ast.Attribute(attr=name) if is_private(name) and name not in own and name in textuals:
                yield name


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_other_file_uses_what_textual_keeps_to_itself() -> None:
    for path in ROOM.rglob("*.py"):
        names = sorted(private_names(ast.parse(path.read_text(encoding="utf-8"))))
        assert bool(names) == (path.name == "compat.py"), f"{path.relative_to(ROOM)} uses {names}"

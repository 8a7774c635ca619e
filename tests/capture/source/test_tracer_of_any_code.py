"""The tracer on code of every kind: in place, attributes, generators, threads, exceptions, other tracers."""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
import torch
from clock import Within
from code_traced import named, traced
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.source.layers.functions import functions_of
from lstmtui.capture.source.runs.grouping import Grouping
from lstmtui.capture.source.tracing.tracer import SourceTracer
from lstmtui.remote.wire.bounds import LONGEST_TEXT


def values(tracer: SourceTracer, name: str) -> list[float]:
    return [float(binding.value.flatten()[0]) for binding in named(tracer, name)]


X = torch.ones(2, requires_grad=True)


def test_a_change_in_place_is_another_binding_with_the_derivative_of_what_it_was_then() -> None:
    def work(x: Tensor) -> Tensor:
        h = x * 3
        h += 1
        h[:] = h * 2
        h.mul_(5)
        return h

    tracer = traced(work, X)
    assert values(tracer, "h") == [3, 4, 8, 40]
    assert [float(b.gradients[0][0]) for b in named(tracer, "h")] == [10, 10, 5, 1]


def test_a_view_that_is_changed_afterwards_has_no_derivative_and_says_why() -> None:
    def work(x: Tensor) -> Tensor:
        h = x * 3
        v = h[:1]
        w = h[1:] * 2
        v.mul_(2)
        return h.sum() + w.sum()

    tracer = traced(work, X)
    before, after = named(tracer, "v")
    assert before.absent == "changed in place afterwards"
    assert (after.absent, len(after.gradients)) == ("", 0)
    assert values(tracer, "h") == [3, 6]


def test_why_there_is_no_derivative_is_said() -> None:
    def work(x: Tensor) -> list[Tensor]:
        a = x.detach() * 2
        b = torch.arange(2)
        with torch.no_grad():
            c = x * 2
        d = torch.ones(1)
        return [a, b, c, d]

    tracer = traced(work, X)
    why = {b.name: b.absent for b in tracer.bindings}
    assert why["a"] == "detached"
    assert why["b"] == "integer"
    assert why["c"] == "detached"
    assert why["d"] == "requires none"


class Half(torch.autograd.Function):
    """What it returns gets its place in the graph after its forward, which has a name for it, is over."""

    @staticmethod
    def forward(context: Any, v: Tensor) -> Tensor:
        v = v * 2
        context.scale = 2
        return v

    @staticmethod
    def backward(context: Any, d: Tensor) -> Tensor:  # type: ignore[override]
        return d / context.scale


def test_a_tensor_that_enters_or_leaves_the_graph_has_the_derivative_that_it_has_where_it_is_bound() -> None:
    def work(x: Tensor) -> Tensor:
        h = Half.apply(x)
        kept = h * 3
        h.detach_()
        cut = h
        return kept + cut

    tracer = traced(work, X)
    assert [b.absent for b in named(tracer, "v")][1:] == ["detached"]
    (h,), (cut,) = named(tracer, "h"), named(tracer, "cut")
    assert [float(g[0]) for g in h.gradients] == [3]
    assert (cut.gradients, cut.absent, cut.identity) == ([], "requires none", h.identity)


def test_a_tensor_that_a_loop_fills_is_bound_when_it_is_full_and_a_state_that_it_changes_each_time() -> None:
    def work(x: Tensor) -> Tensor:
        out, layers = torch.zeros(4, 2), torch.zeros(2, 2)
        for t in range(4):
            for layer in range(2):
                layers[layer] = x + t
            out[t] = layers[0]
        return out

    tracer = traced(work, torch.ones(2))
    assert values(tracer, "out") == [0, 1]
    assert float(named(tracer, "out")[-1].value.sum()) == 20
    assert len(named(tracer, "layers")) == 1 + 8


class Keeps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("b", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        self.hidden = x * 2
        self.b = self.b + x.detach()
        self.b += 1
        self.hidden, y = self.hidden + 1, x
        return self.hidden + y


def test_attributes_of_self_are_names() -> None:
    tracer = traced(Keeps(), X)
    assert values(tracer, "self.hidden") == [2, 3]
    assert values(tracer, "self.b") == [0, 1, 2]
    assert [b.line == 0 for b in named(tracer, "self.b")] == [True, False, False]


class Private:
    def __init__(self) -> None:
        self.__h = X

    def step(self, x: Tensor) -> Tensor:
        self.__h = self.__h * x
        return self.__h


class Slotted:
    __slots__ = ("c", "h")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: nobody but its own code asks it")


def test_private_attributes_and_those_in_slots_are_names_too() -> None:
    def work(x: Tensor) -> Tensor:
        private, state = Private(), Slotted()
        for _ in range(2):
            x = private.step(x + 1)
            state.h = x * 2
        return state.h

    tracer = traced(work, X)
    assert values(tracer, "self.__h")[-2:] == [2, 6]
    assert values(tracer, "state.h") == [4, 12]


class Named(NamedTuple):
    h: Tensor


@dataclass
class Kept:
    h: Tensor


@pytest.mark.parametrize(("make", "place"), [(Named, "state.h"), (Kept, "state.h"), (dict, "state['h']")])
def test_states_that_are_put_together_are_names_by_their_places(make: Callable[..., Any], place: str) -> None:
    def work(x: Tensor) -> Tensor:
        for _ in range(3):
            state = make(h=x * 2)
            x = (state["h"] if isinstance(state, dict) else state.h) + 1
        return x

    assert values(traced(work, X), place) == [2, 6, 14]


def test_modules_that_are_imported_meanwhile_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "is_imported_late.py").write_text(
        "import torch\n\ndef half(x):\n    v = x / 2\n    return v\n\n"
        "for _ in range(9):\n    half(torch.ones(1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def work(x: Tensor) -> Tensor:
        from is_imported_late import half  # type: ignore[import-not-found]

        h = half(x)
        return h * 2

    tracer = traced(work, X)
    assert [call.name for call in tracer.calls if call.name in ("half", "<module>")] == ["half"]
    assert values(tracer, "v") == [0.5]
    assert values(tracer, "h") == [0.5]


class Listens:
    """Called by the collector, with a helper of its own."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        self.hears(phase)

    def hears(self, phase: str) -> None:
        self.phases.append(phase)


@pytest.mark.parametrize("is_function", [True, False])
def test_what_the_collector_calls_meanwhile_is_not_recorded(is_function: bool) -> None:
    def work(x: Tensor) -> Tensor:
        h = x / 2
        gc.collect()
        for _ in range(2):
            h = h * 2
        return h

    listens = Listens()
    callback = (lambda phase, info: listens.hears(phase)) if is_function else listens
    gc.collect()  # the generators that other code has left are closed, which is a call of theirs
    gc.callbacks.append(callback)
    try:
        tracer = traced(work, X)
    finally:
        gc.callbacks.remove(callback)
    assert {"start", "stop"} <= {*listens.phases}
    assert [call.name for call in tracer.calls] == [work.__qualname__]
    assert values(tracer, "h") == [0.5, 1, 2]


def test_finalizers_of_what_is_found_meanwhile_are_not_recorded() -> None:
    finalized: list[Tensor] = []

    class Dropped:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            h = torch.ones(1)
            finalized.append(h + 1)

    def work(x: Tensor) -> Tensor:
        h = x / 2
        gc.collect()
        return h * 2

    Dropped()
    tracer = traced(work, X)
    assert len(finalized) == 1
    assert [call.name for call in tracer.calls] == [work.__qualname__]
    assert values(tracer, "h") == [0.5]


def test_generators_that_python_only_ends_meanwhile_are_no_calls_and_others_of_before_are() -> None:
    def helper(x: Tensor) -> Tensor:
        return x + 1

    def stream(tensors: list[Tensor]) -> Iterator[Tensor]:
        try:
            for item in tensors:
                seen = item * 2
                yield seen
        finally:
            closing = helper(tensors[0])
            helper(closing)

    forgotten, going_on = stream([X, X]), stream([X, X])
    generators = [forgotten]
    next(forgotten), next(going_on)
    del forgotten

    def work(x: Tensor) -> Tensor:
        generators.clear()
        h = x * 3
        return h + next(going_on)

    tracer = traced(work, X)
    names = [call.name.rpartition(".")[2] for call in tracer.calls]
    assert names == ["work", "stream"]
    assert {b.name for b in tracer.bindings if b.call is tracer.calls[0]} == {"x", "h", "return"}
    assert values(tracer, "seen") == [2]
    assert not named(tracer, "closing")


def test_generators_comprehensions_and_coroutines_keep_their_own_names() -> None:
    def steps(x: Tensor) -> Iterator[Tensor]:
        h = x
        for _ in range(3):
            h = h * 2
            yield h

    async def later(x: Tensor) -> Tensor:
        await asyncio.sleep(0)
        g = x * 3
        await asyncio.sleep(0)
        return g

    def work(x: Tensor) -> Tensor:
        total = torch.stack([o * 2 for o in steps(x)])
        a = asyncio.run(later(x))
        return total + a

    tracer = traced(work, torch.ones(2))
    assert values(tracer, "h") == [1, 2, 4, 8]
    assert values(tracer, "o") == [2, 4, 8]
    assert [b.passes[-1][1] for b in named(tracer, "o")] == [0, 1, 2]
    assert values(tracer, "g") == [3]
    own = dict.fromkeys(b.call.name.rpartition(".")[2] for b in tracer.bindings)
    assert list(own) == ["work", "steps", "later"]


def test_loops_that_are_nested_or_without_end_count_their_passes() -> None:
    def work(x: Tensor) -> Tensor:
        h = x
        for _ in range(3):
            h = h + 1
        k = 0
        while k < 2:
            k += 1
            while True:
                h = h * 2
                if h.sum() > 40 * k:
                    break
        return h

    tracer = traced(work, torch.ones(2))
    own = [tuple(number for _, number in b.passes) for b in named(tracer, "h")]
    assert own == [(), (0,), (1,), (2,), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1)][: len(own)]
    assert len(own) > 6


def test_loops_on_one_line_count_their_passes(tmp_path: Path) -> None:
    path = tmp_path / "loops.py"
    lines = [
        "def f(h):",
        "    for i in range(3): h = h * 2",
        "    k = 0",
        "    while k < 2: h = h + 1; k += 1",
    ]
    path.write_text("\n".join([*lines, "    return h"]))
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    tracer = traced(space["f"], torch.ones(2))
    own = [b.passes for b in named(tracer, "h")]
    assert own == [(), ((2, 0),), ((2, 1),), ((2, 2),), ((4, 0),), ((4, 1),)]


def test_code_without_a_file_and_deep_recursion_are_recorded() -> None:
    space: dict[str, Any] = {"torch": torch}
    exec(
        "def f(x):\n    h = x\n    for i in range(3): h = h * 2\n    k = 0\n"
        "    while k < 2: h = h + 1; k += 1\n    return h\n",
        space,
    )
    tracer = traced(space["f"], torch.ones(2))
    own = [b.passes for b in named(tracer, "h")]
    assert own[:4] == [(), ((3, 0),), ((3, 1),), ((3, 2),)]
    assert values(tracer, "h") == [1, 2, 4, 8, 9, 10]

    def deeper(x: Tensor, depth: int) -> Tensor:
        h = x + 1
        return h if depth == 0 else deeper(h, depth - 1)

    assert values(traced(deeper, torch.zeros(1), 300), "h") == list(range(1, 302))


def test_a_very_long_file_costs_no_more_than_its_functions(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    lines = ["def f(x):", "    for t in range(2):", "        h = x * t", "    return h"]
    path.write_text("\n".join([*lines, *["# " + "x" * 98] * 100_000]))
    space: dict[str, Any] = {}
    exec(compile("\n".join(lines), str(path), "exec"), space)
    assert values(traced(space["f"], torch.ones(1)), "h") == [0, 1]


@pytest.mark.clock
def test_a_long_function_takes_no_longer_for_each_line_than_a_short_one(within: Within) -> None:
    lines = "".join(f"    k = k * {n} + h\n    for q in range(2): k = k + q; k = -k\n" for n in range(300))
    space: dict[str, Any] = {}
    text = f"def work(h):\n  k = h\n  for t in range(3):\n{lines}  return k\n"
    linecache.cache["<long>"] = len(text), None, text.splitlines(True), "<long>"
    exec(compile(text, "<long>", "exec"), space)
    with within(5):
        tracer = traced(space["work"], X)
        runs = Grouping(tracer.calls, tracer.bindings, {3}).runs
    assert [len(run.rounds) for run in runs] == [3]
    assert len(named(tracer, "k")) == 1 + 3 * 300 * 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_code_whose_file_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "work.py"
    os.mkfifo(path)
    space: dict[str, Any] = {}
    text = "def work(x):\n  h = x\n  for t in range(3):\n    h = h * 2\n  return h\n"
    exec(compile(text, str(path), "exec"), space)
    tracer = traced(space["work"], X)
    assert values(tracer, "h") == [1, 2, 4, 8]
    assert functions_of(tracer.calls)[1][0].text == ""


@pytest.mark.parametrize("line", ["k = '" + "é" * 3_000_000 + "'", "\n".join(["# " + "é" * 990] * 4_000)])
def test_of_a_huge_function_as_much_text_is_kept_as_a_message_holds(line: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.py"
    path.write_text(f"def work(x):\n h = x * 2\n {line}\n return h\n")
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    (function,) = functions_of(traced(space["work"], X).calls)[1]
    assert len(function.text.encode()) < LONGEST_TEXT
    assert function.text.startswith("def work(x):\n h = x * 2\n ")
    assert function.text.endswith("\n")


def test_threads_that_begin_meanwhile_are_recorded_too() -> None:
    def work(x: Tensor) -> None:
        def inside() -> None:
            z = x * 3
            assert len(z)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()

    assert values(traced(work, torch.ones(2)), "z") == [3]


def test_an_exception_comes_out_as_it_is_and_where_it_was_raised_is_known() -> None:
    def inner(x: Tensor) -> None:
        for t in range(5):
            h = x + t
            if t == 2:
                raise ValueError("bad\nthing")
            assert len(h)

    def work(x: Tensor) -> Tensor:
        try:
            inner(x)
        except ValueError:
            y = x * 5
        inner(y)
        return y

    with pytest.raises(ValueError, match="bad\nthing") as raised, SourceTracer() as tracer:
        work(torch.ones(2))
    assert tracer.failure is None
    assert raised.traceback[-1].name == "inner"
    texts = [(call.name.rpartition(".")[2], call.raised) for call in tracer.calls]
    assert texts == [
        ("work", "ValueError: bad thing"),
        ("inner", "ValueError: bad thing"),
        ("inner", "ValueError: bad thing"),
    ]
    assert tracer.calls[-1].raised_passes[0][1] == 2
    assert values(tracer, "h") == [1, 2, 3, 5, 6, 7]


def test_another_trace_function_hears_of_everything_and_is_put_back() -> None:
    heard: list[tuple[str, str]] = []

    def other(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_name in ("work", "doubled"):
            heard.append((frame.f_code.co_name, event))
        return other

    def doubled(x: Tensor) -> Tensor:
        return x * 2

    def work(x: Tensor) -> Tensor:
        h = doubled(x)
        return h + 1

    before = sys.gettrace()
    sys.settrace(other)
    try:
        work(torch.ones(2))
        alone, heard[:] = list(heard), []
        with SourceTracer() as tracer:
            work(torch.ones(2))
        assert sys.gettrace() is other
    finally:
        sys.settrace(before)
    assert heard == alone
    assert values(tracer, "h") == [2]


COVERED = """
import torch
from lstmtui.capture.source.tracing.tracer import SourceTracer

def work(x):
    h = x
    for t in range(3):
        h = h * 2
    return h

with SourceTracer() as tracer:
    work(torch.ones(2))
    after = 1
assert len([b for b in tracer.bindings if b.name == "h"]) == 4, tracer.bindings
end = 2
"""


def test_coverage_sees_what_it_sees_without_us(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    script = tmp_path / "covered.py"
    script.write_text(COVERED)
    run = [sys.executable, "-m", "coverage"]
    subprocess.run([*run, "run", "--include=covered.py", str(script)], check=True, cwd=tmp_path)
    report = subprocess.run([*run, "report", "-m"], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "100%" in report.stdout.splitlines()[-1], report.stdout


def test_what_goes_wrong_in_here_ends_the_recording_and_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from lstmtui.capture.source.tracing.activation import Activation

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Activation, "_look", broken)

    def work(x: Tensor) -> Tensor:
        h = x * 2
        return h + 1

    with SourceTracer() as tracer:
        result = work(torch.ones(1))
    assert float(result) == 3
    assert isinstance(tracer.failure, ZeroDivisionError)


def test_what_goes_wrong_in_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = x[0]
            for x_t in x:
                h = h * x_t
            return h

    monkeypatch.setattr("lstmtui.capture.source.tracing.tensors.Tensors.bind", lambda *_: 1 // 0)
    with (
        pytest.warns(RuntimeWarning, match="ended early, by an error of lstmtui's own .ZeroDivisionError"),
        pytest.raises(TypeError, match="no loop in its code"),
    ):
        lstmtui.record(Loop(), torch.ones(3, 1, 2, requires_grad=True), source=True)


def test_only_what_is_chosen_is_recorded_and_what_else_ran_is_counted() -> None:
    def helper(x: Tensor) -> Tensor:
        inside = x * 2
        return inside + 0

    def work(x: Tensor) -> Tensor:
        h = helper(helper(x))
        return h + 0

    tracer = traced(work, torch.ones(1), source=work)
    assert {b.name for b in tracer.bindings} == {"x", "h", "return"}
    assert list(tracer.passed_over.values()) == [2]
    assert values(traced(work, torch.ones(1), source=f"{__name__}"), "inside") == [2, 4]
    with pytest.raises(TypeError, match="source: must be True"):
        SourceTracer(source=3)  # type: ignore[arg-type]

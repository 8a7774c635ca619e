"""What a tracer collects from all threads, and of which code."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import Enum
from types import CodeType, FrameType

from torch import Tensor, nn

from lstmtui.capture.modules.wrapped import named_modules
from lstmtui.capture.origins.drawn_tensors import Drawing
from lstmtui.capture.source.bindings import Binding, Call, Instance, Passes
from lstmtui.capture.source.code.code_facts import CodeFacts
from lstmtui.capture.source.code.paths import Path
from lstmtui.capture.source.code.users_code import Selection, is_of_garbage, writes_nothing
from lstmtui.capture.source.tracing.replacements import Replacements
from lstmtui.capture.source.tracing.tensors import Named, Tensors
from lstmtui.errors import Cancelled

_REGISTER_HOOK = Tensor.register_hook.__code__


class Unrecorded(Enum):
    """Code that is not recorded."""

    HARMLESS = "writes into no tensor that it is given, where it is called by a name that says so"
    UNKNOWN = "may write into any"
    PUTS_A_HOOK = "puts a hook on a tensor, through which the derivative goes"
    OF_GARBAGE = "is called by Python, whatever runs, when it searches for garbage"


class Collection:
    """The calls and bindings that a tracer has seen.

    Args:
        root: the module whose parts have their paths as in `named_modules`.
        selection: which code is recorded.
        hooks: whether hooks keep derivatives.
        place: what says the path of a module that is no part of the root while it is called; None: it is the
            name of its class.
    """

    def __init__(
        self,
        root: nn.Module | None,
        selection: Selection,
        *,
        hooks: bool,
        place: Callable[[nn.Module], str] | None = None,
    ) -> None:
        self.selection = selection
        self.calls: list[Call] = []
        self.bindings: list[Binding] = []
        self.failure: Exception | None = None
        self.tensors = Tensors(hooks=hooks)
        self.facts: dict[int, CodeFacts | Unrecorded] = {}
        """What is known of each code object that ran, by its id."""
        self.paths: defaultdict[Instance, dict[int, Path]] = defaultdict(dict)
        """The paths that were begun in it as one module calls it, by where."""
        self._codes: list[CodeType] = []
        """The code objects, so that their ids stay theirs; to hash one takes long."""
        self.replacements: Replacements | None = None
        """What takes the place of values; None: nothing does."""
        self.pass_begins: Callable[[int], None] | None = None
        """Called in outermost loops of functions, with how many passes are done."""
        self.drawing: Drawing | None = None
        """What follows which tensors are drawn; None: nothing does, or all of the run is to be followed."""
        self._paused_by: object = None
        """The call in whose loop that is paused."""
        self.cancelled: Cancelled | None = None
        """What it has raised, which ends the run."""
        self.is_open = False
        """Whether anything more is recorded."""
        self._paths = {} if root is None else {id(module): path for path, module in named_modules(root)}
        self._place = place
        self._modules: list[nn.Module] = []
        """Modules that are no part of the root, so that their ids stay theirs."""
        self._lock = threading.Lock()

    def fail(self, error: Exception) -> None:
        """Something went wrong in here: record no more."""
        self.is_open = False
        if self.failure is None:
            self.failure = error

    def has(self, call: Call, name: str, tensor: Tensor) -> bool:
        """Whether a tensor, as it is now, is what a name of a call was bound to last."""
        last = next((b for b in reversed(self.bindings) if b.call is call and b.name == name), None)
        return last is not None and last.identity == self.tensors.identity_of(tensor)

    def begin_pass(self, activation: object, done: int) -> None:
        """A pass of an outermost loop of a call begins, after so many others.

        Raises:
            Cancelled: the run is to end.
        """
        # What states begin from is there by then, and to follow what is drawn slows every operation.
        if done == 1 and self.drawing is not None and self._paused_by is None and self.drawing.pause():
            self._paused_by = activation
        if self.pass_begins is not None:
            try:
                self.pass_begins(done)
            except Cancelled as cancelled:
                self.cancelled, self.is_open = cancelled, False
                raise

    def end_loops(self, activation: object) -> None:
        """A call is in no loop any more."""
        if self._paused_by is activation and self.drawing is not None:
            self._paused_by = None
            self.drawing.resume()

    def facts_of(self, frame: FrameType) -> CodeFacts | Unrecorded:
        """What is known of the code of a frame."""
        code = frame.f_code
        try:
            if is_of_garbage(code):
                facts: CodeFacts | Unrecorded = Unrecorded.OF_GARBAGE
            elif code is _REGISTER_HOOK:
                facts = Unrecorded.PUTS_A_HOOK
            elif self.selection.wants(frame):
                facts = CodeFacts(frame)
            else:
                facts = Unrecorded.HARMLESS if writes_nothing(code) else Unrecorded.UNKNOWN
        except Exception as error:
            self.fail(error)
            return Unrecorded.UNKNOWN
        if isinstance(facts, CodeFacts) or not self.selection.counts(frame):
            self._codes.append(code)
            self.facts[id(code)] = facts
        return facts

    def bind(self, call: Call, passes: Passes, named: Sequence[Named]) -> None:
        """Take note of what names are bound to, in order."""
        if named:
            self.bindings += self.tensors.bind(call, passes, named)

    def see(self, call: Call, passes: Passes, named: Named) -> None:
        """Take note of a tensor that is part of something else, in whose place none can be put."""
        if self.replacements is not None:
            name, tensor, _, line, _ = named
            self.replacements.see(call, name, line, passes, tensor)
        self.bind(call, passes, [named])

    def new_call(self, code: CodeType, module: nn.Module | None, caller: Call | None) -> Call:
        """Take note that a function was called."""
        with self._lock:
            path = "" if module is None else self._path(module)
            call = Call(len(self.calls), code, code.co_qualname, module, path, caller)
            self.calls.append(call)
        return call

    def forget(self, call: Call) -> None:
        """The call that began last is none, and what it was given is of no name."""
        with self._lock:
            if self.calls[-1] is call:
                self.calls.pop()
            while self.bindings and self.bindings[-1].call is call:
                self.bindings.pop()

    def _path(self, module: nn.Module) -> str:
        path = self._paths.get(id(module))
        if path is None:
            path = type(module).__name__ if self._place is None else self._place(module)
            self._paths[id(module)] = path
            self._modules.append(module)
        return path

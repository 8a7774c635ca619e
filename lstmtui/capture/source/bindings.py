"""What the tracer hands on: calls of functions, and the tensors that their names were bound to."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType
from typing import TypeAlias

from torch import Tensor, nn

Passes: TypeAlias = tuple[tuple[int, int], ...]
"""The loops that a line was in, outermost first: (the line of the loop's header, which pass, from 0)."""

Instance: TypeAlias = tuple[int, int]
"""A function as one module calls it: the ids of its code and of the module, or of None."""

RETURNED = "return"
"""The name of what a function returns that has none there."""


@dataclass(eq=False, slots=True)
class Call:
    """One activation of a function of the user's."""

    number: int
    """In the order in which calls began."""
    code: CodeType
    name: str
    """The function's qualified name: MyCell.forward."""
    module: nn.Module | None
    """Whose forward it is; None for every other function."""
    path: str
    """Where that module is in the recorded one, as in `named_modules`; empty for the recorded one itself."""
    caller: Call | None
    """The recorded call from which it was called; None for the outermost."""
    line: int = 0
    """The line of the caller at which it was called."""
    passes: Passes = ()
    """The loops of the caller that the call was in."""
    returned: int = -1
    """The identity of the tensor that it returned, the first of several; −1 where it returned none."""
    raised: str = ""
    """The exception that left it: ValueError: …; empty where it returned."""
    raised_line: int = 0
    raised_passes: Passes = ()
    """The loops that this line was in."""
    reached: dict[tuple[int, ...], Passes] | None = None
    """The last pass of each loop over something, whether or not it has bound anything, by the lines of the
    headers of the loops that it was in and of its own; None where none was left."""

    def depth_below(self, code: CodeType) -> int:
        """How many calls below a function, or else below the forward of a module."""
        depth, here = 0, self
        while here.code is not code and here.module is None and here.caller is not None:
            here, depth = here.caller, depth + 1
        return depth

    @property
    def owner(self) -> nn.Module | None:
        """The module whose forward it is, or calls it; None outside of all."""
        here: Call | None = self
        while here is not None and here.module is None:
            here = here.caller
        return None if here is None else here.module

    @property
    def is_in_module(self) -> bool:
        """Whether the forward of some module calls it."""
        return self.caller is not None and self.caller.owner is not None

    @property
    def instance(self) -> Instance:
        """Whose lines it runs."""
        return id(self.code), id(self.owner)

    def reach(self, passes: Passes) -> None:
        """Take note of the last pass of a loop."""
        self.reached = self.reached or {}
        key = tuple(line for line, _ in passes)
        if key not in self.reached or passes[-1][1] > self.reached[key][-1][1]:
            self.reached[key] = passes


@dataclass(eq=False, slots=True)
class Binding:
    """A name that was bound to a tensor."""

    order: int
    """Rises with every binding."""
    call: Call
    name: str
    """As the source writes it: f, self.hidden; RETURNED."""
    line: int
    """Of the file, the one that bound it; 0 for an argument."""
    passes: Passes
    """The loops of the function that the line was in."""
    value: Tensor
    """What it was then, a detached copy on its own device."""
    identity: int
    """The same for two names that are bound to the very same tensor object, and for nothing else."""
    leaf: bool = False
    """Whether it is a leaf of the graph: a parameter, an input."""
    absent: str = ""
    """Why there is no derivative: integer, detached, requires none; empty where there may be one."""
    drawn: bool = False
    """Whether it was drawn at random in the call, or is made of such numbers alone."""
    gradients: list[Tensor] = field(default_factory=list)
    """What backward passes gave, one each: total derivatives, to be added up."""

"""What a trace keeps of code whose variables were recorded: its text, its variables, their order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from math import prod


@dataclass(frozen=True)
class Function:
    """A function of the user's code that was recorded while it ran."""

    name: str
    """Its qualified name: MyCell.forward."""
    file: str
    """As Python knows it, <string> where it was never in a file."""
    first_line: int
    """The line of the file at which `text` begins."""
    text: str
    """Its lines as they stand in the file; empty where there is no source."""


@dataclass(frozen=True)
class Variable:
    """A name of the code that is bound to a tensor in each round: a quantity of the run."""

    name: str
    """The quantity. Of several bindings in a round the last has the plain name: f_1, f_2, f."""
    written: str
    """As the source writes it: f, self.hidden."""
    function: int
    """Which of the functions binds it."""
    line: int
    """Of the file, where it is bound; 0 where that is not known."""
    shape: tuple[int, ...] = ()
    """The axes behind the batch; () is one number for each sequence."""
    dtype: str = "float32"
    """Of the values: float32, int64, bool …"""
    carried_to: tuple[str, ...] = ()
    """The names to which the next round binds the very same tensor: h_prev."""
    in_unit_interval: bool = False
    """Whether no value of the run leaves [0, 1]."""
    inner_steps: int = 0
    """How often a round binds it in a loop of its own, at most; 0: the value is all there is."""
    absent: str = ""
    """Why it has no derivative, in words: detached, integer; empty where it has one."""

    @property
    def size(self) -> int:
        """The number of units, all axes behind the batch taken together."""
        return prod(self.shape)


@dataclass(frozen=True)
class Stage:
    """One binding of a round, or what a function returns that is bound next: a stop of `into`."""

    variable: str
    """The quantity that is bound."""
    function: int
    """Which of the functions runs."""
    line: int
    """Of the file."""
    depth: int = 0
    """How many calls below the function of the run."""
    inner_step: int = -1
    """Which of the variable's inner steps; −1: it has none."""
    is_return: bool = False
    """Whether a function returns here what a later stage binds the variable to."""


@dataclass(frozen=True)
class PassedOver:
    """From a round on, up to where the next of these begins, what of the stages the rounds do not come to."""

    start: int
    """The round."""
    stages: tuple[int, ...]
    """The numbers of those to which they do not come, in order; of very many not inner steps past a
    round's own."""
    again: tuple[int, ...] = ()
    """The numbers of those that are the same binding as one before them: what a name is in the end, where a
    condition passes over the line that binds it last."""


@dataclass(frozen=True)
class Constant:
    """A tensor without a batch axis: a weight, a mask. It is kept once, not over time."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bindings: int = 1
    """How often it was bound."""


@dataclass(frozen=True)
class Unrecorded:
    """A name whose tensors cannot be shown over time."""

    name: str
    why: str
    """In a sentence: its shape changes from (2, 1) to (2, 40)."""


@dataclass(frozen=True)
class Source:
    """The code of one run. Its arrays are keyed as those of a cell, (T, B, units), and also

    - `bound/NAME`, (T,) of bool, where a round did not bind the name; its values there are 0.
      `bound/dNAME`, where it is not known what the derivative is, which is 0 there;
    - `inner/NAME` and `inner/dNAME`, (T, inner steps, B, units); `inner_count/NAME`, (T,), where it varies;
    - `once/NAME`, a constant in its own shape.
    """

    functions: tuple[Function, ...]
    """The run's own first, then those that it called."""
    variables: tuple[Variable, ...]
    """In the order in which a round binds them last."""
    stages: tuple[Stage, ...]
    """Every binding of any round, in order."""
    constants: tuple[Constant, ...] = ()
    unrecorded: tuple[Unrecorded, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    """By their starts; empty where no round passes over any, as far as that is known."""

    @property
    def states(self) -> tuple[str, ...]:
        """The variables that the next round goes on with."""
        return tuple(variable.name for variable in self.variables if variable.carried_to)

    def comes_to(self, stage: int, t: int) -> bool:
        """Whether a round comes to a stage, as far as that is known."""
        return stage not in self._passed_over_at(t)[0]

    def stops_at(self, stage: int, t: int) -> bool:
        """Whether a round comes to a stage that is no binding of a stage before it."""
        stages, again = self._passed_over_at(t)
        return stage not in stages and stage not in again

    def _passed_over_at(self, t: int) -> tuple[frozenset[int], frozenset[int]]:
        at = bisect_right(self.passed_over, t, key=lambda entry: entry.start) - 1
        return self._sets_passed_over[at] if at >= 0 else (frozenset(), frozenset())

    @cached_property
    def _sets_passed_over(self) -> tuple[tuple[frozenset[int], frozenset[int]], ...]:
        return tuple((frozenset(entry.stages), frozenset(entry.again)) for entry in self.passed_over)

    @cached_property
    def returns(self) -> frozenset[int]:
        """The numbers of the stages at which a function returns what a later stage binds the variable to."""
        if self.passed_over or any(stage.is_return for stage in self.stages):
            return frozenset(number for number, stage in enumerate(self.stages) if stage.is_return)
        last = {(stage.variable, stage.inner_step): n for n, stage in enumerate(self.stages)}
        return frozenset({*range(len(self.stages))} - {*last.values()})

    def variable(self, name: str) -> Variable | None:
        """The variable of this name."""
        return next((variable for variable in self.variables if variable.name == name), None)


@dataclass(frozen=True)
class Raised:
    """Where the model's code raised an exception, so that the recording ends there."""

    layer: int
    t: int
    line: int
    """Of the file."""
    text: str
    """The exception in a line: ValueError: …"""
    function: int = -1
    """Which of the layer's functions raised it; −1: that is not known, but for the line."""

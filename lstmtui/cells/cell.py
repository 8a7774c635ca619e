"""What a cell is: its equations, the rows of its parameters, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Literal, TypeAlias

from lstmtui.cells.keeping import Keeping, keeping_of, keeping_of_quotient, names_in, normalized, side_of
from lstmtui.cells.parameters import Block, Parameter, Size, blocks_by_symbol, stacked
from lstmtui.cells.quantity_sizes import Measure
from lstmtui.cells.ranges import UNIT_INTERVAL, Range, range_of
from lstmtui.cells.symbolic import Equations, Parameters, ParameterSymbols, Value, symbols_of
from lstmtui.cells.terms import RANGES, Term, symbols_in

__all__ = ["Cell", "Equations", "Parameters", "Value"]

Definitions: TypeAlias = dict[str, Term]
"""The term of each quantity, in order of evaluation."""


@dataclass(frozen=True)
class Cell:
    """One kind of recurrent cell.

    The cell is defined by its `equations` and nowhere else. Run on tensors, they give the numbers. Run on
    terms, they give the formula on screen (:mod:`lstmtui.cells.formula`) and all other facts about the cell:
    what keeps a state, which values are squashed, what each parameter acts on. `into` steps through them in
    their order.

    Raises:
        ValueError: on first use, if the equations read a parameter that the cell does not have.
    """

    name: str
    """The name used in scenario files and in `lstmtui.Recurrent`."""

    equations: Callable[..., Equations]
    """The equations, called as `equations(p, x, *states)`. A value before squashing is the quantity's name
    with `_pre`."""

    rows: tuple[str, ...]
    """The blocks of rows in W, R and b, in PyTorch's order; one block without a name for the plain RNN."""

    states: tuple[str, ...]
    """What is carried from one timestep to the next. The first is h, which the layer gives on; then c …"""

    own_parameters: tuple[Parameter, ...] = ()
    """Those that are not W, R, b, W_hr or a peephole."""

    state_sizes: Mapping[str, Size] = field(default_factory=dict, hash=False)
    """The size of each state that has not as many units as h (the first) or the gates (any other)."""

    initial: Mapping[str, float] = field(default_factory=dict, hash=False)
    """What each state is before the first timestep where nobody says, if not 0."""

    sizes: Mapping[str, Size] = field(default_factory=dict, hash=False)
    """Sizes of the cell's own, by name, with the value of each where nobody says: {"heads": 1}."""

    described: str = ""
    """Where the cell comes from, in a line; left out: the first line of the equations' documentation."""

    @property
    def summary(self) -> str:
        """One line: where the cell comes from."""
        return self.described or next(iter((self.equations.__doc__ or "").strip().splitlines()), "")

    def definitions(self, *, projected: bool = False) -> Definitions:
        """What defines each quantity, in order of evaluation, in symbols alone.

        Args:
            projected: whether h is a projection.
        """
        return self._with_projection[0] if projected else self._symbolic[0]

    @cached_property
    def _symbolic(self) -> tuple[Definitions, ParameterSymbols]:
        symbols = ParameterSymbols()
        return dict(symbols_of(self.equations, symbols, self.states)), symbols

    @cached_property
    def _with_projection(self) -> tuple[Definitions, ParameterSymbols]:
        symbols = ParameterSymbols(projected=True)
        return dict(symbols_of(self.equations, symbols, self.states)), symbols

    # What it is made of.

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Every quantity the equations define, in order of evaluation."""
        return tuple(self._symbolic[0])

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The quantities of one timestep that are neither a state nor a value before squashing."""
        return tuple(q for q in self.quantities if q not in self.states and not q.endswith("_pre"))

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """The stops of `into`: each quantity together with its value before squashing."""
        return tuple(q for q in self.quantities if not q.endswith("_pre"))

    # Its parameters.

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter of a layer and direction, in PyTorch's order, the cell's own last."""
        read = self._symbolic[1].read
        own = {symbol for parameter in self.own_parameters for symbol in parameter.symbols}
        common = stacked(self.rows, [name for name in read if name not in own], projects=self.projects)
        every = (*common, *self.own_parameters)
        symbols = {symbol for parameter in every for symbol in parameter.symbols}
        unknown = [name for name in read if name not in symbols]
        if unknown:
            raise ValueError(
                f"{self.name}: the equations read {unknown[0]}, which is no parameter of the cell"
            )
        return every

    @cached_property
    def blocks(self) -> dict[str, tuple[Block, ...]]:
        """What each parameter of the equations stands for: blocks of parameters, to be added up."""
        return blocks_by_symbol(self.parameters)

    @cached_property
    def quantity_sizes(self) -> dict[str, Size]:
        """The size of each quantity, as its equation says."""
        states = {state: self.size_of_state(state) for state in self.states}
        return Measure(states, self.blocks).sizes(self.definitions())

    def size_of_state(self, state: str) -> Size:
        """The size of a state."""
        usual = "output" if state == self.states[0] else "hidden"
        return self.state_sizes.get(state, usual)

    @property
    def projects(self) -> bool:
        """Whether h may be a projection (`proj_size`)."""
        return self._symbolic[1].projects

    @cached_property
    def peepholes(self) -> tuple[str, ...]:
        """The gates that see c through a vector of shape (hidden,)."""
        return tuple(row for row in self.rows if "w_c" + row in self.blocks)

    def reads(self, quantity: str) -> tuple[str, ...]:
        """The parameters in the equations of a quantity and of its value before squashing: W_f, R_f, b_f."""
        terms = [self.definitions()[q] for q in (quantity + "_pre", quantity) if q in self.quantities]
        symbols = (s.text for term in terms for s in symbols_in(term) if s.role == "parameter")
        return tuple(dict.fromkeys(symbols))

    def row(self, name: str) -> int:
        """The position of block `name` among the rows of W, R and b.

        Raises:
            ValueError: the cell has no such block.
        """
        return self.rows.index(name)

    # What its quantities mean.

    @cached_property
    def keeping(self) -> dict[str, Keeping]:
        """How each state that has a factor to be kept by is kept."""
        every = ((state, keeping_of(self.definitions()[state], state)) for state in self.states)
        return {state: keeping for state, keeping in every if keeping is not None}

    @cached_property
    def normalized(self) -> tuple[str, ...]:
        """Two states that h shows as a quotient, both kept by one factor: c and n of an sLSTM, else none."""
        return normalized(self.definitions()[self.states[0]], self.keeping) or ()

    @cached_property
    def memory_keeping(self) -> Keeping | None:
        """How the memory is kept; that of the quotient where h shows it only divided by another state."""
        keeping = self.keeping.get(self.memory)
        if keeping is None or self.memory not in self.normalized[:1]:
            return keeping
        by = self.normalized[1]
        divisor = Term("symbol", text=by, role=by, definition=self.definitions()[by])
        return keeping_of_quotient(keeping, self.keeping[by], divisor)

    @cached_property
    def memory(self) -> str:
        """The state that remembers: the first that is kept by a factor; where none is, the last."""
        return next(iter(self.keeping), self.states[-1])

    def range(self, quantity: str) -> tuple[float, float]:
        """What a quantity lies between, as its equation says: (0, 1) for a gate, ±inf without a bound."""
        defined = self.definitions()
        return range_of(defined[quantity], self._constant_states) if quantity in defined else (-inf, inf)

    @cached_property
    def _constant_states(self) -> dict[str, Range]:
        """The ranges of the states that are one number from the first timestep on."""
        numbers = {s: self.definitions()[s] for s in self.states if self.definitions()[s].kind == "number"}
        ends = {s: (self.initial.get(s, 0.0), term.value) for s, term in numbers.items()}
        return {s: (min(pair), max(pair)) for s, pair in ends.items()}

    def in_unit_interval(self, quantity: str) -> bool:
        """Whether a quantity lies between 0 and 1, as a gate does."""
        return self.range(quantity) == UNIT_INTERVAL

    @cached_property
    def squashed(self) -> tuple[str, ...]:
        """The quantities that a squashing function gives, in order of evaluation: gates and candidates."""
        return tuple(q for q, term in self.definitions().items() if term.kind in RANGES)

    def remembers_when(self, quantity: str) -> Literal["open", "closed", ""]:
        """On which side a gate keeps all of the memory; empty for one that does not keep it."""
        factor = Term("number") if self.memory_keeping is None else self.memory_keeping.factor
        side = side_of(factor, quantity) if self.in_unit_interval(quantity) else 0
        return "open" if side > 0 else "closed" if side < 0 else ""

    @cached_property
    def candidate(self) -> str:
        """What could be written to the memory, before a gate; empty where no factor keeps the memory."""
        names = names_in(self.keeping[self.memory].written) if self.keeping else ()
        return next((name for name in names if not self.in_unit_interval(name)), "")

    @cached_property
    def output_gate(self) -> str:
        """The gate through which h shows the rest of its product; empty where h is no such product."""
        term = self.definitions()[self.states[0]]
        parts = term.parts if term.kind == "*" else ()
        return next((p.role for p in parts if p.definition is not None and self.in_unit_interval(p.role)), "")

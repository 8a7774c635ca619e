"""What a trace says about itself, as it stands in its JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.layout import Layout
from lstmtui.cells.registry import BUILT_IN, check
from lstmtui.cells.written import Definition, cell_of, definition_of
from lstmtui.printable import printable
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.look_ahead import LookAhead
from lstmtui.trace.source import Raised, Source, Variable
from lstmtui.trace.source_cell import SourceCell
from lstmtui.trace.state_origin import StateOrigin
from lstmtui.wording import counted

SCHEMA = 1
"""The version of the files on disk; a reader refuses a newer one."""

LossKind = Literal["mse", "cross_entropy", "bce", "sum", "last_hidden", "custom"]
"""A loss that can be taken again from `target` and `mask`; last_hidden: the sum of the last h of the last
layer; custom: a function of the user's own, which no trace holds."""

OutputKind = Literal["hidden", "head", "custom"]
"""Where y comes from: h of the last layer, `head.weight` and `head.bias` on it, or the user's own code."""


@dataclass(frozen=True)
class Layer:
    """One recurrent layer, in one or both directions."""

    cell: str
    """The cell's name; of a run by source what runs: MyCell."""
    input_size: int
    hidden_size: int
    proj_size: int = 0
    bidirectional: bool = False
    bias: bool = True
    path: str = ""
    """Where its module sits in the recorded module, as in `named_modules`; empty for the module itself."""
    index: int = 0
    """The layer's number within its module: the 1 of weight_ih_l1."""
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per direction, full parameter names by base name: {"forward": {"weight_ih": "rnn.weight_ih_l0"}}."""
    parameters_until: int = field(default=0, compare=False)
    """The timestep from which it computed with others than those that are kept, as after a step of an
    optimizer within the run; 0: they are those of the whole run."""
    calls: int = 1
    """How many calls of its module the timesteps come from: more than one in a loop of the model's own."""
    absent: str = field(default="", compare=False)
    """Why its derivatives are not there, in a sentence; empty where they are, or the header says why."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes of the cell's own by name, such as heads."""
    states_from: dict[str, StateOrigin] = field(default_factory=dict, compare=False)
    """Per direction, where its states come from; empty where that was not recorded."""
    definition: Definition | None = None
    """What a cell of the user's own is; None for one that is built in."""
    source: Source | None = None
    """The code whose variables are its quantities; None for a cell whose equations are ours."""

    @classmethod
    def of(
        cls,
        layout: Layout,
        index: int,
        full: Mapping[str, str] | None = None,
        path: str = "",
        calls: int = 1,
        absent: str = "",
    ) -> Layer:
        """One layer of a stack.

        Args:
            layout: the stack's sizes.
            index: which of its layers.
            full: full parameter names by PyTorch's own; None: they are PyTorch's own.
            path: where the stack's module sits.
            calls: how many calls of it there were.
            absent: why its derivatives are not there.
        """
        names = {direction: layout.names(index, direction) for direction in layout.directions}
        if full is not None:
            names = {d: {base: full[name] for base, name in own.items()} for d, own in names.items()}
        return cls(
            cell=layout.cell.name,
            input_size=layout.layer_input_size(index),
            hidden_size=layout.hidden_size,
            proj_size=layout.proj_size,
            bidirectional=layout.bidirectional,
            bias=layout.bias,
            sizes=layout.own_sizes,
            definition=None if BUILT_IN.get(layout.cell.name) == layout.cell else definition_of(layout.cell),
            path=path,
            index=index,
            parameters=names,
            calls=calls,
            absent=absent,
        )

    @cached_property
    def layout(self) -> Layout:
        """The cell and the sizes of this layer alone."""
        return Layout(
            self._cell(),
            self.input_size,
            self.hidden_size,
            bidirectional=self.bidirectional,
            proj_size=self.proj_size,
            bias=self.bias,
            sizes=tuple(self.sizes.items()),
        )

    def state_origin(self, direction: str) -> str:
        """Where its states come from, in words without a full stop; empty where that was not recorded."""
        origin = self.states_from.get(direction)
        return "" if origin is None else printable(origin.sentence(self.calls))

    def _cell(self) -> Cell:
        if self.source is not None:
            return SourceCell.of(self.cell, self.source)
        if self.definition is None:
            return CELLS[self.cell]
        registered = CELLS.get(self.cell)
        if registered is not None and definition_of(registered) == self.definition:
            return registered
        cell = cell_of(self.cell, self.definition)
        if self.cell not in BUILT_IN:
            check(cell)
        return cell

    @property
    def directions(self) -> tuple[str, ...]:
        """("forward",) or ("forward", "backward")."""
        return self.layout.directions

    @property
    def quantities(self) -> tuple[str, ...]:
        """x, then in order of evaluation; of a run by source its variables alone."""
        own = self.layout.cell.quantities
        return own if self.source is not None else ("x", *own)

    @property
    def sizes_text(self) -> str:
        """ "3 → 8", input and hidden size; of recorded code "14 names"."""
        if self.source is None:
            return f"{self.input_size} → {self.hidden_size}"
        return counted(len(self.source.variables), "name")

    def size(self, quantity: str) -> int:
        """The number of units of a quantity of this layer, or of its derivative; 0 for a name it has not."""
        if self.source is not None:
            variable = self.variable(quantity)
            return 0 if variable is None else variable.size
        cell = self.layout.cell
        return self.layout.size(quantity if quantity in cell.quantities else quantity.removeprefix("d"))

    def shape(self, quantity: str) -> tuple[int, ...]:
        """The axes of a variable of recorded code, or of its derivative; () for everything that has one."""
        variable = self.variable(quantity)
        return variable.shape if variable is not None and len(variable.shape) > 1 else ()

    def variable(self, quantity: str) -> Variable | None:
        """The variable of recorded code that a quantity is, or that it is the derivative by."""
        if self.source is None:
            return None
        return self.source.variable(quantity) or self.source.variable(quantity.removeprefix("d"))


@dataclass(frozen=True)
class Header:
    """Everything about a trace that is not an array."""

    name: str
    """The model's name."""
    layers: tuple[Layer, ...]
    steps: int
    """T, the number of timesteps."""
    batch: int
    """B, the number of sequences."""
    dtype: str = "float32"
    device: str = "cpu"
    precision: str = ""
    """What the operands of float32 products were rounded to: "TF32", "BF16"; empty: they were not."""
    module: str = ""
    """The type of the recorded module, such as torch.nn.LSTM."""
    loss: float = float("nan")
    """What the gradients are taken of."""
    loss_is_known: bool = True
    """False where the derivatives are of a loss whose value nobody has seen; `loss` is NaN then."""
    loss_text: str = ""
    """The loss in words: "mse of y, every timestep"."""
    loss_kind: LossKind = "custom"
    loss_at: LossAt | None = None
    """The one place that the gradients are of, where a what-if took them so."""
    output_kind: OutputKind = "custom"
    what_ifs: tuple[str, ...] = ()
    """What was changed in this run, in words; empty for a run as the model makes it."""
    edits: tuple[Edit, ...] = ()
    """The values that were put in place of what the model makes, where that changed anything."""
    absent: str = ""
    """Why y or the derivatives are not there, in a sentence; empty where they are."""
    raised: Raised | None = None
    """Where the model's code raised, so that the run ends there; None where it did not."""
    live: int = 0
    """While a run is being recorded: how many timesteps it will have; `steps` are there. 0: all are."""
    look_ahead: LookAhead | None = None
    """Whether what the loss reads depends on what comes later; None where that was not looked at."""
    parity: float | None = None
    """max |Δ| of the outputs against the stock fused module, or of h and c against onnxruntime's of an ONNX
    graph; None where there is neither."""
    seed: int | None = None
    """What the weights were drawn from, so that the model has learned nothing; None where they are of a file,
    or of a model of the user's own."""
    title: str = ""
    notes: str = ""
    script: str = ""
    """The playback script of the scenario."""
    opens: bool = False
    """Whether it is what a trace of several runs was written for, and what is looked at first."""
    labels: tuple[str, ...] = ()
    """The names of the input channels, or the vocabulary where the input is tokens."""
    is_forecast: bool = False
    """Whether y says what the input is a timestep later, in units of the input."""

    @property
    def untrained(self) -> str:
        """ "untrained (seed 0)"; empty where the weights come from elsewhere."""
        return "" if self.seed is None else f"untrained (seed {self.seed})"

    @property
    def numbers(self) -> str:
        """What was computed in: "float32", or "float32 (TF32)"."""
        return f"{self.dtype} ({self.precision})" if self.precision else self.dtype

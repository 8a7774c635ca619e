"""A scenario that has been read and checked: plain data, from which a run can start at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.cells.layout import Layout
    from lstmtui.models.onnx.graph_request import GraphRequest
    from lstmtui.scenario.models.checkpoints import Checkpoint


@dataclass(frozen=True)
class Stream:
    """How a sequence is passed to an ONNX graph in several calls."""

    chunk: int = 0
    """How many timesteps of the input each call gets; 0: one call gets all."""
    context: int = 0
    """How many of those before it gets once more, in front; before the first there are zeros."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Inputs of the graph that get what an output of the call before was, where a model says nothing else."""


@dataclass(frozen=True)
class Input:
    """The sequences that every model of a scenario sees: numbers or tokens."""

    values: Array | None
    """(T, B, I) float64, normalised; None where the input is tokens."""
    tokens: Array | None
    """(T, B) int64; None where the input is numbers."""
    labels: tuple[str, ...]
    """The channels' names, length I; for tokens the vocabulary. Printable."""
    lengths: Array | None
    """(B,) int64 where sequences differ in length; padded with zeros."""
    shift: Array
    """(I,) float64: raw = values · scale + shift."""
    scale: Array
    """(I,) float64."""
    stream: Stream | None = None
    """None where nothing is said of it."""
    sound_rate: int = 0
    """How many timesteps of a sound are a second; 0: the input is none."""

    @property
    def steps(self) -> int:
        """T, the number of timesteps of the longest sequence."""
        return int(self._data.shape[0])

    @property
    def batch(self) -> int:
        """B, the number of sequences."""
        return int(self._data.shape[1])

    @property
    def size(self) -> int:
        """I, or the size of the vocabulary where the input is tokens."""
        return len(self.labels)

    @property
    def _data(self) -> Array:
        data = self.tokens if self.values is None else self.values
        assert data is not None
        return data


@dataclass(frozen=True)
class Objective:
    """What the gradients are taken of."""

    loss: str
    """mse, cross_entropy, bce or sum."""
    at: str | int
    """"last", "every" or a timestep; "last_hidden": the last hidden state of each direction, which backwards
    is that of the first timestep; y at the last timestep where the model has a head."""
    target: Array | None
    """(T, B, O) float64, or ids (T, B) int64 for cross_entropy; None for sum."""
    mask: Array
    """(T, B) bool: where the loss is taken; `at`, lengths and missing targets are in it already."""
    is_forecast: bool = False
    """Whether the target is what the input is a timestep later, and y is to say that."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of a scenario."""

    name: str
    layout: Layout
    """Its sizes; the input size is that of the input, of the embedding, or of the vocabulary (one-hot)."""
    head: int | None
    """The size of y, a linear layer on h; None: y is h."""
    embedding: int | None
    """The size of an embedding of tokens before the cells."""
    seed: int | None
    """What the weights are drawn from; None where `parameters` are given."""
    parameters: dict[str, Array] | None
    """float32 or float64 arrays by PyTorch's names, embedding.weight, head.weight and head.bias."""
    initial: Mapping[str, Array] = field(default_factory=dict)
    """{"h0": …, "c0": …}, each (num_layers · directions, B, size); what is left out is zero."""
    origin: str = ""
    """"checkpoint" or "onnx" where the model comes from one."""
    reverse: bool = False
    """Whether its only direction reads the sequences from their ends."""
    notes: tuple[str, ...] = ()
    """What its file leaves open, and how it was taken. Printable."""
    weights: str = ""
    """The file that `weights = …` names, as it stands there."""
    position: int = 0
    """Which of the file's [[model]] tables it is."""

    @property
    def output_size(self) -> int:
        """O, the size of y: that of the head, or of h in all directions."""
        return self.head or self.layout.output_size * len(self.layout.directions)


@dataclass(frozen=True)
class FactorySpec:
    """One model of a scenario that the user's own Python builds."""

    name: str
    target: str
    """package.module:function"""
    arguments: Mapping[str, Any]
    """What the function is called with."""
    folder: Path
    """The scenario's, where the package is looked for first."""
    weights: Checkpoint | None
    """What is loaded into the model."""
    batch_first: bool | None
    """Whether it takes (B, T, …); None: as its recurrent layers do."""
    source: bool | tuple[str, ...] | None = None
    """What of its code is recorded by source: all, or what these dotted names are; None: all where it has no
    recurrent layers."""
    notes: tuple[str, ...] = ()
    is_bundled: bool = False
    """Whether its Python came with the program, so that nobody has to trust it."""


@dataclass(frozen=True)
class GraphSpec:
    """One model of a scenario that is a whole ONNX graph."""

    name: str
    path: Path
    """The ONNX model."""
    request: GraphRequest
    """Its inputs, and how it is called."""
    output: str
    """The graph's output that is y."""
    batch_first: bool
    """Whether the input goes into it with the sequences before the timesteps."""
    seconds: float | None = None
    """How long it may run; None: as long as any."""
    notes: tuple[str, ...] = ()


AnySpec: TypeAlias = ModelSpec | FactorySpec | GraphSpec
"""One model, wherever it comes from."""


@dataclass(frozen=True)
class RunSpec:
    """On which device and in which dtype a scenario runs."""

    device: str = "auto"
    dtype: str = "float32"


@dataclass(frozen=True)
class LawsSpec:
    """What the laws of state need to know about a model and its input."""

    starts: Array | None = None
    """(T, B) bool: where a sequence begins anew; None where it is not said."""
    run: str | None = None
    """package.module:function, called with (model, x, state) in place of the model."""
    step: str | None = None
    """The same for one timestep."""
    reset: str | None = None
    """The same, called with the model before each fresh start."""


@dataclass(frozen=True)
class Scenario:
    """One scenario file, checked, with its data and weights read."""

    path: Path
    title: str
    """Printable, one line."""
    notes: str
    """Markdown; printable."""
    input: Input
    objective: Objective
    models: tuple[AnySpec, ...]
    run: RunSpec
    script: str
    """The playback script as it stands in the file."""
    laws: LawsSpec = field(default_factory=LawsSpec)
    fresh: Callable[[int, int], tuple[Input, Objective]] | None = None
    """Where its sequences are those of a task: draws (sequences, seed) others like them; None elsewhere."""

"""The shape of a scenario file: its tables and their keys, as pydantic models.

Nothing is required here and nested lists are taken as they are: what is missing and what does not fit is
found afterwards, so that one mistake does not hide another.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lstmtui.scenario.limits import MAX_ELEMENTS, MAX_HIDDEN, MAX_LAYERS, MAX_SEED, MAX_VOCABULARY


class Table(BaseModel):
    """A table of the file; unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FileTable(Table):
    """The top of the file."""

    title: str | None = None
    notes: str | None = None
    input: dict[str, Any] | None = None
    objective: dict[str, Any] | None = None
    model: list[dict[str, Any]] | None = None
    run: dict[str, Any] | None = None
    playback: dict[str, Any] | None = None
    laws: dict[str, Any] | None = None


class InputTable(Table):
    """[input]; the other keys, of a task, are allowed here and checked with the task."""

    model_config = ConfigDict(extra="allow", strict=True)

    file: str | None = None
    text: str | None = None
    tokens: list[Any] | None = None
    values: list[Any] | None = None
    task: str | None = None
    columns: list[Any] | None = None
    array: str | None = None
    as_: Literal["tokens"] | None = Field(default=None, alias="as")
    normalize: Literal["standard", "minmax", "none"] | None = None
    vocabulary: str | None = None
    vocabulary_size: int | None = Field(default=None, ge=1, le=MAX_VOCABULARY)
    chunk: int | None = Field(default=None, ge=1, le=MAX_ELEMENTS)
    context: int | None = Field(default=None, ge=0, le=MAX_ELEMENTS)
    state: dict[str, str] | None = None


class ObjectiveTable(Table):
    """[objective]"""

    loss: Literal["mse", "cross_entropy", "bce", "sum"] | None = None
    at: Any = None
    target: Any = None


class TargetTable(Table):
    """target = { file = … }"""

    file: str | None = None
    columns: list[Any] | None = None
    array: str | None = None


class ModelTable(Table):
    """[[model]] whose sizes the scenario gives, and what every other kind of model may say too."""

    name: str | None = Field(default=None, min_length=1, max_length=60)
    cell: str | None = None
    hidden_size: int | None = Field(default=None, ge=1, le=MAX_HIDDEN)
    num_layers: int | None = Field(default=None, ge=1, le=MAX_LAYERS)
    bidirectional: bool | None = None
    proj_size: int | None = Field(default=None, ge=0, le=MAX_HIDDEN)
    bias: bool | None = None
    sizes: dict[str, int] | None = None
    weights: str | None = None
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    parameters: dict[str, Any] | None = None
    checkpoint: str | None = None
    onnx: str | None = None
    module: str | None = Field(default=None, max_length=400)
    factory: str | None = Field(default=None, min_length=1, max_length=400)
    arguments: dict[str, Any] | None = None
    batch_first: bool | None = None
    source: bool | str | list[Any] | None = None
    initial: Any = None
    inputs: dict[str, Any] | None = None
    state: dict[str, str] | None = None
    output: str | None = Field(default=None, max_length=400)
    session: dict[str, Any] | None = None


class OwnModelTable(ModelTable):
    """[[model]] with its own sizes: what stands around the cells is given by its size."""

    head: int | None = Field(default=None, ge=1, le=MAX_VOCABULARY)
    embedding: int | None = Field(default=None, ge=1, le=MAX_HIDDEN)


class FileModelTable(ModelTable):
    """[[model]] from a checkpoint: what stands around the cells is given by its path in there."""

    head: str | None = Field(default=None, min_length=1, max_length=400)
    embedding: str | None = Field(default=None, min_length=1, max_length=400)


class SessionTable(Table):
    """session = { … }: how onnxruntime runs a graph."""

    threads: int = Field(default=1, ge=1, le=256)
    providers: list[str] = []
    seconds: int | None = Field(default=None, ge=1, le=86_400)


class RunTable(Table):
    """[run]"""

    device: str = "auto"
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"


class PlaybackTable(Table):
    """[playback]"""

    script: str = ""


class LawsTable(Table):
    """[laws]"""

    starts: list[Any] | None = None
    run: str | None = Field(default=None, max_length=400)
    step: str | None = Field(default=None, max_length=400)
    reset: str | None = Field(default=None, max_length=400)

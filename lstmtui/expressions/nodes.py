"""What an expression is made of, once it has been parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class SourceSpan:
    """Which characters of the text a piece of an expression stands in."""

    start: int
    """Where it begins in the text."""
    stop: int
    """Where it ends."""


@dataclass(frozen=True)
class Number(SourceSpan):
    """A constant."""

    value: float


@dataclass(frozen=True)
class RunScalar(SourceSpan):
    """`t` or `loss`."""

    name: str


@dataclass(frozen=True)
class Quantity(SourceSpan):
    """A quantity of the selected layer: a value for each unit."""

    name: str


@dataclass(frozen=True)
class ParameterNumbers(SourceSpan):
    """Numbers of a parameter of the selected layer, by its symbol in the equations: of no timestep."""

    name: str
    axes: int
    """How many it has."""
    indices: tuple[int, ...] = ()
    """Along the first of its axes; negative numbers count from the last."""
    columns: tuple[int, ...] = ()
    """Where the numbers stand."""


@dataclass(frozen=True)
class Previous(SourceSpan):
    """The operand at the timestep before, in the direction of the layer."""

    operand: Node


@dataclass(frozen=True)
class Base(SourceSpan):
    """The operand in the run without what-ifs."""

    operand: Node


@dataclass(frozen=True)
class Unit(SourceSpan):
    """One unit of the operand: its number, or one along each of the operand's axes.

    Negative numbers count from the last.
    """

    operand: Node
    indices: tuple[int, ...]
    columns: tuple[int, ...]
    """Where the numbers stand."""


@dataclass(frozen=True)
class Reduction(SourceSpan):
    """One value made of all units of the operand."""

    name: str
    operand: Node


@dataclass(frozen=True)
class Elementwise(SourceSpan):
    """An operator or a function of the operands, unit by unit."""

    name: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Comparison(SourceSpan):
    """One comparison, or a chain of them: every neighbouring pair must compare so."""

    signs: tuple[str, ...]
    operands: tuple[Node, ...]


Node: TypeAlias = (
    Number
    | RunScalar
    | Quantity
    | ParameterNumbers
    | Previous
    | Base
    | Unit
    | Reduction
    | Elementwise
    | Comparison
)


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node."""
    match node:
        case Elementwise() | Comparison():
            return node.operands
        case Previous() | Base() | Unit() | Reduction():
            return (node.operand,)
        case _:
            return ()


def is_vector(node: Node) -> bool:
    """Whether the node has a value for each unit, whatever it is evaluated on."""
    match node:
        case Quantity():
            return True
        case ParameterNumbers():
            return len(node.indices) < node.axes
        case Number() | RunScalar() | Unit() | Reduction():
            return False
        case _:
            return any(is_vector(child) for child in children(node))


def quantities_of(node: Node) -> frozenset[str]:
    """The names of the quantities that are read."""
    own = {node.name} if isinstance(node, Quantity) else set()
    return frozenset(own).union(*(quantities_of(child) for child in children(node)))

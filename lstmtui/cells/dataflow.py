"""The equations of a cell as a graph: which operation reads what, and what it gives at one unit.

Weighted sums, W·x + R·h + b, are one node with the function that squashes them, as the yellow boxes of
Olah 2015 ("Understanding LSTM Networks") are; everything else is a node for each operation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from lstmtui.cells.keeping import names_in
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.rendering import render
from lstmtui.cells.rendering import text as written
from lstmtui.cells.terms import Term, symbols_in

NodeKind: TypeAlias = Literal["source", "weighted", "function", "operation", "number"]
"""source: x, or a state before the timestep; weighted: a sum with weights; function: of one value;
operation: of two; number: a constant."""

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "/", "max": "max", "min": "min"}
_FUNCTIONS = {"sigmoid": "σ", "sqrt": "√", "layer_norm": "LN", "logsigmoid": "log σ"}
_LONGEST_FACTOR = 8
"""Characters of what multiplies a value; longer ones are written w, as they make pictures wide."""


@dataclass(frozen=True)
class Node:
    """One value of a timestep, and how it is made."""

    kind: NodeKind
    text: str
    """σ, tanh, ×, +, 1−; of a weighted sum without a function the name of its matrix, or Σ; of a value that
    a weight of the unit multiplies, the weight: w×."""
    reads: tuple[int, ...]
    """The positions of the nodes that it is made of."""
    stage: str = ""
    """The quantity in whose equation it stands; of a source, the source."""
    name: str = ""
    """The quantity that it is; empty for what has no name."""
    before: str = ""
    """The quantity that the function of a weighted sum reads, f_pre, where nothing else reads it."""
    peepholes: tuple[int, ...] = ()
    """Those of `reads` of which every unit sees only itself, through a weight: c of a peephole."""


@dataclass(frozen=True)
class NodeValue:
    """The numbers of a node at one unit; None where they are not known."""

    value: float | None
    before: float | None
    """Before the function of a weighted sum."""


Dataflow: TypeAlias = tuple[tuple[Node, ...], tuple[NodeValue, ...]]


def dataflow(
    definitions: Iterable[tuple[str, Term]], states: tuple[str, ...], *, has_weights: bool = True
) -> Dataflow:
    """The nodes of one timestep in order of evaluation, x and the old states first, and their values.

    Args:
        definitions: of every quantity, in order of evaluation, with numbers or in symbols alone.
        states: of the cell.
        has_weights: whether parameters have numbers.
    """
    return _Builder(dict(definitions), states, has_weights).built()


class _Builder:
    def __init__(self, definitions: dict[str, Term], states: tuple[str, ...], has_weights: bool) -> None:
        self._definitions, self._states, self._has_weights = definitions, states, has_weights
        self._nodes: list[Node] = []
        self._values: list[NodeValue] = []
        self._by_form: dict[tuple[str, str, tuple[int, ...], str], int] = {}
        self._named: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        readers = Counter(
            name for quantity in definitions.values() for name in {s.role for s in symbols_in(quantity)}
        )
        self._opened = {
            name
            for name, term in definitions.items()
            if name.endswith("_pre")
            and readers[name] == 1
            and _is_weighted(term)
            and any(names_in(reader) == (name,) for reader in definitions.values())
        }
        """Values before squashing that are read by their own function alone."""

    def built(self) -> Dataflow:
        for source in ("x", *self._states):
            self._sources[source] = self._add("source", source, (), source, Term("symbol", role=source))
        for name, term in self._definitions.items():
            if name not in self._opened:
                self._define(name, term)
        for leaf in (leaf for term in self._definitions.values() for leaf in symbols_in(term)):
            if leaf.role in self._sources and leaf.definition is None:
                self._values[self._sources[leaf.role]] = NodeValue(self._value(leaf), None)
        return tuple(self._nodes), tuple(self._values)

    def _define(self, name: str, term: Term) -> None:
        at = self._node(term, name)
        if self._nodes[at].name or self._nodes[at].kind == "source":
            at = self._add("function", "=", (at,), name, term)
        node = self._nodes[at]
        before = next((pre for pre in names_in(term) if pre in self._opened), "")
        self._nodes[at] = replace(node, stage=name, name=name, before=before)
        self._named[name] = at

    def _node(self, term: Term, stage: str) -> int:
        """The position of the node that a term is, made where there is none."""
        if term.kind == "number":
            return self._add("number", term.text.replace("-", "−"), (), stage, term)
        if term.kind == "symbol" and term.role != "parameter" and term.role not in self._opened:
            return self._sources[term.role] if term.definition is None else self._named[term.role]
        text, core = _peeled(term)
        if not text and core is not term:
            text = f"{next(part.text for part in term.parts if part.kind == 'number')}×"
        if core.kind == "symbol" and core.role in self._opened:
            core = self._definitions[core.role]
        if _is_weighted(core):
            return self._weighted(text, core, stage, term)
        if text:
            return self._add("function", text, (self._node(core, stage),), stage, term)
        reads = tuple(self._node(part, stage) for part in core.parts)
        return self._add("operation", _SIGNS.get(core.kind, core.kind), reads, stage, core)

    def _weighted(self, text: str, core: Term, stage: str, term: Term) -> int:
        """A weighted sum and the function of it; of one value without a matrix, a function of that value."""
        parts = list(_sum_parts(core))
        inner = "LN" if any(part.kind == "layer_norm" for part in parts) else ""
        text = (f"{text}({inner})" if inner else text) if text else inner or _weight_name(core)
        products = dict.fromkeys(self._node(part.parts[1], stage) for part in parts if part.kind == "@")
        values = [part for part in parts if _is_value(part)]
        if not products and len(values) == 1:
            own, value = _peeled(values[0])
            both = f"{text}({own})" if own and own != inner else text
            return self._add("function", both, (self._node(value, stage),), stage, term)
        every = dict.fromkeys(self._node(value, stage) for value in values)
        alone = [at for at in every if at not in products]
        at = self._add("weighted", text, (*products, *alone), stage, term, core)
        self._nodes[at] = replace(self._nodes[at], peepholes=tuple(alone))
        return at

    def _add(
        self,
        kind: NodeKind,
        text: str,
        reads: tuple[int, ...],
        stage: str,
        term: Term,
        core: Term | None = None,
    ) -> int:
        # A number stands where it is read, and a weighted sum is known by its weights: neither is shared.
        own = str(len(self._nodes)) if kind in ("number", "weighted", "source") else ""
        form = (kind, text, reads, own)
        if form not in self._by_form:
            self._by_form[form] = len(self._nodes)
            self._nodes.append(Node(kind, text, reads, stage))
            before = None if core is None or core is term else self._value(core)
            self._values.append(NodeValue(self._value(term), before))
        return self._by_form[form]

    def _value(self, term: Term) -> float | None:
        """The value of a term at the unit; None where a leaf of it has no numbers, or not that unit."""
        if all(self._has_number(leaf) for leaf in symbols_in(term)):
            return term.value
        return None

    def _has_number(self, leaf: Term) -> bool:
        if leaf.role == "parameter":
            return self._has_weights
        return leaf.vector is not None and (leaf.unit < len(leaf.vector) or len(leaf.vector) == 1)


def _peeled(term: Term) -> tuple[str, Term]:
    """What is done to one value, from the outermost function on, and the value: ("1−", z)."""
    if term.kind == "symbol" or _is_weighted(term):
        return "", term
    names = list(dict.fromkeys((s.role, id(s.definition)) for s in symbols_in(term) if s.role != "parameter"))
    if len(names) == 1 and len([s for s in symbols_in(term) if s.role == names[0][0]]) > 1:
        return _composed(term), next(s for s in symbols_in(term) if s.role == names[0][0])
    numbers = [part for part in term.parts if part.kind == "number"]
    others = [part for part in term.parts if part.kind != "number"]
    if len(others) != 1:
        return "", term
    inner, core = _peeled(others[0])
    return _applied(term, numbers, inner), core


def _applied(term: Term, numbers: list[Term], inner: str) -> str:
    """An operation with a number, or a function, before what is inside it."""
    if term.kind == "neg":
        return "−" + inner
    if term.kind in _SIGNS and numbers:
        number = numbers[0].text.replace("-", "−")
        sign = _SIGNS[term.kind]
        if term.parts[0] is numbers[0] and sign in "−/×":
            return inner if sign == "×" and (inner or len(number) > 3) else f"{number}{sign}{inner}"
        return inner if inner else f"{inner}{sign}{number}"
    name = _FUNCTIONS.get(term.kind, term.kind)
    return f"{name}({inner})" if inner else name


def _composed(term: Term) -> str:
    """A function of one value that is written with this value several times."""
    if term.kind == "symbol":
        return ""
    if term.kind == "*" and all(part.kind == "symbol" for part in term.parts):
        return term.parts[0].text + "²"
    others = [part for part in term.parts if part.kind != "number"]
    if len(others) == 1:
        numbers = [part for part in term.parts if part.kind == "number"]
        return _applied(term, numbers, _composed(others[0]))
    return _SIGNS.get(term.kind, term.kind)


def _is_weighted(term: Term) -> bool:
    """Whether a term is a sum with weights: a parameter in it is added, or multiplies."""
    return any(part.kind == "@" or _is_parameter(part) for part in _sum_parts(term))


def _sum_parts(term: Term) -> Iterator[Term]:
    """The addends of a sum, also inside of factors and normalizations: products, parameters, values."""
    if term.kind in ("+", "-", "neg"):
        for part in term.parts:
            yield from _sum_parts(part)
    elif term.kind == "*" and any(map(_is_parameter, term.parts)):
        yield from (part for part in term.parts if _is_parameter(part))
        yield from (inner for part in term.parts if not _is_parameter(part) for inner in _sum_parts(part))
    elif term.kind == "layer_norm" and _is_weighted(term.parts[0]):
        yield term
        yield from _sum_parts(term.parts[0])
    else:
        yield term


def _is_parameter(term: Term) -> bool:
    """Whether a term is made of parameters and numbers alone, with at least one parameter."""
    leaves = list(symbols_in(term))
    return term.kind != "@" and bool(leaves) and all(leaf.role == "parameter" for leaf in leaves)


def _is_value(part: Term) -> bool:
    """Whether an addend of a weighted sum is a value that is no product with a matrix."""
    if part.kind in ("@", "number") or _is_parameter(part):
        return False
    return part.kind != "layer_norm" or not _is_weighted(part.parts[0])


def _weight_name(term: Term) -> str:
    """The matrix of a sum that has one, or what multiplies a value; else the sign of a sum."""
    matrices = [part.parts[0].text for part in _sum_parts(term) if part.kind == "@"]
    factor = None if matrices else _factor(term)
    if factor:
        return f"{factor if len(factor) <= _LONGEST_FACTOR else 'w'}×"
    return matrices[0] if len(matrices) == 1 else "Σ"


def _factor(term: Term) -> str | None:
    """What a value is multiplied by, in symbols; None where anything is added to it."""
    if term.kind == "neg":
        inner = _factor(term.parts[0])
        return None if inner is None else "−" + inner
    if term.kind != "*":
        return "" if _is_value(term) else None
    known = [written(render(p, UNICODE, numeric=False, expand=False)) for p in term.parts if not _is_value(p)]
    values = [_factor(part) for part in term.parts if _is_value(part)]
    if len(values) != 1 or values[0] is None:
        return None
    return UNICODE.times.join((*known, *filter(None, values)))

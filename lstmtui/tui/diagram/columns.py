"""Which column of a cell's picture each operation stands in: gates side by side, what follows above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lstmtui.cells.dataflow import Node


@dataclass
class Graph:
    """The nodes of a cell, and what follows from them for the picture."""

    nodes: Sequence[Node]
    states: tuple[str, ...]
    readers: list[list[int]] = field(default_factory=list)
    """Of each node, the nodes that read it."""
    results: dict[str, int] = field(default_factory=dict)
    """The node that each new state is."""
    highways: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The operations that lead from an old state straight to the new one, by state: × and + of c."""
    highway_of: dict[int, str] = field(default_factory=dict)
    """The state on whose highway an operation stands."""

    def __post_init__(self) -> None:
        self.readers = [[] for _ in self.nodes]
        for at, node in enumerate(self.nodes):
            for read in dict.fromkeys(node.reads):
                self.readers[read].append(at)
        self.results = {node.name: at for at, node in enumerate(self.nodes) if node.name in self.states}
        for state, result in self.results.items():
            path = self._path(result, self.source(state), state)
            if path and not any(at in self.highway_of for at in path):
                self.highways[state] = path
                self.highway_of.update(dict.fromkeys(path, state))

    def source(self, name: str) -> int:
        """The node of x or of an old state."""
        return next(at for at, node in enumerate(self.nodes) if node.kind == "source" and node.stage == name)

    def _path(self, at: int, source: int, state: str) -> tuple[int, ...]:
        node = self.nodes[at]
        if node.kind != "operation" or node.name not in ("", state):
            return ()
        if source in node.reads:
            return (at,)
        for read in node.reads:
            if not self.nodes[read].name and (path := self._path(read, source, state)):
                return (*path, at)
        return ()

    def is_own_of(self, at: int, reader: int) -> bool:
        """Whether nothing else reads a node, and it is no new state that is led out of the picture."""
        return self.readers[at] == [reader] and at not in self.results.values()

    def on_highway_or_source(self, at: int) -> bool:
        """Whether a value is on a line that runs across the picture."""
        return self.nodes[at].kind == "source" or at in self.highway_of


class Columns:
    """The columns of a picture, from left to right.

    `of` has the column of each node that stands in one; `beside` the nodes that stand left of what reads
    them, `above` those that stand between a line and what reads them, by reader.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.count = 0
        self.of: dict[int, int] = {}
        self.beside: set[int] = set()
        self.above: set[int] = set()
        self._last_on_highway: dict[str, int] = {}
        self._shared: set[int] = set()
        """Columns in which a function stands of a value that others read, too."""
        for at, node in enumerate(graph.nodes):
            if node.kind != "source":
                self._place(at, node)
        for at in self.above:
            self.of[at] = self.of[graph.readers[at][0]]

    def _new(self) -> int:
        self.count += 1
        return self.count - 1

    def _leans_on(self, at: int) -> int | None:
        """The column that a node comes from; None for what comes from a line across the picture."""
        if at in self.beside:
            return self._leans_on(self.graph.nodes[at].reads[0])
        return None if at in self.above or self.graph.on_highway_or_source(at) else self.of[at]

    def _place(self, at: int, node: Node) -> None:
        graph = self.graph
        if at in graph.highway_of:
            self.of[at] = self._on_highway(at, node)
            return
        if node.kind in ("weighted", "number"):
            self.of[at] = self._new()
            return
        leaning = {read: column for read in node.reads if (column := self._leans_on(read)) is not None}
        last = max(leaning.values(), default=None)
        below = [read for read, column in leaning.items() if column == last and read not in self.beside]
        owned = bool(below) and all(
            graph.is_own_of(read, at) or node.name + "_pre" == graph.nodes[read].name for read in below
        )
        reader = graph.readers[at][0] if len(graph.readers[at]) == 1 else None
        if node.kind == "function" and not node.name and reader is not None:
            other = reader in graph.highway_of or graph.nodes[reader].kind != "operation"
            if last is None and not other:
                self.above.add(at)
            elif last is not None and (owned or (reader in graph.highway_of and last not in self._shared)):
                self.of[at] = last
                self._shared.add(last)
            elif last is not None and not other:
                self.beside.add(at)
            else:
                self.of[at] = self._new()
        elif last is None:
            is_between = (
                not node.name
                and reader is not None
                and reader not in graph.highway_of
                and graph.nodes[reader].kind == "operation"
                and any(self._read_before(read, at) for read in graph.nodes[reader].reads)
            )
            if is_between:
                self.above.add(at)
            else:
                self.of[at] = self._new()
        else:
            self.of[at] = last if owned else self._new()

    def _read_before(self, read: int, at: int) -> bool:
        return read != at and read in self.of and read not in self.graph.highway_of

    def _on_highway(self, at: int, node: Node) -> int:
        """The column of what comes to the line, right of what came before."""
        state = self.graph.highway_of[at]
        columns = [column for read in node.reads if (column := self._leans_on(read)) is not None]
        after = self._last_on_highway.get(state, -1)
        column = max(columns, default=-1)
        if column <= after:
            column = self._new()
        self._last_on_highway[state] = column
        return column

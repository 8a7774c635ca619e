"""Which row of a cell's picture each operation stands on, from the lines of x and h at the foot upwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from lstmtui.tui.diagram.columns import Columns, Graph


@dataclass(frozen=True)
class Spot:
    """What stands in one cell of the grid."""

    node: int
    part: str
    """text, label, value or before."""


@dataclass
class Placement:
    """A grid of spots: columns from left to right, rows from the foot upwards."""

    graph: Graph
    columns: Columns
    stacked: bool
    """Whether a quantity's value has a row of its own, below its name."""
    gap: int
    """Extra rows above every row that wires turn on."""
    spots: dict[tuple[int, int], Spot] = field(default_factory=dict)
    text_at: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Where the text of a node stands, (x, y)."""
    top: dict[int, int] = field(default_factory=dict)
    """The highest row of a node and its label."""
    bus: dict[int, int] = field(default_factory=dict)
    """The row at the foot that a source runs along, by source."""
    merged: dict[int, int] = field(default_factory=dict)
    """A source whose line joins that of another, because whatever reads one reads both."""
    highway: dict[str, int] = field(default_factory=dict)
    """The row of each state that runs across."""
    ends: dict[str, int] = field(default_factory=dict)
    """The row on which each new state leaves at the right."""
    tracks: int = 2
    """Columns for wires between two columns of operations."""
    left_tracks: int = 2
    _step: int = 0

    def __post_init__(self) -> None:
        self._lay_bus()
        graph, heights = self.graph, [0] * self.columns.count
        for at in range(len(graph.nodes)):
            # What stands beside another has no column, and what stands above has its row from there.
            if at in self.columns.of and at not in graph.highway_of and at not in self.columns.above:
                self._stand(at, heights)
        for at in self.columns.beside:
            x, y = self.text_at[graph.readers[at][0]]
            self._put(at, x - 1, y)
        for at in sorted(self.columns.above, reverse=True):
            column = self.columns.of[at]
            heights[column] = max(heights[column], self.top[graph.readers[at][0]]) + 1
            self._put(at, self.x(column), heights[column])
        self._lay_highways(max(heights, default=len(self.bus)))
        self._lay_ends()

    def x(self, column: int) -> int:
        """The place of a column of operations in the grid."""
        return 1 + self.left_tracks + column * (1 + self.tracks)

    @property
    def width(self) -> int:
        """Columns of the grid; the first and the last are the edges."""
        return self.x(self.columns.count) + 1

    @property
    def height(self) -> int:
        """Rows of the grid."""
        rows = [y for _, y in self.spots] + list(self.highway.values()) + list(self.ends.values())
        return 1 + max([*rows, *self.bus.values()])

    def stem(self, at: int) -> list[int]:
        """The sources whose lines at the foot a weighted sum reads."""
        node = self.graph.nodes[at]
        return [r for r in node.reads if r in self.bus] if node.kind == "weighted" else []

    def _lay_bus(self) -> None:
        """x lowest, then every state that weights act on or that has no line of its own."""
        graph = self.graph
        weighted = {
            at: frozenset(
                r
                for r in graph.readers[at]
                if graph.nodes[r].kind == "weighted" and at not in graph.nodes[r].peepholes
            )
            for at, node in enumerate(graph.nodes)
            if node.kind == "source"
        }
        lines = [at for at in weighted if graph.nodes[at].stage not in graph.highways or weighted[at]]
        lines.sort(key=lambda at: (graph.nodes[at].stage != "x" and bool(weighted[at]), -at))
        self.bus = {at: row for row, at in enumerate(lines)}
        for at in lines:
            alike = [
                o
                for o in lines
                if self.bus[o] > self.bus[at] and weighted[o] == weighted[at] and weighted[at]
            ]
            whole = set(graph.readers[at]) == set(weighted[at])
            if alike and whole and graph.nodes[alike[-1]].stage not in graph.highways:
                self.merged[at] = alike[-1]
        drops = sum(graph.nodes[at].stage in graph.highways for at in lines)
        self.left_tracks = max(1, drops + len(self.merged)) + self.gap

    def _stand(self, at: int, heights: list[int]) -> None:
        """Give a node of a column its rows, above what it reads."""
        graph, column = self.graph, self.columns.of[at]
        node = graph.nodes[at]
        below = [self._out(read) for read in self._comes_from(at)]
        row = max([heights[column] - 1, len(self.bus) - 1, *below]) + 1
        if self._crosses_others(at, column):
            # Such operations stand on steps, so that the wires to each pass below the next.
            row = max(row + 1, self._step)
            self._step = row + 2 if not node.name else self._step
        x = self.x(column)
        if node.before:
            row = max(row, len(self.bus) + 1)
            self.spots[x, row - 1] = Spot(at, "before")
        self._put(at, x, row)
        if node.name and node.name not in self.graph.states:
            if self.stacked:
                row += 1
                self.spots[x, row] = Spot(at, "value")
            row += 1
            self.spots[x, row] = Spot(at, "label")
        self.top[at] = row
        heights[column] = row + 1 + (len(graph.readers[at]) > 1)

    def _comes_from(self, at: int) -> list[int]:
        """The nodes of columns that one reads, also by way of what stands beside it."""
        graph, beside = self.graph, self.columns.beside
        reads = [
            inner
            for read in graph.nodes[at].reads
            for inner in (graph.nodes[read].reads if read in beside else (read,))
        ]
        return [read for read in reads if read in self.top and read not in graph.highway_of]

    def _crosses_others(self, at: int, column: int) -> bool:
        """Whether a wire that another operation needs, too, comes from the left: it goes on below."""
        graph, reads = self.graph, self._comes_from(at)
        is_stacked = any(self.columns.of[read] == column for read in reads)
        is_shared = any(len(graph.readers[read]) > 1 for read in reads)
        return graph.nodes[at].kind != "weighted" and is_shared and not is_stacked

    def _out(self, at: int) -> int:
        """The row on which what a node gives can turn."""
        return self.top[at] + self.gap

    def _put(self, at: int, x: int, y: int) -> None:
        self.spots[x, y] = Spot(at, "text")
        self.text_at[at] = (x, y)
        self.top[at] = y

    def _lay_highways(self, below: int) -> None:
        graph, row = self.graph, below + 1 + self.gap
        for state in reversed(graph.states):
            if state in graph.highways and state != self._memory:
                self.highway[state] = row
                row += 1 + self.gap
        if self._memory:
            self.highway[self._memory] = row
        for state, path in graph.highways.items():
            for at in path:
                self._put(at, self.x(self.columns.of[at]), self.highway[state])

    @property
    def _memory(self) -> str:
        """The state whose line is the topmost."""
        return next((state for state in self.graph.states if state in self.graph.highways), "")

    def _lay_ends(self) -> None:
        taken = set(self.highway.values())
        self.ends = dict(self.highway)
        for state, at in self.graph.results.items():
            if state in self.ends:
                continue
            x, y = self.text_at[at]
            free = [
                row
                for row in range(len(self.bus), self.height + 1)
                if row not in taken
                and not any((right, row) in self.spots for right in range(x + 1, self.width))
            ]
            self.ends[state] = min(free, key=lambda row: (abs(row - y), -row))
            taken.add(self.ends[state])

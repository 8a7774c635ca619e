"""Wires between the operations of a cell's picture: as short and as straight as the grid lets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple, TypeAlias

from lstmtui.tui.diagram.placement import Placement

Cell: TypeAlias = tuple[int, int]
STEPS: dict[str, Cell] = {"L": (-1, 0), "R": (1, 0), "U": (0, 1), "D": (0, -1)}
OPPOSITE = {"L": "R", "R": "L", "U": "D", "D": "U"}
Leaving: TypeAlias = tuple[Cell, str]
"""A cell, and the step by which a wire leaves it."""

_TURN, _CROSSING, _STEP = 3, 4, 1


class Goal(NamedTuple):
    """Where a wire leads: into a cell, by one of some steps."""

    cell: Cell
    steps: frozenset[str]


class NoRoute(Exception):
    """There is no way left between two operations."""


class Wires:
    """The wires of a picture.

    `arms` says of each cell to which sides the wires of each net run in it; a net is all that carries the
    value of one node, and has its number. The wires by which a weighted sum reads the lines at the foot are
    nets of their own where they pass a line, −1 − its number.
    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.arms: dict[Cell, dict[int, set[str]]] = {}
        self.joints: set[Cell] = set()
        """Where a stem reads a line."""
        self._sides: dict[int, dict[str, int]] = {}
        """Of each node the sides in use, with the net."""
        self._lay_highways()
        self._lay_foot()
        self._lay_others()

    # What is straight from the start.

    def _lay_highways(self) -> None:
        place, graph = self.placement, self.placement.graph
        for state, path in graph.highways.items():
            row, net, x = place.highway[state], graph.source(state), 0
            for at in path:
                end = place.text_at[at][0]
                self._straight(net, (x, row), (end, row), "R")
                self._sides.setdefault(at, {})["L"] = net
                self._sides[at]["R"] = at
                net, x = at, end
            self._straight(net, (x, row), (place.width - 1, row), "R")

    def _lay_foot(self) -> None:
        place, graph = self.placement, self.placement.graph
        stems = {at: [place.merged.get(s, s) for s in place.stem(at)] for at in place.text_at}
        track = place.left_tracks
        for source, row in place.bus.items():
            ends = [place.text_at[at][0] for at, sources in stems.items() if source in sources]
            if source in place.merged:
                self._straight(source, (0, row), (track, row), "R")
                self._straight(source, (track, row), (track, place.bus[place.merged[source]]), "U")
                self.joints.add((track, place.bus[place.merged[source]]))
                track -= 1
            elif graph.nodes[source].stage in graph.highways:
                top = place.highway[graph.nodes[source].stage]
                if ends:
                    self._straight(source, (track, row), (track, top), "U")
                    self._straight(source, (track, row), (max(ends), row), "R")
                    track -= 1
            elif ends:
                self._straight(source, (0, row), (max(ends), row), "R")
        for at, sources in stems.items():
            if sources:
                self._lay_stem(at, sorted({place.bus[s] for s in sources}))

    def _lay_stem(self, at: int, rows: list[int]) -> None:
        place = self.placement
        x, y = place.text_at[at]
        by_row = {row: source for source, row in place.bus.items() if source not in place.merged}
        for row in range(rows[0], y):
            up = {"U"} if row == rows[0] else {"U", "D"}
            net = by_row[row] if row in rows else -1 - at
            self.arms.setdefault((x, row), {}).setdefault(net, set()).update(up)
            if row in rows:
                self.joints.add((x, row))
        self._sides.setdefault(at, {})["D"] = -1 - at

    def _straight(self, net: int, start: Cell, end: Cell, step: str) -> None:
        cell = start
        while cell != end:
            self._join(net, cell, step)
            cell = _moved(cell, step)

    def _join(self, net: int, cell: Cell, step: str) -> None:
        """A wire over one border between cells."""
        self.arms.setdefault(cell, {}).setdefault(net, set()).add(step)
        self.arms.setdefault(_moved(cell, step), {}).setdefault(net, set()).add(OPPOSITE[step])

    # What finds its way.

    def _lay_others(self) -> None:
        graph, place = self.placement.graph, self.placement
        for at in sorted(place.text_at, key=lambda at: (at in graph.highway_of, at)):
            column = place.columns.of.get(at)
            for read in sorted(graph.nodes[at].reads, key=lambda read: place.columns.of.get(read) != column):
                if read not in place.stem(at) and read not in self._sides.get(at, {}).values():
                    step = self._route(read, self._into(at))
                    self._sides.setdefault(at, {})[OPPOSITE[step]] = read
        for state, at in graph.results.items():
            if state not in graph.highways:
                self._route(at, Goal((place.width - 1, place.ends[state]), frozenset("R")))

    def _into(self, at: int) -> Goal:
        """A node, through each side that no wire uses yet."""
        cell, node = self.placement.text_at[at], self.placement.graph.nodes[at]
        is_named = self.placement.top[at] > cell[1]
        sides = set("DLR" if is_named or node.kind == "weighted" else "DLUR")
        if at in self.placement.graph.results.values():
            sides.discard("R")  # where it leaves the picture
        return Goal(cell, frozenset(OPPOSITE[side] for side in sides - set(self._sides.get(at, {}))))

    def _ways_out(self, net: int) -> Iterator[tuple[Cell, str]]:
        """Cells from which the wires of a net can go on, with the side to go to."""
        place, graph = self.placement, self.placement.graph
        for cell, nets in self.arms.items():
            if net in nets and len(nets) == 1 and cell not in place.spots and cell[0] > 0:
                for step in STEPS:
                    if step not in nets[net]:
                        yield cell, step
        if graph.nodes[net].kind == "source":
            if net in place.bus and not any(net in nets for nets in self.arms.values()):
                yield (0, place.bus[net]), "R"
            return
        x, y = place.text_at[net]
        if place.top[net] > y:
            yield (x, place.top[net]), "U"
            return
        used = self._sides.get(net, {})
        for step in "URLD":
            if used.get(step, net) == net:
                yield (x, y), step

    def _route(self, net: int, goal: Goal) -> str:
        """Lead a net to a goal the cheapest way; the step that it comes in by."""
        order, queue = count(), list[tuple[int, int, Leaving, Leaving | None]]()
        came_from: dict[Leaving, Leaving | None] = {}
        for cell, step in self._ways_out(net):
            heappush(queue, (0, next(order), (cell, step), None))
        while queue:
            cost, _, leaving, before = heappop(queue)
            if leaving in came_from:
                continue
            came_from[leaving] = before
            there, step = _moved(*leaving), leaving[1]
            if there == goal.cell and step in goal.steps:
                self._lay(net, leaving, came_from)
                return step
            if not self._is_inside(there) or there in self.placement.spots:
                continue
            for turn in STEPS:
                if turn != OPPOSITE[step] and (price := self._price(net, there, step, turn)) is not None:
                    heappush(queue, (cost + price, next(order), (there, turn), leaving))
        raise NoRoute

    def _is_inside(self, cell: Cell) -> bool:
        return 0 < cell[0] < self.placement.width - 1 and 0 <= cell[1] < self.placement.height

    def _price(self, net: int, cell: Cell, step: str, turn: str) -> int | None:
        """What it costs to come into a cell by one step and leave it by another; None: a wire is there."""
        others = [arms for other, arms in self.arms.get(cell, {}).items() if other != net]
        if not others:
            return _STEP + (_TURN if step != turn else 0)
        if step != turn or net in self.arms[cell]:
            return None
        across = {"L", "R"} if step in "UD" else {"U", "D"}
        return (
            _STEP + _CROSSING
            if len(others) == 1 and others[0] == across and cell not in self.joints
            else None
        )

    def _lay(self, net: int, end: Leaving, came_from: Mapping[Leaving, Leaving | None]) -> None:
        at: Leaving | None = end
        while at is not None:
            self._join(net, *at)
            if came_from[at] is None and at[0] == self.placement.text_at.get(net):
                self._sides.setdefault(net, {})[at[1]] = net
            at = came_from[at]


def _moved(cell: Cell, step: str) -> Cell:
    across, up = STEPS[step]
    return cell[0] + across, cell[1] + up

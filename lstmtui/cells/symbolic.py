"""Equations run on symbols: what a cell computes, without any numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeAlias

from lstmtui.cells.terms import Term, as_term
from lstmtui.errors import UserError

Value: TypeAlias = Any
"""A tensor of shape (batch, units), or a term: whatever the equations are run on."""

Equations: TypeAlias = Generator[tuple[str, Value], Value, None]
"""Yields (quantity, value) in order of evaluation; goes on with the value it is sent back."""

Parameters: TypeAlias = Any
"""Has the parameters as attributes, by the names the equations use, and the method `project`."""


class ParameterSymbols:
    """Parameters by the names the equations use, as symbols; it notes which of them are read.

    Args:
        projected: whether h is a projection, W_hr · value.
    """

    def __init__(self, *, projected: bool = False) -> None:
        self.read: dict[str, None] = {}
        self.projects = False
        self._projected = projected

    def project(self, value: Term) -> Term:
        """W_hr · value, or value itself."""
        self.projects = True
        return Term("matrix", text="W_hr", role="parameter") @ value if self._projected else value

    def __getattr__(self, name: str) -> Term:
        if name.startswith("_"):
            raise AttributeError(name)
        self.read[name] = None
        return Term("symbol", text=name, role="parameter")


def definitions_in(
    equations: Callable[..., Equations],
    parameters: Parameters,
    x: Term,
    states: Sequence[Term],
    symbol: Callable[[str, Term], Term],
) -> Iterator[tuple[str, Term]]:
    """(quantity, the term it is defined by), in order of evaluation.

    Args:
        equations: of a cell.
        parameters: what they read.
        x: the input.
        states: those before the timestep.
        symbol: called with a quantity and its term; gives the symbol with which the equations go on.
    """
    running = equations(parameters, x, *states)
    name, term = next(running)
    while True:
        yield name, as_term(term)
        try:
            name, term = running.send(symbol(name, as_term(term)))
        except StopIteration:
            return


def symbols_of(
    equations: Callable[..., Equations], parameters: ParameterSymbols, states: Sequence[str]
) -> Iterator[tuple[str, Term]]:
    """Like `definitions_in`, on symbols without numbers: the old states are those without a definition."""

    def symbol(name: str, definition: Term | None = None) -> Term:
        return Term("symbol", text=name, role=name, definition=definition)

    defined: set[str] = set()
    for name, term in definitions_in(equations, parameters, symbol("x"), [symbol(s) for s in states], symbol):
        if name in defined:
            raise UserError(f"its equations yield {name} twice: the second needs another name")
        defined.add(name)
        yield name, term

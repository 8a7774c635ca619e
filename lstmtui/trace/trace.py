"""A trace: what one model did on one input, every quantity and its total derivative, as numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lstmtui.arrays import Array, read_only
from lstmtui.cells import Cell
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace.description import description, line
from lstmtui.trace.header import Header, Layer
from lstmtui.trace.keys import EXTENT, NORMS, array_key
from lstmtui.trace.summaries import Extent, extent_of, norms_of
from lstmtui.wording import listed, numbered


class Trace:
    """One recorded run. It is immutable, with its arrays, which may be memory maps that are read on access.

    Arrays are (T, B, units), with time on axis 0 in both directions of a layer. Timesteps past the end of a
    shorter sequence hold 0.
    """

    draw_html: ClassVar[Callable[[Trace], str] | None] = None
    """Draws a run in a notebook. `lstmtui` sets it, as pictures are made in a room above this one."""

    answer_why: ClassVar[Callable[..., Any] | None] = None
    """Says what a number is made of; `lstmtui` sets it too."""

    def __init__(self, header: Header, arrays: Mapping[str, Array]) -> None:
        self.header = header
        # Other mappings have what is on disk, elsewhere or worked out later, and give nothing to write into.
        self.arrays: Mapping[str, Array] = (
            {key: read_only(array) for key, array in arrays.items()} if isinstance(arrays, dict) else arrays
        )
        self.rerun_source: Callable[..., Trace] | None = None
        """Runs the model by source again; None where this process has not recorded it so. It is not saved."""
        self._norms: dict[str, Array] = {}
        self._extents: dict[str, Extent] = {}

    @property
    def name(self) -> str:
        """The model's name."""
        return self.header.name

    @property
    def steps(self) -> int:
        """T, the number of timesteps."""
        return self.header.steps

    @property
    def batch(self) -> int:
        """B, the number of sequences."""
        return self.header.batch

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The recurrent layers, from the input to the output."""
        return self.header.layers

    @property
    def loss(self) -> float:
        """The value that the gradients are taken of."""
        return self.header.loss

    @property
    def parity(self) -> float | None:
        """max |Δ| of the outputs against the stock fused module; None if PyTorch has no such module."""
        return self.header.parity

    @property
    def lengths(self) -> Array:
        """The number of timesteps of each sequence, shape (B,)."""
        lengths = self.arrays.get("lengths")
        return np.full(self.batch, self.steps) if lengths is None else lengths

    def cell(self, layer: int = 0) -> Cell:
        """The cell of a layer."""
        return self._layer(layer).layout.cell

    def quantities(self, layer: int = 0) -> tuple[str, ...]:
        """The names that `values` knows for a layer: x, then in order of evaluation, y, and `d` + each."""
        own = self._layer(layer).quantities
        names = own if "y" in own or "y" not in self.arrays else (*own, "y")
        derivatives = tuple("d" + n for n in names if self._key("d" + n, layer, "forward") in self.arrays)
        return names + derivatives

    def values(self, quantity: str, layer: int = 0, direction: str = "forward") -> Array:
        """A quantity over all time, shape (T, B, units).

        Args:
            quantity: x h c f i g o r z n, `<gate>_pre`, y, or `d` + any of them for the total derivative; in
                a run by source a name of the code, such as forget_gate, or dforget_gate.
            layer: which recurrent layer; negative numbers count from the last.
            direction: "forward" or "backward".

        Raises:
            UserError: this trace has no such quantity, layer or direction.
        """
        key = self._key(quantity, layer, direction)
        if key not in self.arrays:
            raise UserError(f"{printable(quantity)}: not in this trace; {self._missing(quantity, layer)}")
        return self.arrays[key]

    def initial(self, state: str, layer: int = 0, direction: str = "forward") -> Array:
        """h or c at t = −1, or its total derivative dh or dc; shape (B, units).

        In a run by source, the value before the first timestep of a variable that is carried on.
        """
        key = self._key("initial/" + state, layer, direction)
        if key not in self.arrays:
            states = self.cell(layer).states
            why = self.absent(layer) if state.removeprefix("d") in states else ""
            if why:
                raise UserError(f"{state} before the first timestep: not in this trace; {why}")
            has = ", ".join(states) or "none"
            raise UserError(f"{printable(state)}: not an initial state; this cell has {has}")
        return self.arrays[key]

    def initial_states(self, layer: int = 0, direction: str = "forward") -> tuple[str, ...]:
        """The names that `initial` knows for a layer: the states, and `d` + each that has a derivative."""
        states = self.cell(layer).states
        names = (*states, *("d" + state for state in states))
        return tuple(n for n in names if self._key("initial/" + n, layer, direction) in self.arrays)

    def absent(self, layer: int = 0, quantity: str = "") -> str:
        """Why a layer, or one of its quantities, has no derivatives; empty if it has them."""
        own = self._layer(layer)
        variable = None if own.source is None else own.source.variable(quantity)
        if variable is not None and variable.absent:
            return f"{quantity} has no gradient: {printable(variable.absent)}"
        return own.absent or self.header.absent

    def norms(self, quantity: str, layer: int = 0, direction: str = "forward") -> Array:
        """The L2 norm over units at each timestep, shape (T, B), float64."""
        key = self._key(quantity, layer, direction)
        kept = NORMS + key
        if kept in self.arrays:
            return self.arrays[kept]
        if key not in self._norms:
            self._norms[key] = read_only(norms_of(self.values(quantity, layer, direction)))
        return self._norms[key]

    def extent(self, quantity: str, layer: int = 0, direction: str = "forward") -> Extent:
        """The range of the finite values over the whole run."""
        key = self._key(quantity, layer, direction)
        kept = EXTENT + key
        if kept in self.arrays:
            low, high, rms = self.arrays[kept]
            return Extent(float(low), float(high), float(rms))
        if key not in self._extents:
            self._extents[key] = extent_of(self.values(quantity, layer, direction))
        return self._extents[key]

    def why(
        self,
        quantity: str,
        t: int,
        unit: int = 0,
        layer: int = 0,
        direction: str = "forward",
        batch: int = 0,
        most: int | None = None,
    ) -> Any:
        """What a number is made of: an exact sum of named parts, each of which can be asked about in turn.

        Args:
            quantity: a name that `values` knows, or "loss"; "written c" is what was written to c, "routes dc"
                is dc split by the routes along which it came.
            t: the timestep.
            unit: which unit.
            layer: which recurrent layer.
            direction: "forward" or "backward".
            batch: which sequence.
            most: how many parts to list, the largest first. None: all.

        Returns:
            A ledger with `value`, `parts`, `rest`, `total`, `residual` and `notes`; `str` of it is a
            sentence. Each part has `text`, `value`, `t`, `factors`, and `leads_to`: where to ask next.

        Raises:
            UserError: there is no such number, or the trace holds nothing that explains it.
        """
        if Trace.answer_why is None:
            raise UserError("import lstmtui first: it brings what answers")
        return Trace.answer_why(self, quantity, t, unit, layer, direction, batch, most)

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters by full name, as they were during the run."""
        return self._named("parameters/")

    @property
    def parameter_gradients(self) -> dict[str, Array]:
        """∂L/∂parameter by full name, shaped as the parameter."""
        return self._named("parameter_gradients/")

    def layer_parameters(
        self, layer: int = 0, direction: str = "forward", t: int | None = None
    ) -> dict[str, Array]:
        """The parameters of one layer and direction, by base name: {"weight_ih": …}.

        Args:
            layer: which layer.
            direction: "forward" or "backward".
            t: at this timestep; None: throughout the run. The result is empty if the parameters changed
                during the run and the trace does not hold those of that time.
        """
        own = self._layer(layer)
        if own.parameters_until and (t is None or t >= own.parameters_until):
            return {}
        names = own.parameters.get(direction, {})
        keyed = {base: "parameters/" + name for base, name in names.items()}
        return {base: self.arrays[key] for base, key in keyed.items() if key in self.arrays}

    def __getitem__(self, quantity: str) -> Array:
        """A quantity of the first layer, forward, over all time: `trace["f"]` is `trace.values("f")`."""
        if not isinstance(quantity, str):
            raise TypeError(f"a trace is indexed by the name of a quantity, not by {type(quantity).__name__}")
        try:
            return self.values(quantity)
        except UserError as error:
            raise KeyError(str(error)) from None

    def __contains__(self, quantity: object) -> bool:
        """Whether `trace[quantity]` is there."""
        return isinstance(quantity, str) and self._key(quantity, 0, "forward") in self.arrays

    __iter__ = None
    """Python would otherwise try `trace[0]`, `trace[1]` …"""

    def _ipython_key_completions_(self) -> list[str]:
        """What may be typed after `trace["`."""
        return list(self.quantities())

    def __repr__(self) -> str:
        """The name, the layers, T, B and the loss on one line."""
        return f"<Trace {line(self.header)}>"

    def __str__(self) -> str:
        """What it is, in a few lines: sizes, layers, loss, derivatives."""
        own = (self.arrays.get(f"{at}/lengths") for at in range(len(self.layers)))
        return description(self.header, [int((self.lengths if a is None else a).max()) for a in own])

    def _repr_html_(self) -> str:
        """A picture and the verdicts, which a notebook shows in place of the line."""
        return f"<code>{escape(repr(self))}</code>" if Trace.draw_html is None else Trace.draw_html(self)

    def to_xarray(self, layer: int = 0, direction: str = "forward") -> Any:
        """One layer and direction as an `xarray.Dataset`; it needs `pip install xarray`.

        Every quantity is a variable over time, batch and unit; x has channel in place of unit, y has output,
        and a projected h has projection. `layer` and `direction` are coordinates, so that several datasets
        can be combined: `xarray.concat([trace.to_xarray(n) for n in (0, 1)], "layer")`. The states before the
        first timestep are initial_h and initial_c.

        Raises:
            UserError: there is no such layer or direction, or xarray is not installed.
        """
        from lstmtui.trace.labelled import to_dataset

        values = {name: self.values(name, layer, direction) for name in self.quantities(layer)}
        states = self.initial_states(layer, direction)
        initial = {name: self.initial(name, layer, direction) for name in states}
        return to_dataset(self.header, layer % len(self.layers), direction, values, initial)

    def save(self, path: str | Path) -> None:
        """Write the trace to the directory `path`; a crash half-way leaves the old trace or the new one."""
        from lstmtui.trace.storage import save

        save(self, path)

    def _missing(self, quantity: str, layer: int) -> str:
        """Why there is no such quantity, as a sentence."""
        name = quantity.removeprefix("d")
        is_known = name in ("x", "y", *self._layer(layer).quantities)
        why = self.absent(layer, name) if is_known else ""
        return why or f"layer {layer} has {', '.join(self.quantities(layer))}"

    def _named(self, prefix: str) -> dict[str, Array]:
        return {key.removeprefix(prefix): self.arrays[key] for key in self.arrays if key.startswith(prefix)}

    def _layer(self, layer: int) -> Layer:
        if not -len(self.layers) <= layer < len(self.layers):
            raise UserError(f"layer {layer}: this trace has {numbered(len(self.layers), 'layer')}")
        return self.layers[layer]

    def _key(self, quantity: str, layer: int, direction: str) -> str:
        if quantity in ("y", "dy") and "y" not in self._layer(layer).quantities:
            return quantity
        directions = self._layer(layer).directions
        if direction not in directions:
            raise UserError(f"direction {direction}: this layer has {listed(directions)}")
        return array_key(quantity, layer % len(self.layers), direction)

"""One recurrent layer of a checkpoint, as names and shapes describe it. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from lstmtui.cells.layout import Layout
from lstmtui.wording import first_of

_MOST_NAMED, _LONGEST = 4, 60
"""How many tensors a refusal names, and how much of each name."""


class FoundLayer(NamedTuple):
    """One recurrent module of a checkpoint."""

    path: str
    """Where the module sits; empty where the checkpoint is that module's own state dict."""
    layout: Layout | None
    """Its sizes; None where they do not fit together, and `wrong` says why."""
    wrong: str = ""
    names: Mapping[str, str] = MappingProxyType({})
    """The checkpoint's names by those of the layout: {"weight_ih_l0": "encoder.rnn.weight_ih_l0", …}."""
    cells: tuple[str, ...] = ()
    """The cells whose parameters have these shapes; the layout's is the first."""
    layouts: tuple[Layout, ...] = ()
    """The sizes as each of `cells`."""
    beside: tuple[str, ...] = ()
    """Tensors under the same path that no cell of ours has."""
    is_said: bool = False
    """Whether the file says which cell it is."""
    remark: str = ""
    """What else is to be known of it, in words."""

    def described(self, cell: str = "", wrong: str = "", remark: str = "") -> FoundLayer:
        """The layer with what its file says of it beside names and shapes.

        Args:
            cell: which it is; empty where the file does not say that.
            wrong: why it cannot be debugged.
            remark: what else is to be known of it.
        """
        if wrong:
            return self._replace(layout=None, wrong=wrong)
        if cell not in self.cells:
            return self._replace(remark=remark) if remark else self
        layout = self.layouts[self.cells.index(cell)]
        return self._replace(layout=layout, cells=(cell,), layouts=(layout,), remark=remark, is_said=True)

    def as_cell(self, name: str) -> FoundLayer:
        """The same parameters taken as another of `cells`."""
        return self._replace(layout=self.layouts[self.cells.index(name)])

    def checked(self, used: Collection[str] = ()) -> FoundLayer:
        """The layer; without a layout, and `wrong`, where tensors lie beside its own that nothing uses.

        Args:
            used: tensors that an embedding before it and a linear layer after it take.
        """
        if self.layout is None or not self.beside:
            return self
        left = [name for name in self.beside if name not in used]
        if not left:
            return self
        cell = self.layout.cell.name
        named = [name.removeprefix(self.path + ".")[:_LONGEST] for name in left[:_MOST_NAMED]]
        beside = first_of(named, _MOST_NAMED, len(left))
        wrong = f"it holds {beside}, which {_a(cell)} has not, so it is a cell of another kind"
        if any("." in name.removeprefix(self.path + ".") for name in left):
            wrong += "; an embedding before it, or a linear layer after it, is named by embedding = or head ="
        return self._replace(layout=None, wrong=wrong)

    @property
    def notes(self) -> tuple[str, ...]:
        """What its names and shapes leave open, in words."""
        if self.layout is None:
            return ()
        remarks = (self.remark,) if self.remark else ()
        if self.is_said:
            return remarks
        others = " and ".join(self.cells[1:])
        more = f", which would fit {others} too" if others else ""
        return (f"taken as {self.cells[0]} from its shapes{more}", *remarks)

    def __str__(self) -> str:
        if self.layout is None:
            return f"{self.path or 'the file itself'}: {self.wrong}"
        return f"{self.path or 'the file itself'}: {sizes_of(self.layout)}"


def sizes_of(layout: Layout) -> str:
    """A layout in words: "lstm 128 → 256, 2 layers, bidirectional"."""
    parts = [f"{layout.cell.name} {layout.input_size} → {layout.hidden_size}"]
    if layout.num_layers > 1:
        parts.append(f"{layout.num_layers} layers")
    if layout.bidirectional:
        parts.append("bidirectional")
    if layout.proj_size:
        parts.append(f"projected to {layout.proj_size}")
    parts += [f"{name} {size}" for name, size in layout.sizes]
    if not layout.bias:
        parts.append("no bias")
    return ", ".join(parts)


def _a(cell: str) -> str:
    return f"{'an' if cell[0] in 'lr' else 'a'} {cell}"

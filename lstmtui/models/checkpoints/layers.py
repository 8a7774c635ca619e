"""The recurrent layers of a checkpoint, found from the names and shapes of its tensors. No torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from functools import lru_cache

from lstmtui.cells import CELLS, Cell
from lstmtui.models.checkpoints.found_layer import FoundLayer
from lstmtui.models.checkpoints.module_sizes import STOCK, Shapes, sizes_of_module
from lstmtui.models.checkpoints.names import Entry

_COMPUTED = r"(?P<name>(?:weight|bias)_[ih]h(?:_l\d{1,4})?(?:_reverse)?)"
_PARAMETRIZED = re.compile(
    rf"(?:(?P<path>.*)\.)?parametrizations\.{_COMPUTED}\.original\d*",
    re.DOTALL,
)
_ORIGINALS = ("_g", "_v", "_orig", "_raw", "_mask")
_REPARAMETRIZED = re.compile(rf"{_COMPUTED}(?:{'|'.join(_ORIGINALS)})")
_DEEPEST = 32
"""How many modules within modules are gone up."""


def find_layers(shapes: Shapes, entries: Mapping[str, Entry] | None = None) -> tuple[FoundLayer, ...]:
    """Every recurrent module of a checkpoint, in the order of its tensors.

    A module is recognised by its `weight_hh`, or by `weight_ih` where there are cells without it: of
    `nn.LSTM`, `nn.GRU`, `nn.RNN` (`weight_hh_l0` …), of their Cells (`weight_hh`) and of
    `lstmtui.Recurrent`. Three blocks of rows are a GRU's, four an LSTM's, one a plain RNN's, whose tanh or
    relu no checkpoint tells.

    Args:
        shapes: of every tensor by name, without wrappers'.
        entries: each tensor as it is in the file; left out: all are in one state dict.
    """
    modules: dict[str, dict[str, str]] = {}
    computed: dict[str, str] = {}
    others: list[str] = []
    kinds: dict[str, tuple[str, str]] = {}
    pattern = _pattern(tuple(CELLS.values()))
    for name in shapes:
        path, _, last = name.rpartition(".")
        if (kind := kinds.get(last)) is None:
            kind = kinds[last] = _kind(last, pattern)
        parameter, original = kind
        if parameter:
            own = modules.get(path)
            if own is None:
                modules[path] = {parameter: name}
                continue
            if own.setdefault(parameter, name) == name:
                continue
        elif original:
            computed.setdefault(path, original)
        elif last.startswith("original") and (match := _PARAMETRIZED.fullmatch(name)):
            computed.setdefault(match["path"] or "", match["name"])
        others.append(name)
    beside = _beside(shapes, modules, others, entries or {})
    layers = []
    for path in dict.fromkeys([*modules, *computed]) if computed else modules:
        if path in computed:
            layers.append(FoundLayer(path, None, _reparametrized(computed[path])))
            continue
        own = modules[path]
        sizes = sizes_of_module(tuple(own), tuple(map(shapes.__getitem__, own.values())))
        layouts, cells, wrong, has_state, may_have_none = sizes
        if has_state or (may_have_none and not computed):
            left = tuple(beside.get(path, ()))
            layers.append(FoundLayer(path, layouts[0] if layouts else None, wrong, own, cells, layouts, left))
    return tuple(layers)


def _beside(
    names: Iterable[str],
    modules: Mapping[str, Mapping[str, str]],
    others: Collection[str],
    entries: Mapping[str, Entry],
) -> dict[str, list[str]]:
    """The tensors of the same state dict under each module's path that are not among its parameters.

    Args:
        names: of all tensors.
        modules: the parameters of each.
        others: the tensors that are no module's parameters.
        entries: as of :func:`find_layers`.
    """
    apart = set(others)
    above: dict[str, list[str]] = {}

    def modules_over(path: str) -> list[str]:
        parent, dot, _ = path.rpartition(".")
        if (paths := above.get(parent)) is None:
            paths = above[parent] = _modules_above(parent, bool(dot), modules)
        return paths

    if _are_nested(modules):
        inner = {path for path in modules if path and modules_over(path)}
        others = [name for name in names if name in apart or name.rpartition(".")[0] in inner]
    is_one_dict = len({containers for containers, _ in entries.values()}) < 2
    left: dict[str, list[str]] = {}
    for name in others:
        for path in modules_over(name):
            if name not in apart and path == name.rpartition(".")[0]:
                continue
            if is_one_dict or entries[name][0] == entries[next(iter(modules[path].values()))][0]:
                left.setdefault(path, []).append(name)
    return left


def _are_nested(modules: Mapping[str, object]) -> bool:
    """Whether a module is within another."""
    paths = {path for path in modules if path}
    for _ in range(_DEEPEST):
        paths = {path.rpartition(".")[0] for path in paths}
        if not paths.isdisjoint(modules):
            return True
        paths.discard("")
    return False


def _modules_above(path: str, is_inner: bool, modules: Container[str]) -> list[str]:
    """Those of some modules that a tensor right under a path is in, the innermost first."""
    above = []
    for _ in range(_DEEPEST):
        if path in modules:
            above.append(path)
        if not is_inner:
            break
        path, dot, _ = path.rpartition(".")
        is_inner = bool(dot)
    return above


def _kind(last: str, parameter: re.Pattern[str]) -> tuple[str, str]:
    """What a tensor is by the last part of its name: a parameter, by its name in a layout, or what a
    parameter of this name is computed from; each empty where it is not that."""
    if match := parameter.fullmatch(last):
        return match["base"] + (match["end"] or "_l0"), ""
    match = _REPARAMETRIZED.fullmatch(last) if last.endswith(_ORIGINALS) else None
    return "", match["name"] if match else ""


@lru_cache(maxsize=4)
def _pattern(cells: tuple[Cell, ...]) -> re.Pattern[str]:
    """The name of a parameter of some cells: base name, and the layer's number and direction."""
    bases = sorted({re.escape(p.name) for cell in cells for p in cell.parameters} | STOCK)
    return re.compile(rf"(?P<base>{'|'.join(bases)})(?P<end>(?:_l\d{{1,4}}(?:_reverse)?)?)")


def _reparametrized(name: str) -> str:
    return (
        f"{name} is computed from other parameters (weight_norm, pruning, weight drop); remove that, as with "
        "torch.nn.utils.parametrize.remove_parametrizations, and save again"
    )

"""The names of a checkpoint's tensors, without what training loops and wrappers put before them. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

CONTAINERS = frozenset(
    (
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "network",
        "module",
        "weights",
        "params",
    )
)
"""The keys under which training loops keep a state dict in a larger checkpoint."""

_COMPILED = re.compile(r"(^|\.)_orig_mod(?=\.|$)")

MOST_TENSORS = 1 << 19
"""Of one file; each takes up to 2 KiB of memory while names and shapes are looked at."""
TOO_MANY = f"it has more than {MOST_TENSORS:,} tensors"

Entry = tuple[tuple[str, ...], str]
"""The keys of the dicts around a state dict, and a name within it."""


def plain_names(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entries by the names their modules have in the user's own code.

    `state_dict`, `model` … around a state dict are left out, and so are the `module.` of `DataParallel`
    where every name begins with it, and the `_orig_mod.` of `torch.compile`. Where two state dicts then
    have the same names (a model and its moving average), those of the later keep their container's key.
    """
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for containers, group in groupby(entries, itemgetter(0)):
        groups.setdefault(containers, []).extend(group)
    plain: dict[str, Entry] = {}
    for containers, members in groups.items():
        outer = "".join(f"{key}." for key in containers if key not in CONTAINERS)
        names = _unwrapped([name for _, name in members])
        named = dict(zip([outer + name for name in names] if outer else names, members, strict=True))
        if len(named) == len(members) and plain.keys().isdisjoint(named):
            plain.update(named)
            continue
        for unwrapped, entry in zip(names, members, strict=True):
            full = outer + unwrapped
            if full in plain:
                full = ".".join((*containers, unwrapped))
            plain[full] = entry
    return plain


def plain_path(path: str) -> str:
    """A module's path as :func:`plain_names` would have it, for one that is written with its wrappers."""
    return _without_dots(_COMPILED.sub(r"\1", path)).removeprefix("module.")


def _unwrapped(names: list[str]) -> list[str]:
    """The names of one state dict without its wrappers'."""
    together = "\n".join(("", *names))
    plain = names
    if any(part in together for part in ("_orig_mod", "..", "\n.")):  # hardly ever, of any of them
        plain = [_without_dots(_COMPILED.sub(r"\1", name)) for name in names]
    if all(name.startswith("module.") for name in plain):
        plain = [name.removeprefix("module.") for name in plain]
    return plain


def _without_dots(name: str) -> str:
    """A name without the dots that a part taken out of it leaves."""
    return name.replace("..", ".").strip(".") if name.startswith(".") or ".." in name else name

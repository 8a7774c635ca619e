"""What quantities are called in files and datasets that have names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Set


def exported_names(quantities: Iterable[str], taken: Set[str]) -> dict[str, str]:
    """By quantity: its own name; of one that means something else there with underscores behind it.

    Args:
        quantities: their names, each once.
        taken: what means something else there.
    """
    names = dict.fromkeys(quantities, "")
    used = {*taken, *names}
    for quantity in names:
        name = quantity
        while name in taken or (name != quantity and name in used):
            name += "_"
        names[quantity] = name
        used.add(name)
    return names

"""Lines that ran one after another, whose names can be looked at together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from lstmtui.capture.source.code.code_facts import CodeFacts
from lstmtui.capture.source.code.stretches import Stretch

Item: TypeAlias = tuple[str, Stretch, bool | None, bool]
"""A name, what may have bound it, whether it did (None: if a loop has taken its next item), and whether the
name is an attribute or an item."""


class Path:
    """Stretches of a function in the order in which they ran.

    None but the first may write into a tensor, all are in one pass of the same loops, and none binds a name
    that another binds. So what each of them bound is there after the last, as it was when it was bound.

    Attributes:
        last: the stretch that runs.
        earlier: what the stretches before it bound.
        items: what all of them bind.
        longer: the paths on which it goes on, by where; None where the names are to be looked at first.
        may_have_written: whether nothing has been done so far about tensors that it may write into.

    Args:
        facts: of the function.
        last: the stretch that runs.
        earlier: what those before it bound.
        is_sure: whether it runs to its end, as far as one can tell.
    """

    __slots__ = ("_facts", "_goes_on", "earlier", "items", "last", "longer", "may_have_written")

    def __init__(
        self, facts: CodeFacts, last: Stretch, earlier: tuple[Item, ...] = (), *, is_sure: bool = True
    ) -> None:
        self._facts, self.last, self.earlier = facts, last, earlier
        own = [
            (name, last, is_sure and _is_bound(name, last), not name.isidentifier()) for name in last.names
        ]
        self.items: tuple[Item, ...] = (*earlier, *own)
        self.longer: dict[int, Path | None] = {}
        self.may_have_written = last.writes and not earlier
        self._goes_on = (
            is_sure
            and not (last.fills or facts.shared)
            and all(is_bound is not False and not is_place for _, _, is_bound, is_place in own)
        )

    def go_on(self, offset: int) -> Path | None:
        """The path with what runs from an instruction on; None where the names are to be looked at first."""
        stretch = self._facts.stretches.of(offset)
        names = {item[0] for item in self.items}
        is_further = (
            self._goes_on
            and not (stretch.writes or stretch.is_start or names & {*stretch.names})
            and stretch.around is self.last.around
        )
        bound: tuple[Item, ...] = tuple((name, own, True, is_place) for name, own, _, is_place in self.items)
        longer = self.longer[offset] = Path(self._facts, stretch, bound) if is_further else None
        return longer


def lines_of(paths: Iterable[Path]) -> frozenset[int]:
    """The lines that ran on some paths, and on those that go on from them."""
    lines, waiting = set[int](), [*paths]
    while waiting:
        path = waiting.pop()
        lines.add(path.last.line)
        waiting += filter(None, path.longer.values())
    return frozenset(lines)


def _is_bound(name: str, stretch: Stretch) -> bool | None:
    return None if name in stretch.entered else name in stretch.sure

"""An agent that lies: what it answers has the right types, and otherwise whatever chance makes of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from remote.pairs import AgentLink, ModelRunner, SocketStreams

from lstmtui.remote.agent.agent import Agent
from lstmtui.remote.wire.arrays import decode_array, encode_array
from lstmtui.remote.wire.messages import AboutRequest, Answer, Ask, Elements, Open, Value

EVIL = "[bold]x[/] [@click=app.quit]q[/]\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x7f\x08\r\n| \t日本"
_WORDS = (
    "title",
    "notes",
    "labels",
    "script",
    "module",
    "device",
    "loss_text",
    "what_ifs",
    "absent",
    "state",
)
"""What an opened run says of itself in words of its own."""
_NUMBERS = (0, 1, -1, 2, 7, 1 << 40, -(1 << 62), (1 << 63) - 1)
_FLOATS = (0.0, -1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf"))


class Liar(Agent):
    """Answers readings and elements, or only texts in them, with something else than is true.

    Args:
        chance: where the lies come from.
        share: of the values of an answer that are lies.
        texts: nothing but texts.
    """

    def __init__(self, *arguments: Any, chance: random.Random, share: float, texts: bool) -> None:
        super().__init__(*arguments)
        self._chance, self._share, self._texts = chance, share, texts

    def _outcome(self, ask: Ask) -> AboutRequest:
        outcome = super()._outcome(ask)
        if not isinstance(outcome, Value):
            return outcome
        truth = msgspec.msgpack.decode(outcome.value)
        if isinstance(ask.request, (Answer, Elements)):
            lie = self._lie(truth)
        else:
            lie = self._words(truth) if self._texts else truth
        return Value(ask.id, msgspec.Raw(msgspec.msgpack.encode(lie)))

    def _words(self, value: Any, key: str = "") -> Any:
        """What was opened, with other words."""
        if isinstance(value, dict):
            return {name: self._words(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self._words(one, key) for one in value]
        return EVIL * self._chance.choice((1, 40)) if key in _WORDS and isinstance(value, str) else value

    def _lie(self, value: Any) -> Any:
        chance = self._chance
        if isinstance(value, dict):
            return {key: self._lie(one) for key, one in value.items()}
        lies = chance.random() < self._share
        if isinstance(value, list):
            value = [self._lie(one) for one in value]
            return self._of_other_length(value) if lies and not self._texts else value
        if isinstance(value, str):
            return chance.choice((EVIL, "", EVIL * 200)) if lies else value
        if self._texts or not lies:
            return value
        if isinstance(value, msgspec.msgpack.Ext):
            return encode_array(self._array(decode_array(value.code, bytes(value.data))))
        if value is None or isinstance(value, bool):
            return value if chance.random() < 0.5 else not value
        return chance.choice(_NUMBERS if isinstance(value, int) else _FLOATS)

    def _of_other_length(self, value: list[Any]) -> list[Any]:
        return self._chance.choice((value[:-1], value * 2, [], value[:1] * 200))

    def _array(self, array: Any) -> Any:
        chance = self._chance
        shape = chance.choice(
            (
                array.shape[1:],
                (*array.shape, 2),
                (),
                (0,),
                tuple(reversed(array.shape)),
                (3, 5),
                (40_000,),
                tuple(n + chance.choice((-1, 1)) for n in array.shape if n),
                array.shape,
            )
        )
        dtype = chance.choice((array.dtype, np.float64, np.int64, np.bool_, np.uint8, np.float16))
        with np.errstate(all="ignore"):
            return np.full(shape, chance.choice((*_FLOATS, *_NUMBERS)), np.float64).astype(dtype)


class LyingLink(AgentLink):
    """Starts liars."""

    def __init__(self, seed: int, share: float = 0.2, *, texts: bool = False) -> None:
        super().__init__()
        self.seed, self.share, self.texts = seed, share, texts

    def agent(self, theirs: SocketStreams) -> Agent:
        """The agent of one connection."""
        chance = random.Random(self.seed)
        return Liar(
            ModelRunner(), theirs.read, theirs.write, chance=chance, share=self.share, texts=self.texts
        )


class Mutant(Agent):
    """Answers truly but for one detail, in a share of its answers.

    Args:
        chance: where the lies come from.
        share: of the answers that are lies.
        count: told of each lie.
    """

    def __init__(self, *arguments: Any, chance: random.Random, share: float, count: Counter[str]) -> None:
        super().__init__(*arguments)
        self._chance, self._share, self._count = chance, share, count

    def _outcome(self, ask: Ask) -> AboutRequest:
        outcome = super()._outcome(ask)
        # What is opened is opened; everything after that may be a lie.
        if isinstance(ask.request, Open) or not isinstance(outcome, Value):
            return outcome
        if self._chance.random() >= self._share:
            return outcome
        self._count[getattr(ask.request, "query", type(ask.request).__name__)] += 1
        lie = mutated(msgspec.msgpack.decode(outcome.value), self._chance)
        return Value(ask.id, msgspec.Raw(msgspec.msgpack.encode(lie)))


class MutatingLink(AgentLink):
    """Starts mutants."""

    def __init__(self, seed: int, share: float = 0.3) -> None:
        super().__init__()
        self.chance, self.share = random.Random(seed), share
        self.lies: Counter[str] = Counter()
        """By query."""

    def agent(self, theirs: SocketStreams) -> Agent:
        """The agent of one connection."""
        options: dict[str, Any] = {"chance": self.chance, "share": self.share, "count": self.lies}
        return Mutant(ModelRunner(), theirs.read, theirs.write, **options)


def mutated(value: Any, chance: random.Random) -> Any:
    """A decoded answer in which one value, anywhere, is another one: of its type, of another, or None."""
    place = chance.choice(list(_places(value)))
    return _replaced(value, place, chance)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value within a value."""
    yield place
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield from _places(member, (*place, key))


def _replaced(value: Any, place: tuple[Any, ...], chance: random.Random) -> Any:
    if not place:
        return _other(value, chance)
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], chance)
    return copy


def _other(value: Any, chance: random.Random) -> Any:
    """Something else in place of a value; most often of the same type."""
    if chance.random() < 0.25:
        return None
    if chance.random() < 0.1:
        return chance.choice((True, 0, 1.5, "", "h", [], {}, [1, 2], b"", [None]))
    if isinstance(value, msgspec.msgpack.Ext):
        return encode_array(_other_array(decode_array(value.code, bytes(value.data)), chance))
    if isinstance(value, list) and value:
        middle = chance.randrange(len(value))
        return chance.choice(
            (value[:-1], value[1:], value * 2, [], value[::-1], [*value[:middle], *value[middle + 1 :]])
        )
    if isinstance(value, dict) and value:
        keys = list(value)
        a, b = chance.choice(keys), chance.choice(keys)
        if chance.random() < 0.5:
            return {key: member for key, member in value.items() if key != a}
        return {**value, a: value[b], b: value[a]}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice((*_NUMBERS, value + 1, value - 1, -value))
    if isinstance(value, float):
        return chance.choice((*_FLOATS, -value))
    if isinstance(value, str):
        return chance.choice((EVIL, "", "c", "f", "dh", "zz", "forward", "backward", "bad", value * 2))
    return chance.choice((0, -1, 1.5, "h", [], {}))


def _other_array(array: Any, chance: random.Random) -> Any:
    """The array of another shape, of another type, or with other numbers."""
    kind = chance.randrange(3)
    if kind == 0:
        shapes = (
            array.shape[1:],
            (*array.shape, 2),
            (0,),
            array.shape[::-1],
            (40_000,),
            (*array.shape[:-1], 1),
        )
        return np.resize(array, chance.choice(shapes))
    if kind == 1:
        with np.errstate(all="ignore"):
            return array.astype(chance.choice((np.float64, np.int64, np.bool_, np.uint8, np.float16)))
    with np.errstate(all="ignore"):
        return np.full(array.shape, chance.choice((*_FLOATS, *_NUMBERS)), np.float64).astype(array.dtype)

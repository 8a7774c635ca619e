"""An agent that lies: what it answers has the right types, and otherwise whatever chance makes of it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
from remote.pairs import AgentLink, SocketStreams, Workshop

from lstmtui.remote.agent import Agent
from lstmtui.remote.wire.arrays import decode_array, encode_array
from lstmtui.remote.wire.messages import AboutRequest, Answer, Ask, Elements, Value

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
        """What answers at the far end."""
        chance = random.Random(self.seed)
        return Liar(Workshop(), theirs.read, theirs.write, chance=chance, share=self.share, texts=self.texts)

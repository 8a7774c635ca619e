"""The arguments of each verb: functions from a line to what `Command.arguments` holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any, NoReturn

from lstmtui.closest import closest
from lstmtui.help import TOPICS, closest_topic, topic_of
from lstmtui.session.language.command import Change
from lstmtui.session.language.problem import shown
from lstmtui.session.language.reader import Reader

Arguments = tuple[Any, ...]
Parse = Callable[[Reader], Arguments]

LONGEST_PAUSE = 3600.0

_NOTE = re.compile(r"\bnote\b")
_NAME = re.compile(r"[^\W\d]\w*")
_UNIT = re.compile(r"\[\s*([+-]?[0-9]{1,9}(?:\s*,\s*[+-]?[0-9]{1,9}){0,15})\s*\]")
_READS = re.compile(r"reads$")
_OPENING = re.compile(r"\[")
_ASPECT = re.compile(r"(written|routes)\s+(?=\w)")
_PART = re.compile(r"part(?!\S)")
_OF = re.compile(r"of(?!\S)")
_EQUALS = re.compile(r"=")
_SIDE = re.compile(r"(forward|backward)(?!\S)")
_BATCH = re.compile(r"batch(?!\S)")
_UNIT_WORD = re.compile(r"unit(?!\S)")


def nothing(line: Reader) -> Arguments:
    """No arguments."""
    return ()


def count(line: Reader) -> Arguments:
    """(how many timesteps,): 1 where it is left out."""
    return (1,) if line.done else (line.whole("the number of timesteps", least=1),)


def timestep(line: Reader) -> Arguments:
    """(t,): a negative t counts from the end."""
    return (line.whole("the timestep", least=None),)


def index(name: str) -> Parse:
    """(a number from 0,)."""
    return lambda line: (line.whole(name),)


def identity(name: str) -> Parse:
    """(a number from 1,)."""
    return lambda line: (line.whole(name, least=1),)


def optional_identity(name: str) -> Parse:
    """(a number from 1, or None,)."""
    return lambda line: (None,) if line.done else (line.whole(name, least=1),)


def direction(line: Reader) -> Arguments:
    """("forward",) or ("backward",)."""
    return (line.keyword("forward", "backward"),)


def layer_place(line: Reader) -> Arguments:
    """(layer, direction or None, sequence or None, unit or None)."""
    layer, direction = line.whole("the layer"), line.take(_SIDE)
    batch = line.whole("the sequence") if line.take(_BATCH) else None
    unit = line.whole("the unit") if line.take(_UNIT_WORD) else None
    return (layer, direction and direction[1], batch, unit)


def rest(name: str) -> Parse:
    """(the rest of the line,)."""
    return lambda line: (line.rest(f"{name} is missing"),)


def file_name(*endings: str) -> Parse:
    """(the name of a file,), which ends in one of these."""

    def read(line: Reader) -> Arguments:
        at = line.at
        name = line.rest("the file is missing")
        if PurePath(name).suffix.lower() not in endings:
            line.fail(f"the file name ends in {' or '.join(endings)}", at)
        return (name,)

    return read


def expression(line: Reader) -> Arguments:
    """(an Expression,)."""
    return (line.expression("an expression is missing"),)


def printed(line: Reader) -> Arguments:
    """(an Expression,) or ("reads",)."""
    return ("reads",) if line.take(_READS) else expression(line)


def condition(line: Reader) -> Arguments:
    """(an Expression with one value,)."""
    return (line.condition("an expression is missing"),)


def breakpoint_place(line: Reader) -> Arguments:
    """("when", Expression, note or None) or ("at", t)."""
    if line.keyword("when", "at") == "at":
        return ("at", line.whole("the timestep"))
    noted = _NOTE.search(line.text, line.at)
    when = line.condition("an expression is missing after when", noted.start() if noted else None)
    if noted is None:
        return ("when", when, None)
    line.keyword("note")
    return ("when", when, line.rest("the text of the note is missing"))


def optional_pass(line: Reader) -> Arguments:
    """("forward",) or ("backward",): the run, or its derivatives; (None,) where it is left out: both."""
    return (None,) if line.done else (line.keyword("forward", "backward"),)


def optional_map(line: Reader) -> Arguments:
    """("row", None), or ("map", the name that it is by or None)."""
    if line.done:
        return ("row", None)
    what = line.keyword("map")
    return (what, None if line.done else line.word("the name of a state is missing"))


def optional_topic(line: Reader) -> Arguments:
    """(a topic of the reference or what one is about, or None,)."""
    if line.done:
        return (None,)
    at = line.at
    word = line.word("the topic is missing")
    if not topic_of(word):
        _refuse_word(line, f"there is no topic {shown(word)}", at, closest_topic(word), TOPICS)
    return (word,)


def _refuse_word(line: Reader, wrong: str, at: int, meant: str, words: Iterable[str]) -> NoReturn:
    """Refuse a word; the message says which word was probably meant, or else which there are."""
    line.fail(wrong if meant else f"{wrong}; there are {', '.join(words)}", at, meant)


def one_of(name: str, choices: Sequence[str]) -> Parse:
    """(one of some words,)."""

    def parse(line: Reader) -> Arguments:
        at = line.at
        word = line.word(f"{name} is missing")
        if word not in choices:
            _refuse_word(line, f"there is no {shown(word)}", at, closest(word, choices), choices)
        return (word,)

    return parse


def change(line: Reader) -> Arguments:
    """(a Change,)."""
    quantity = _changed_quantity(line)
    unit = line.take(_UNIT)
    if unit is None and line.take(_OPENING):
        line.fail("the unit must be a whole number, followed by ]")
    if line.take(_EQUALS) is None:
        line.fail("= is missing, as in set f[3] = 1.0")
    value = line.number("the value")
    start = stop = None
    if not line.done:
        line.keyword("from")
        start = line.whole("the first timestep")
    if start is not None and not line.done:
        line.keyword("to")
        at = line.at
        stop = line.whole("the last timestep")
        if stop < start:
            line.fail(f"the last timestep, {stop}, is before the first, {start}", at)
    return (Change(quantity, _indices(unit[1]) if unit else None, value, start, stop),)


def asked(line: Reader) -> Arguments:
    """(what is asked about, or None; its unit, or None): "written c" and "routes dc" are two words."""
    if line.done:
        return (None, None)
    word = line.take(_ASPECT)
    at = line.at
    match = line.take(_NAME)
    if match is None:
        line.fail("a quantity is missing, as in why c[3]")
    name = match[0]
    if name != "loss" and not line.vocabulary.has_quantity(name):
        _no_quantity(line, name, at, line.vocabulary.quantities)
    unit = line.take(_UNIT)
    if unit is None and line.take(_OPENING):
        line.fail("the unit must be a whole number, followed by ]")
    return (f"{word[1]} {name}" if word else name, _indices(unit[1]) if unit else None)


def asked_part(line: Reader) -> Arguments:
    """(what is asked about, or None; its unit, or None; which part)."""
    if line.take(_PART):
        return (None, None, line.whole("the part", least=1))
    quantity, unit = asked(line)
    if line.done:
        return (quantity, unit, 1)
    line.keyword("part")
    return (quantity, unit, line.whole("the part", least=1))


def loss_place(line: Reader) -> Arguments:
    """(t, name or None, unit or None)."""
    line.keyword("at")
    t = line.whole("the timestep")
    name = line.word("a quantity is missing, as in loss at 9 of h") if line.take(_OF) else None
    if line.done:
        return (t, name, None)
    line.keyword("unit")
    return (t, name, line.whole("the unit"))


def unquoted(text: str) -> str:
    """A name without the quotation marks round it."""
    is_quoted = len(text) > 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def compared(line: Reader) -> Arguments:
    """(a model's name or a trace's path,); None for none."""
    name = unquoted(line.rest("the name of a model, the path of a saved trace, or `none` is missing"))
    return (None if name == "none" else name,)


def names(line: Reader) -> Arguments:
    """(the names of quantities,): one or more."""
    every = []
    while not line.done:
        at = line.at
        name = line.word("a quantity is missing").rstrip(",")
        if not line.vocabulary.has_quantity(name):
            _no_quantity(line, name, at, line.vocabulary.quantities)
        every.append(name)
    if not every:
        line.fail("a quantity is missing, as in hide h")
    return (tuple(every),)


def seconds(line: Reader) -> Arguments:
    """(a float from 0 to an hour,)."""
    at = line.at
    pause = line.number("the pause")
    if not 0 <= pause <= LONGEST_PAUSE:
        line.fail(f"a pause lasts 0 to {LONGEST_PAUSE:.0f} seconds", at)
    return (pause,)


def _changed_quantity(line: Reader) -> str:
    at = line.at
    match = line.take(_NAME)
    if match is None:
        line.fail("a quantity is missing, as in set f[3] = 1.0")
    name, vocabulary = match[0], line.vocabulary
    if vocabulary.is_derivative(name):
        line.fail(f"{name} is a derivative; only what the cell computes can be set", at, name[1:])
    if not vocabulary.has_quantity(name):
        settable = [quantity for quantity in vocabulary.quantities if not vocabulary.is_derivative(quantity)]
        _no_quantity(line, name, at, sorted(settable))
    return name


def _no_quantity(line: Reader, name: str, at: int, names: Iterable[str]) -> NoReturn:
    """Raise a mistake about a name; one of `names` was probably meant."""
    line.unknown(f"{shown(name)} is not a quantity", "quantities", at, closest(name, names))


def _indices(text: str) -> int | tuple[int, ...]:
    """The number of a unit, or its numbers along several axes."""
    numbers = tuple(int(number) for number in text.split(","))
    return numbers[0] if len(numbers) == 1 else numbers

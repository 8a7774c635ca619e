"""The quantities that names of the code become."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

import pytest
import torch

from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.names import TAKEN, name_all
from lstmtui.capture.source.series import Series
from lstmtui.trace.source_validation import _no_names
from lstmtui.words import CONNECTIVES, FUNCTIONS, SCALARS


def forward() -> None: ...


def norm() -> None: ...


def within() -> None: ...


def called(*functions: Callable[[], None]) -> Call:
    """The last of some functions that call each other."""
    call = None
    for number, function in enumerate(functions):
        call = Call(number, function.__code__, function.__name__, None, "", call)
    assert call is not None
    return call


CALLS = {own.code: own for own in (called(forward), called(forward, norm), called(forward, norm, within))}


def named(*names: tuple[CodeType, str, int]) -> list[str]:
    series = [
        Series(code, name, place, 1, [[Binding(0, CALLS[code], name, 1, (), torch.zeros(1), 0)]])
        for code, name, place in names
    ]
    name_all(series, forward.__code__)
    return [part.name for part in series]


def test_every_word_of_the_language_is_kept_for_it() -> None:
    assert frozenset((*SCALARS, *FUNCTIONS, *CONNECTIVES, "y")) == TAKEN


@pytest.mark.parametrize(
    ("written", "quantities"),
    [
        (["f", "self.hidden"], ["f", "hidden"]),
        (["self.hidden", "hidden"], ["self_hidden", "hidden"]),
        (["t", "loss", "max", "y", "x"], ["t_", "loss_", "max_", "y_", "x"]),
        (["c", "dc"], ["c", "dc_"]),
        (["dc", "c"], ["dc", "c_"]),
        (["state[0]", "state[1]"], ["state_0", "state_1"]),
        (["lambda_", "None_", "el", "ef"], ["lambda_", "None_", "el_", "ef_"]),
        (["_[0]", "__", "self.__h"], ["_0", "_", "h"]),
        (["n" * 500], ["n" * 90]),
    ],
)
def test_a_name_is_an_identifier_that_means_one_thing(written: list[str], quantities: list[str]) -> None:
    assert named(*((forward.__code__, name, 0) for name in written)) == quantities
    assert list(_no_names([name for own in quantities for name in (own, "d" + own)])) == []


def test_names_of_functions_below_are_led_by_the_functions_where_they_collide() -> None:
    own, other = forward.__code__, norm.__code__
    assert named((other, "v", 0), (own, "v", 0), (other, "mean", 0)) == ["norm_v", "v", "norm_mean"]
    inner = within.__code__
    assert named((inner, "h", 0), (other, "h", 0)) == ["within_h", "h"], "the outer one's is the plain one"


def test_the_places_of_a_name_are_numbered_and_the_last_has_it_plain() -> None:
    own = forward.__code__
    assert named((own, "f", 1), (own, "f", 2), (own, "f", 0)) == ["f_1", "f_2", "f"]
    assert named((own, "f", 1), (own, "f", 0), (own, "f_1", 0)) == ["f_1_", "f", "f_1"]

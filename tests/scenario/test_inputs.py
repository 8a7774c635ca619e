"""Every inline kind of input becomes the arrays that models see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

MODEL_OF_ONE = '\n[[model]]\ncell = "lstm"\nhidden_size = 1\n'


def test_flat_values_are_one_channel(load: Callable[..., Any]) -> None:
    source = load("[input]\nvalues = [0.5, 1, nan, -inf]").input
    np.testing.assert_array_equal(source.values, np.array([0.5, 1, np.nan, -np.inf])[:, None, None])
    assert (source.steps, source.batch, source.size) == (4, 1, 1)
    assert source.tokens is None
    assert source.lengths is None


def test_two_levels_of_values_are_time_by_channel(load: Callable[..., Any]) -> None:
    source = load("[input]\nvalues = [[1, 2], [3, 4], [5, 6]]").input
    assert source.values.shape == (3, 1, 2)
    np.testing.assert_array_equal(source.values[1, 0], [3, 4])
    assert source.labels == ("x[0]", "x[1]")


def test_three_levels_of_values_are_sequences_with_lengths(load: Callable[..., Any]) -> None:
    source = load("[input]\nvalues = [[[1, 2], [3, 4]], [[5, 6]]]").input
    assert source.values.shape == (2, 2, 2)
    np.testing.assert_array_equal(source.values[:, 1], [[5, 6], [0, 0]])
    np.testing.assert_array_equal(source.lengths, [2, 1])


def test_sequences_of_one_length_have_no_lengths(load: Callable[..., Any]) -> None:
    assert load("[input]\nvalues = [[[1], [2]], [[3], [4]]]").input.lengths is None


def test_tokens_are_ids_with_numbers_as_labels(load: Callable[..., Any]) -> None:
    source = load("[input]\ntokens = [3, 1]").input
    np.testing.assert_array_equal(source.tokens, [[3], [1]])
    assert source.tokens.dtype == np.int64
    assert source.labels == ("0", "1", "2", "3")
    assert source.size == 4


def test_vocabulary_size_of_tokens_is_that_of_the_input(load: Callable[..., Any]) -> None:
    scenario = load("[input]\ntokens = [3, 1]\nvocabulary_size = 10")
    assert scenario.input.size == 10
    assert scenario.models[0].layout.input_size == 10


def test_nested_tokens_are_sequences(load: Callable[..., Any]) -> None:
    source = load("[input]\ntokens = [[1, 2, 3], [4]]").input
    np.testing.assert_array_equal(source.tokens, [[1, 4], [2, 0], [3, 0]])
    np.testing.assert_array_equal(source.lengths, [3, 1])


def test_characters_are_numbered_in_sorted_order(load: Callable[..., Any]) -> None:
    source = load('[input]\ntext = "hello"').input
    np.testing.assert_array_equal(source.tokens[:, 0], [1, 0, 2, 2, 3])
    assert source.labels == ("e", "h", "l", "o")


def test_vocabulary_fixes_the_ids_of_characters(load: Callable[..., Any]) -> None:
    source = load('[input]\ntext = "hello"\nvocabulary = "olehx"').input
    np.testing.assert_array_equal(source.tokens[:, 0], [3, 2, 1, 1, 0])
    assert source.labels == tuple("olehx")


def test_character_outside_the_vocabulary_is_named_printably(problem: Callable[..., str]) -> None:
    said = problem('[input]\ntext = "ab\\u001bb"\nvocabulary = "ab"')
    assert "character 2 of the text, '␛', is not in the vocabulary" in said


def test_control_characters_become_printable_labels(load: Callable[..., Any]) -> None:
    assert load('[input]\ntext = "a\\u001b\\n"').input.labels == ("␊", "␛", "a")


def test_embedding_sets_the_input_size_of_the_cells(load: Callable[..., Any]) -> None:
    model = '\n[[model]]\ncell = "gru"\nhidden_size = 3\nembedding = 5\n'
    spec = load('[input]\ntext = "hello"', model).models[0]
    assert (spec.layout.input_size, spec.embedding) == (5, 5)


@pytest.mark.parametrize(
    ("method", "expected", "shift", "scale"),
    [("standard", [-1, 1, np.nan], 3, 1), ("minmax", [0, 1, np.nan], 2, 2), ("none", [2, 4, np.nan], 0, 1)],
)
def test_normalisation_ignores_numbers_that_are_not_finite(
    load: Callable[..., Any], method: str, expected: Any, shift: float, scale: float
) -> None:
    source = load(f'[input]\nvalues = [2, 4, nan]\nnormalize = "{method}"').input
    np.testing.assert_allclose(source.values[:, 0, 0], expected)
    assert (source.shift[0], source.scale[0]) == (shift, scale)


def test_normalised_values_give_back_the_raw_ones_and_padding_stays_zero(load: Callable[..., Any]) -> None:
    raw = [[[1.0, 7.0], [2.0, 7.0], [6.0, 7.0]], [[3.0, 7.0]]]
    source = load(f'[input]\nvalues = {raw}\nnormalize = "standard"').input
    back = source.values * source.scale + source.shift
    np.testing.assert_allclose(back[:, 0], raw[0])
    np.testing.assert_allclose(back[0, 1], raw[1][0])
    np.testing.assert_array_equal(source.values[1:, 1], 0)
    valid = np.array([1.0, 2.0, 6.0, 3.0])
    assert source.shift[0] == valid.mean()
    assert source.scale[1] == 1


def test_seed_of_a_task_reaches_its_generator(load: Callable[..., Any]) -> None:
    one, same, other = (
        load(f'[input]\ntask = "sine"\nseed = {s}', '\n[[model]]\ncell = "gru"\nhidden_size = 1\n').input
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.values, same.values)
    assert (one.values != other.values).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("values = []", "2: input.values: there are no values"),
        ("values = [[1], [2, 3]]", "2: input.values[1]: has 2 entries, the first has 1"),
        ("values = [[1],\n [2],\n ['x']]", "4: input.values[2][0]: must be a number, is 'x'"),
        ("values = [[[[1]]]]", "2: input.values: has 4 levels of lists; at most 3"),
        ("values = [[[1]], [[1, 2]]]", "2: input.values[1]: is not a sequence like the first"),
        ("values = [true]", "2: input.values[0]: must be a number, is true"),
        (f"values = [0x{'f' * 5000}]", "2: input.values[0]: is too large a number"),
        ("tokens = [1, -1]", "2: input.tokens[1]: must be 0 or more, is -1"),
        ("tokens = [1.5]", "2: input.tokens[0]: must be a whole number, is 1.5"),
        ("tokens = [99999999]", "2: input.tokens: token 99999999 is outside the vocabulary; 0 to 1,048,575"),
        ("tokens = [5]\nvocabulary_size = 5", "2: input.tokens: token 5 is outside the vocabulary; 0 to 4"),
        ('text = ""', "2: input.text: the text is empty"),
        ('text = "a"\nvocabulary = "aa"', "3: input.vocabulary: holds 'a' twice; each character once"),
        ('text = "a"\nvocabulary = ""', "3: input.vocabulary: is empty; each character once"),
        ('text = "a"\ncolumns = [1]', "3: input.columns: goes with file, the input here is text; allowed"),
        ('text = "a"\ntokens = [1]', "3: input.tokens: there is text already; exactly one of file, text"),
        ("", "1: input: does not say what the input is"),
        ('normalize = "none"', "1: input: does not say what the input is; exactly one of file"),
        ('task = "latch"\nlength = 1', "3: input.length: must be 2 or more for this task, is 1"),
        ('task = "latch"\nlength = 5000000', "3: input.length: must lie between 1 and"),
        ('task = "sine"\nlength = 4000\nbatch = 4000', "3: input.length: length × batch must be 4,194,304"),
        ('task = "copy"\nrecall = 2.5', "3: input.recall: must be a whole number, is 2.5"),
        ('task = "sine"\nsymbols = 3', '3: input.symbols: goes with task = "copy", the input here is task'),
        ('task = "latch"\nnoise = nan', "3: input.noise: must lie between 0 and 100, is nan"),
    ],
)
def test_mistaken_input_is_said_in_a_sentence(problem: Callable[..., str], text: str, said: str) -> None:
    assert problem("[input]\n" + text, MODEL_OF_ONE).startswith(said)


def test_tokens_that_would_be_too_many_numbers_one_hot_need_an_embedding(problem: Callable[..., str]) -> None:
    text = "[input]\nvocabulary_size = 1000000\ntokens = [" + "1," * 300 + "]"
    assert "model[0].embedding: missing: one-hot, the tokens would be more than" in problem(text)

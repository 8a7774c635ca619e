"""`lstmtui help`: a topic at a time, as text that reads well at 80 columns."""

from __future__ import annotations

from importlib.resources import files

import pytest
from markdown_it import MarkdownIt

from lstmtui.__main__ import main
from lstmtui.help import TOPICS, closest_topic, topic_of, topic_text
from lstmtui.help.page import line_about, page, page_lines


def test_every_topic_has_a_file_and_every_file_is_a_topic() -> None:
    there = {
        file.name.removesuffix(".md") for file in files("lstmtui.help").iterdir() if file.name.endswith(".md")
    }
    assert there == set(TOPICS)


def test_without_a_topic_it_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(TOPICS)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_plain_text_of_at_most_80_columns(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)
    assert ["", ""] not in [lines[n : n + 2] for n in range(len(lines))]


@pytest.mark.parametrize("topic", TOPICS)
def test_code_of_a_topic_is_shown_whole(topic: str) -> None:
    """Lines of code are not broken, and would be cut off where they are too long."""
    tokens = MarkdownIt("commonmark").enable("table").parse(topic_text(topic))
    blocks = [token.content for token in tokens if token.type in ("fence", "code_block")]
    code = [line for block in blocks for line in block.split("\n")]
    lines = page(topic).split("\n")
    assert [line for line in code if f"  {line}".rstrip() not in lines] == []


def test_code_within_a_sentence_keeps_its_quotes_and_headings_lose_their_marks() -> None:
    text = page("verbs")
    assert text.startswith("The command language\n")
    assert "One language for the `:` prompt" in text
    assert "\n step [N]  " in text


@pytest.mark.parametrize(
    ("word", "topic"),
    [
        ("verb", "verbs"),
        ("Securrity", "security"),
        ("scenaros", "scenarios"),
        ("xyzzy", ""),
        ("[", ""),
        ("v" * 5000, ""),
    ],
)
def test_a_misspelt_word_leads_to_the_topic_that_was_meant(
    word: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (closest_topic(word), topic_of(word)) == (topic, "")
    assert main(["help", "--", word]) == 2
    said = capsys.readouterr().err
    assert "there is no topic " in said
    assert ("did you mean" in said) == bool(topic)
    assert len(said) < 400


@pytest.mark.parametrize(
    ("word", "topic"),
    [
        ("vanishing", "verdicts"),
        ("train", "commands"),
        ("diagnose", "verbs"),
        ("checkpoints", "models"),
        ("checkpoint", "scenarios"),
        ("ONNX", "models"),
        ("lessons", "verbs"),
        ("rcontinue", "verbs"),
        ("hidden_size", "scenarios"),
        ("isnan", "expressions"),
        ("lightning_watch", "python"),
        ("--follow", "commands"),
    ],
)
def test_a_word_leads_to_the_topic_that_describes_it(
    word: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert topic_of(word) == topic
    assert main(["help", "--", word]) == 0
    assert capsys.readouterr().out.strip() == page(topic).strip()
    lines = page_lines(topic, 80)
    about = lines[line_about(word, lines)]
    assert word.casefold().removesuffix("s") in "".join(text for text, _ in about).casefold()


def test_a_word_cannot_reach_the_terminal_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "\x1b[2J../../etc/passwd\u202e"]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\u202e" not in said

"""The topics of the reference, and which of them a word belongs to."""

from __future__ import annotations

import re
from importlib.resources import files

from lstmtui.closest import closest

TOPICS: dict[str, str] = {
    "commands": "the command line, its options and exit status",
    "verbs": "the command language of the prompt and of scripts",
    "expressions": "what conditions, watches and prints are made of",
    "quantities": "the names of all values, the glossary, the cells",
    "keys": "every key of the screen",
    "panels": "what each panel shows, its scale, its keys",
    "colors": "what colours (colors) mean: of maps, of quantities, of marks",
    "config": "your own themes and keys",
    "verdicts": "what diagnose and first-bad say, from which thresholds on",
    "why": "what a number is made of, down to the input",
    "laws": "what must hold of states and sequences, held on your own model",
    "models": "what is recorded of your own model; checkpoints, ONNX, factories",
    "watch": "watching a training loop, and what it costs",
    "scenarios": "every key of a scenario file",
    "python": "the Python API",
    "remote": "a model on another machine",
    "traces": "what is on disk, and runs that are still being recorded",
    "numbers": "how values and derivatives are computed, and in which precision",
    "security": "what files and other machines can do, and what they cannot",
}
"""Every topic, in the order of a first reading, with what it is about."""

SHORTEST_IN_HEADING = 4
"""Letters of a word that is looked for in headings, too, with or without an s at its end."""
LONGEST_WORD = 40
"""Of longer words nobody knows what was meant."""


def overview() -> str:
    """The list of topics."""
    lines = (f"  {topic:<13}{summary}" for topic, summary in TOPICS.items())
    return "\n".join(("lstmtui help TOPIC, or :help TOPIC at the prompt, tells of:", "", *lines))


def topic_text(topic: str) -> str:
    """The Markdown of one of :data:`TOPICS`."""
    return files("lstmtui.help").joinpath(f"{topic}.md").read_text(encoding="utf-8")


def topic_of(word: str) -> str:
    """The topic that a word is, or that has a line or a heading about it; empty where there is none."""
    if word in TOPICS:
        return word
    if re.fullmatch(r"(?i)colou?rs?", word):
        return "colors"
    if len(word) > LONGEST_WORD:
        return ""
    patterns = [rf"^\| `{re.escape(word)}(?!\w)", rf"^\| `lstmtui {re.escape(word)}(?!\w)"]
    if len(word) >= SHORTEST_IN_HEADING:
        patterns.append(rf"(?i)^#+ .*\b{re.escape(word.removesuffix('s'))}s?\b")
    texts = {topic: topic_text(topic) for topic in TOPICS}
    described = (t for pattern in patterns for t in TOPICS if re.search(pattern, texts[t], re.MULTILINE))
    return next(described, "")


def closest_topic(word: str) -> str:
    """The topic that a word is probably a misspelling of; empty where there is none."""
    return "" if len(word) > LONGEST_WORD else closest(word, TOPICS, cutoff=0.7)

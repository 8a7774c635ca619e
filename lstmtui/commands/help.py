"""`lstmtui help [TOPIC]`: the reference, a topic at a time."""

from __future__ import annotations

import argparse

from lstmtui.errors import UserError
from lstmtui.printable import printable

SUMMARY = "print the reference: verbs, expressions, verdicts, scenarios, keys, security"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The topic."""
    parser.add_argument(
        "topic", nargs="?", metavar="TOPIC", help="what to read about; if left out, the topics are listed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a topic at 80 columns, that of a word which it is about, or the list of all.

    Raises:
        UserError: there is no such topic; the message names the one that was probably meant.
    """
    from lstmtui.closest import meant_or_all
    from lstmtui.help import TOPICS, overview, topic_of

    topic = arguments.topic
    if topic is None:
        print(overview())
        return 0
    if not topic_of(topic):
        hint = meant_or_all(topic, TOPICS, "lstmtui help ")
        raise UserError(printable(f"there is no topic {topic[:60]}; {hint}"))
    from lstmtui.help.page import page

    print(page(topic_of(topic)))
    return 0

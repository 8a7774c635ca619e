"""The reference: a Markdown file for each topic, read by `lstmtui help` and by `:help`."""

from lstmtui.help.topics import TOPICS, closest_topic, overview, topic_of, topic_text

__all__ = ["TOPICS", "closest_topic", "overview", "topic_of", "topic_text"]

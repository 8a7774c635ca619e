"""Runs become layers of a trace: names, shapes, states and arrays over time."""

"""Blocks of code: whatever is called in them, joined into runs over time."""

"""Calls and loops become runs, each of so many rounds."""

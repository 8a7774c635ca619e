"""Recurrent modules are heard while they run: each call becomes part of a run."""

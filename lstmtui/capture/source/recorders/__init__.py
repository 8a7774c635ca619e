"""Recordings by source, from the code that runs to finished layers."""

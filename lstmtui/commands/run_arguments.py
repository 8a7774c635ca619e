"""The arguments of every verb that runs models."""

from __future__ import annotations

import argparse


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device` and `--dtype`, in place of what the scenario says, and `--trust`."""
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1 or mps, in place of the scenario's")
    parser.add_argument(
        "--dtype", choices=("float32", "float64", "bfloat16", "float16"), help="in place of the scenario's"
    )
    parser.add_argument(
        "--trust", action="store_true", help="run the Python code that the scenario names (factory = …)"
    )

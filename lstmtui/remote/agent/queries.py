"""Every query by name, for an agent that answers them."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from lstmtui import analysis, expressions
from lstmtui.view.query import QUERIES
from lstmtui.view.view import Query


def every_query() -> Mapping[str, Query]:
    """All queries by name, whether their modules have been imported before or not."""
    for room in (analysis, expressions):
        for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            import_module(module.name)
    return QUERIES

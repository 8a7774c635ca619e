"""A trace in a notebook: a picture of its last layer and the verdicts on it, as HTML."""

from __future__ import annotations

import sys
import tempfile
from html import escape
from importlib import import_module
from pathlib import Path

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace import Trace, Traces

_WIDTH, _HEIGHT = 96, 24
"""The most timesteps and units of a map; of more, evenly spread ones are shown."""
_CELL = 6
_MOST_READ = 50_000_000
"""Of larger runs only the picture is made, without a look through all of it."""
_COLORS = ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b")
"""From the most negative to the most positive value."""
_NOT_FINITE = "#8a2be2"


def is_notebook() -> bool:
    """Whether this program is the kernel of a notebook, which has no terminal of its own."""
    python = sys.modules.get("IPython")
    shell = None if python is None else python.get_ipython()
    return hasattr(shell, "kernel")


def html_of(trace: Trace) -> str:
    """The name and sizes of a run, h of its last layer in the first sequence, and the verdicts.

    Of recorded code it is the last of its states, or where it has none what it binds last.
    """
    rows = "".join(f"<li>{escape(printable(line))}</li>" for line in verdict_lines(trace))
    layer = len(trace.layers) - 1
    cell, source = trace.cell(layer), trace.layers[layer].source
    name = cell.states[0] if source is None else cell.memory or cell.quantities[-1]
    caption = f"{name} of layer {layer}, sequence 0: timesteps to the right, units downwards"
    return (
        f"<div><code>{escape(repr(trace))}</code><br/>{picture(trace.values(name, layer)[:, 0], name)}"
        f"<br/><small>{escape(caption)}</small><ul>{rows}</ul></div>"
    )


def verdict_lines(trace: Trace) -> list[str]:
    """What is not fine, each with a command that shows more, and the names of what is."""
    from lstmtui.analysis.diagnosis import FINE, NOT_MEASURED, diagnose_trace, reasons

    if trace.steps * trace.batch * sum(layer.hidden_size for layer in trace.layers) > _MOST_READ:
        return ["lstmtui.diagnose(trace) looks through all of this run"]
    verdicts = diagnose_trace(trace)
    serious = [verdict for verdict in verdicts if verdict.severity not in (FINE, NOT_MEASURED)]
    names = {verdict.name for verdict in verdicts if verdict.severity != FINE}
    fine = ", ".join(dict.fromkeys(v.name for v in verdicts if v.name not in names))
    return [
        *(f"{v}" + (f" (next: {'; '.join(v.commands)})" if v.next else "") for v in serious),
        *(f"{NOT_MEASURED}: {', '.join(names)}: {why}" for why, names in reasons(verdicts).items()),
        *([f"fine: {fine}"] if fine else []),
    ]


def picture(values: Array, name: str = "h") -> str:
    """A colour map of values (T, units) as SVG: blue below 0, red above, violet where not finite."""
    steps, units = (
        _spread(length, most) for length, most in zip(values.shape, (_WIDTH, _HEIGHT), strict=True)
    )
    shown = np.asarray(values[steps][:, units], dtype=np.float64)
    finite = np.isfinite(shown)
    largest = float(np.abs(shown[finite]).max(initial=0.0)) or 1.0
    middle = len(_COLORS) // 2
    levels: Array = np.where(finite, np.rint(np.where(finite, shown, 0.0) / largest * middle) + middle, -1)
    colors = (*enumerate(_COLORS), (-1, _NOT_FINITE))
    paths = "".join(_path(np.equal(levels.T, level), color) for level, color in colors)
    width, height = len(steps), len(units)
    label = f"{escape(name)} from {-largest:.3g} to {largest:.3g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width * _CELL}" height="{height * _CELL}" shape-rendering="crispEdges">'
        f"<title>{label}</title>{paths}</svg>"
    )


def show(trace: Trace | Traces) -> None:
    """Draw each run below the cell of the notebook, and say how to open it in a terminal."""
    display = import_module("IPython.display")
    where = save_aside(trace)
    runs = trace if isinstance(trace, Traces) else {trace.name: trace}
    for run in runs.values():
        display.display(display.HTML(html_of(run)))
    display.display(display.HTML(f"<p>{escape(printable(where))}</p>"))


def save_aside(trace: Trace | Traces) -> str:
    """Save to a temporary directory; a sentence of how to open it from there, or why that cannot be."""
    try:
        path = Path(tempfile.mkdtemp(prefix="lstmtui-")) / "run.trace"
        trace.save(path)
    except (OSError, UserError) as error:
        return f"To walk through it, save it and open it in a terminal (it could not be saved here: {error})."
    return f"To walk through it, in a terminal on this machine: lstmtui open {path}"


def _spread(length: int, most: int) -> Array:
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))


def _path(cells: Array, color: str) -> str:
    """Every cell of one colour, each a unit square."""
    squares = "".join(f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(cells))
    return f'<path fill="{color}" d="{squares}"/>' if squares else ""

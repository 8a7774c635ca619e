"""The message for a model whose code shows nothing over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lstmtui.capture.source.bindings import Call
from lstmtui.wording import counted, first_of

_MOST_NAMED = 8
_MOST_CHOICES = 3


def nothing_over_time(calls: Sequence[Call], passed_over: Mapping[str, int], axes: Mapping[int, int]) -> str:
    """Why the code of a model gives no trace: what ran, how often, and what would help.

    Args:
        calls: that were recorded.
        passed_over: functions of the user's that ran and were not chosen, with how often.
        axes: the size of each axis of the model's input that may be time.
    """
    if not calls and passed_over:
        return (
            f"source= names nothing that ran. What ran: {_listed(passed_over)}; name some of these, or say "
            "source=True for all"
        )
    if not calls:
        return "there is no Python code of yours in it that ran, and could be recorded by source"
    ran = Counter(f"{call.name} ({call.path})" if call.path else call.name for call in calls)
    repeated = [name for name, count in Counter(call.name for call in calls).items() if count > 1]
    what = "source=MyCell"
    if repeated:
        what = " or ".join(f'source="{name}"' for name in repeated[:_MOST_CHOICES])
    text = (
        f"no loop in its code, and no function that repeats, was seen to be over timesteps. What ran: "
        f"{_listed(ran)}. Where something of it runs once for each timestep, record what calls it, or name "
        f"it: {what}"
    )
    if axes:
        choices = " or ".join(
            f"time_axis={axis} ({counted(size, 'timestep')})" for axis, size in axes.items()
        )
        text += f"; where it computes all timesteps at once, say which axis of its input they are: {choices}"
    return text


def _listed(counts: Mapping[str, int]) -> str:
    names = [f"{name} {'once' if count == 1 else f'{count} times'}" for name, count in counts.items()]
    return first_of(names, _MOST_NAMED)

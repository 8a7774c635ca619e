"""Whether an answer can be what is said of a whole run: verdicts, and where it is read."""

from __future__ import annotations

from lstmtui.analysis.diagnosis import Verdict
from lstmtui.analysis.diagnosis.verdict import NAMES, SEVERITIES
from lstmtui.analysis.laws import NAMES as LAWS
from lstmtui.analysis.laws import STATUSES, HeldLaws, LawResult
from lstmtui.analysis.reads import Read
from lstmtui.remote.client.query_context import MOST, QueryContext
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.trace import Trace


def is_diagnosis(context: QueryContext, answer: tuple[Verdict, ...]) -> bool:
    """Whether every verdict is one that there is, of a layer that there is."""

    def fits(verdict: Verdict) -> bool:
        return (
            verdict.name in NAMES
            and verdict.severity in SEVERITIES
            and has_place(context.trace, verdict.layer, verdict.direction)
            and len(verdict.units) <= MOST
        )

    return len(answer) <= MOST and all(fits(verdict) for verdict in answer)


def are_reads(context: QueryContext, answer: tuple[Read, ...]) -> bool:
    """Whether every read lies within the run."""

    def fits(read: Read) -> bool:
        none = read.first == read.last == -1 and not read.timesteps
        some = 0 <= read.first <= read.last < read.length and 0 < read.timesteps <= read.length
        is_long = read.length > context.trace.steps
        return has_place(context.trace, read.layer, read.direction) and not is_long and (none or some)

    return len(answer) <= MOST and all(map(fits, answer))


def checked_laws(trace: Trace, held: HeldLaws) -> HeldLaws:
    """What came of the laws, where that can be said of this run.

    Raises:
        ProtocolError: it cannot.
    """

    def fits(result: LawResult) -> bool:
        place = result.place
        is_known = result.name in LAWS and result.status in STATUSES and len(result.notes) <= MOST
        if not is_known or place is None:
            return is_known
        sizes = ((place.t, trace.steps), (place.batch, trace.batch), (place.layer, len(trace.layers)))
        return all(at is None or -1 <= at < size for at, size in sizes) and (place.unit or 0) >= 0

    if len(held.results) > len(LAWS) or not all(map(fits, held.results)):
        raise ProtocolError("the agent says of laws what cannot be said of this run")
    return held


def has_place(trace: Trace, layer: int | None, direction: str) -> bool:
    """Whether a run has a layer with this direction; what no layer owns has no direction either."""
    if layer is None:
        return not direction
    return 0 <= layer < len(trace.layers) and direction in trace.layers[layer].directions

"""What was recorded, in memory and on disk. numpy only."""

from lstmtui.trace.header import Header, Layer
from lstmtui.trace.storage import is_trace, load
from lstmtui.trace.trace import Trace
from lstmtui.trace.traces import Traces

__all__ = ["Header", "Layer", "Trace", "Traces", "is_trace", "load"]

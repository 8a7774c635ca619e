"""A script drives a session without a screen: sentences, JSON, pictures, exports and recordings come out."""

from lstmtui.playback.cast import Cast
from lstmtui.playback.export import export
from lstmtui.playback.file_names import name_problem
from lstmtui.playback.player import Played, Screen, play, record_cast
from lstmtui.playback.reports import json_line, plain_lines
from lstmtui.playback.script import Script, script_within
from lstmtui.playback.script_result import ScriptResult
from lstmtui.playback.written_files import OutputFolder, replace_file

__all__ = [
    "Cast",
    "OutputFolder",
    "Played",
    "Screen",
    "Script",
    "ScriptResult",
    "export",
    "json_line",
    "name_problem",
    "plain_lines",
    "play",
    "record_cast",
    "replace_file",
    "script_within",
]

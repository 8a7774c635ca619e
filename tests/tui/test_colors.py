"""`--color auto` decides by what reaches the far end of ssh, and says why."""

from __future__ import annotations

import pytest

from lstmtui.tui.characters import shows_unicode
from lstmtui.tui.colors import detect

DEPTHS = [
    ({"TERM": "xterm-256color"}, "256", "ssh does not pass it on"),
    ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor", "COLORTERM=truecolor"),
    ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, "truecolor", "COLORTERM=24bit"),
    ({"TERM": "xterm-256color", "COLORTERM": "yes"}, "256", "says 256"),
    ({"TERM": "xterm-direct"}, "truecolor", "xterm-direct"),
    ({"TERM": "xterm-kitty"}, "truecolor", "TERM=xterm-kitty"),
    ({"TERM": "alacritty"}, "truecolor", "TERM=alacritty"),
    ({"TERM": "foot-extra"}, "truecolor", "TERM=foot-extra"),
    ({"TERM": "wezterm"}, "truecolor", "TERM=wezterm"),
    ({"TERM": "xterm-ghostty"}, "truecolor", "TERM=xterm-ghostty"),
    ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "truecolor", "LC_TERMINAL=iTerm2"),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "truecolor", "TERM_PROGRAM=WezTerm"),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "256", "says 256"),
    ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "truecolor", "VTE_VERSION"),
    ({"TERM": "xterm-256color", "VTE_VERSION": "3400"}, "256", "says 256"),
    ({"TERM": "xterm-256color", "VTE_VERSION": "²"}, "256", "says 256"),
    ({"TERM": "tmux-256color"}, "256", "tmux"),
    ({"TERM": "tmux-256color", "TMUX": "s,1,0", "COLORTERM": "truecolor"}, "truecolor", "COLORTERM"),
    ({"TERM": "tmux-256color", "TMUX": "s,1,0", "LC_TERMINAL": "iTerm2"}, "256", "tmux"),
    ({"TERM": "screen-256color", "TMUX": "s,1,0"}, "256", "tmux"),
    ({"TERM": "screen", "TMUX": "s,1,0"}, "16", "default-terminal tmux-256color"),
    ({"TERM": "screen-256color", "STY": "1.a", "COLORTERM": "truecolor"}, "256", "screen"),
    ({"TERM": "screen", "STY": "1.a", "COLORTERM": "truecolor"}, "16", "term screen-256color"),
    ({"TERM": "screen.xterm-256color"}, "256", "screen"),
    ({"TERM": "linux"}, "16", "console"),
    ({"TERM": "xterm"}, "16", "does not say more"),
    ({"TERM": "vt100"}, "none", "no colours in terminfo"),
    ({"TERM": "rxvt-88color"}, "16", "does not say more"),
    ({"TERM": "mystery"}, "16", "does not say more"),
    ({"TERM": "plenty"}, "256", "256 colours in terminfo"),
    ({"TERM": "all"}, "truecolor", "16,777,216 colours in terminfo"),
    ({"TERM": "dumb", "COLORTERM": "truecolor"}, "none", "TERM=dumb"),
    ({}, "none", "TERM=unset"),
    ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "none", "NO_COLOR is set"),
    ({"TERM": "xterm-256color", "NO_COLOR": ""}, "256", "says 256"),
    ({"TERM": "xterm-256color", "CLICOLOR": "0"}, "none", "CLICOLOR=0"),
]
TERMINFO = {"vt100": 0, "xterm": 8, "rxvt-88color": 88, "plenty": 256, "all": 1 << 24}


@pytest.mark.parametrize(("variables", "depth", "why"), DEPTHS, ids=str)
def test_the_depth_and_its_reason(variables: dict[str, str], depth: str, why: str) -> None:
    found, reason = detect(variables, TERMINFO.get)
    assert found == depth
    assert why in reason


@pytest.mark.parametrize(
    ("variables", "shows"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.utf8"}, True),
        ({"LANG": "de_DE.UTF-8@euro"}, True),
        ({"LC_ALL": "C", "LANG": "de_DE.ISO-8859-15"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({}, True),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, False),
        ({"LC_ALL": "ja_JP.eucJP", "LANG": "en_US.UTF-8"}, False),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, False),
    ],
    ids=str,
)
def test_only_what_is_known_to_lack_unicode_gets_ascii(variables: dict[str, str], shows: bool) -> None:
    found, reason = shows_unicode(variables)
    assert found == shows
    assert reason

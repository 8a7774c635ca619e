"""What the colours of a dark background become on a light one, where each can be read as well."""

from __future__ import annotations

HEX: dict[str, str] = {
    "#b9c6d3": "#3f4f60",
    "#62b8f5": "#0b62a8",
    "#f2ab34": "#8a5200",
    "#ec8052": "#b03a12",
    "#45c4a0": "#0c6b4d",
    "#d891c6": "#8d3a78",
    "#e8d75e": "#6b6100",
    "#a09bf2": "#5548c8",
    "#d6dae0": "#23272e",
    "#93a4bd": "#45587a",
    "#e9ecf1": "#14171c",
    "#8d95a1": "#5a626e",
    "#7a828f": "#636b78",
    "#4a515d": "#b4bac4",
    "#f4f6f9": "#000000",
    "#f5c451": "#8a5a00",
    "#ff6f91": "#b3123d",
    "#ffffff": "#000000",
    "#ff6f6f": "#c01818",
    "#ffb4a6": "#a3452f",
    "#c9ced6": "#4a525e",
    "#9aa8d6": "#3d4c94",
    "#93ab85": "#47633a",
}
"""Of 16 million."""

CUBE: dict[int, int] = {
    251: 238,
    75: 25,
    214: 94,
    209: 130,
    79: 23,
    176: 126,
    221: 58,
    141: 62,
    253: 235,
    109: 60,
    255: 233,
    246: 241,
    243: 242,
    239: 249,
    204: 125,
    231: 16,
    203: 124,
    217: 131,
    146: 61,
    108: 22,
}
"""Of the 240 that are the same everywhere."""

ANSI: dict[str, str] = {
    "cyan": "blue",
    "yellow": "red",
    "red": "bright_red",
    "green": "bright_blue",
    "bright_blue": "blue",
}
"""Of the 16 that a terminal has by name: yellow, cyan and green are pale in most."""

GROUND: dict[str, str] = {
    "#12151a": "#fbfaf7",
    "#161a20": "#f3f1ec",
    "#1d222a": "#e9e6df",
    "#39414d": "#c3c8d0",
    "#a9b1bc": "#454c57",
    "#5fafff": "#005faf",
    "#5fd7af": "#005f5f",
    "#ffaf00": "#875f00",
    "#ffd75f": "#5f5f00",
    "#ff5f87": "#af005f",
    "#dadada": "#262626",
    "#121212": "#ffffff",
    "#1c1c1c": "#eeeeee",
    "#262626": "#e4e4e4",
    "#444444": "#bcbcbc",
    "#a8a8a8": "#4e4e4e",
}
"""Of the background itself, of borders, and what stands on it, of both themes."""

"""Draws the README's picture with the program itself.

`python tests/pictures/draw.py` writes the picture, `python tests/pictures/draw.py -` prints it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

PICTURE = Path(__file__).parent / "airline.svg"


async def draw() -> str:
    """The debugger on the airline scenario, 30 timesteps in, as SVG."""
    import lstmtui
    from lstmtui.scenario import find_scenario
    from lstmtui.tui.app import LstmtuiApp
    from lstmtui.tui.start import Start

    app = LstmtuiApp(Start(traces=lstmtui.run(find_scenario("airline"), device="cpu")))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.screen.run_text("step 30")
        app.screen.action_panel(2)
        await pilot.pause()
        return app.export_screenshot(title="lstmtui open airline")


if __name__ == "__main__":
    # Textual reads the terminal's colours once, when it is imported.
    os.environ.update(TEXTUAL_COLOR_SYSTEM="truecolor", TEXTUAL_ANIMATIONS="none")
    os.environ.pop("NO_COLOR", None)
    drawn = asyncio.run(draw())
    if "-" in sys.argv:
        sys.stdout.buffer.write(drawn.encode())
    else:
        PICTURE.write_text(drawn, encoding="utf-8")

"""The Step panel with all of the screen: down to the weights."""

from __future__ import annotations

from keyboard import press
from synthetic import synthetic

from lstmtui.cells.notation import UNICODE
from lstmtui.cells.products import Factor, Products
from lstmtui.tui.panels.products import product_lines


async def test_the_step_panel_opens_them_when_it_has_the_screen(debugger, shown) -> None:
    async with debugger(synthetic("lstm"), (80, 24)) as pilot:
        assert "6 products, largest first" not in shown(pilot)
        await press(pilot, "right", "5", "z", "down")
        text = shown(pilot)
        assert "W_f[0, 0]·x[0] = " in text
        assert "6 products, largest first" in text
        await press(pilot, "z")
        assert "W_f[0, 0]·x[0]" not in shown(pilot)


def test_products_that_are_all_zero_are_one_line() -> None:
    def product(*values: float) -> Products:
        factors = tuple(Factor(n, 0.5, value, 0.5 * value) for n, value in enumerate(values))
        return Products(
            "f", (("R_f·h₋₁", "h"),), "R_f", (("h₋₁", "h"),), sum(values) / 2, len(values), factors
        )

    (line,) = product_lines([product(0.0, -0.0)], "f", 0, UNICODE)
    assert "".join(text for text, _ in line).strip() == "R_f·h₋₁ = 0  2 products, all 0"
    assert len(product_lines([product(1.0, 0.0)], "f", 0, UNICODE)) == 3


async def test_a_panel_without_room_for_long_equations_still_says_what_they_give(debugger, shown) -> None:
    async with debugger(synthetic("gru"), (70, 24)) as pilot:
        for t in range(6):
            await press(pilot, *(["right"] if t else []))
            h = UNICODE.number(float(pilot.app.screen.session.trace.values("h")[t, 0, 0]))
            *_, row = (row for row in shown(pilot).splitlines() if row.startswith("│h"))
            assert row.split("│")[1].rstrip().endswith(f" + … = {h}")

"""An energy as a person writes it on the command line."""

from typing import Any

import click

UNITS_J = {"J": 1.0, "KJ": 1e3, "MWH": 3.6, "WH": 3600.0, "KWH": 3.6e6}


class Energy(click.ParamType[float]):
    """An energy with its unit: 5Wh, 300 J."""

    name = "energy"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return joules."""
        if isinstance(value, float):
            return value
        text = str(value).replace(" ", "")
        number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        unit = UNITS_J.get(text[len(number) :].upper())
        try:
            joules = float(number) * unit if unit else 0.0
        except ValueError:
            joules = 0.0
        if not 0 < joules < float("inf"):
            self.fail(f"{value!r} is no energy. Write it as 5Wh, 300J or 0.2kWh.", param, ctx)
        return joules

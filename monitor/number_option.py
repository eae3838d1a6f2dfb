"""A number on the command line that can be reckoned with."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A number within bounds. ``nan`` is within none, and ``inf`` is no number of seconds.

    ``float`` reads both, and click's own range lets ``nan`` pass: no comparison with it is true.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number that can be reckoned with.", param, ctx)
        return number

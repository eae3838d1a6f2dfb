"""Numbers on the command line."""

import math
from typing import Any

import click

from monitor.clock import clock_seconds


class Whole(click.IntRange):
    """A whole number within bounds."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is no whole number.", param, ctx)
        return int(super().convert(number, param, ctx))


class Number(click.FloatRange):
    """A number within bounds. ``nan`` is within none, and ``inf`` is no number of seconds.

    ``float`` reads both, and click's own range lets ``nan`` pass: no comparison with it is true.
    """

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        if not _is_number(value):
            self.fail(f"{value!r} is no number.", param, ctx)
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number that can be reckoned with.", param, ctx)
        return number


class Seconds(Number):
    """A length of time within bounds: seconds, or minutes and seconds as a clock writes them."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        clock_s = clock_seconds(value) if isinstance(value, str) else None
        if clock_s is None and not _is_number(value):
            self.fail(
                f"{value!r} is no length of time; write seconds (90), or 1:30 or 1:02:30.",
                param, ctx,
            )  # fmt: skip
        return super().convert(value if clock_s is None else clock_s, param, ctx)


def _is_number(text: str | float) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""What gauges told while a query ran, in words."""

from collections.abc import Callable, Iterable

from monitor import figures
from monitor.power.gauge import GaugeLine, Quantity, by_device


def device_words(lines: Iterable[GaugeLine]) -> list[tuple[str, str]]:
    """Say of each device what its gauges told, throttling left out.

    :return: the device's name, and ``97 % busy (up to 100 %), 71 °C (up to 78 °C)``
    """
    told = [line for line in lines if line.gauge.quantity is not Quantity.THROTTLE]
    return [(name, ", ".join(map(_words, group))) for name, group in by_device(told)]


def _words(line: GaugeLine) -> str:
    quantity, summary = line.gauge.quantity, line.summary
    mean = figures.reading(quantity, summary.mean)
    if quantity is Quantity.UTILISATION:
        mean += " busy"
    # Of a clock the least tells most, of all else the greatest.
    way, most = ("down", summary.low) if quantity is Quantity.CLOCK else ("up", summary.high)
    bound = figures.reading(quantity, most)
    is_same = bound == figures.reading(quantity, summary.mean)
    return mean if is_same else f"{mean} ({way} to {bound})"


def span_words(line: GaugeLine) -> str:
    """Write the least and the greatest value: ``60–78 °C``; "" where they are one figure."""
    low, high = (
        figures.reading(line.gauge.quantity, value)
        for value in (line.summary.low, line.summary.high)
    )
    number, _, unit = low.partition(" ")
    if low == high:
        return ""
    return f"{number}–{high}" if high.endswith(f" {unit}") else f"{low}–{high}"


THROTTLED = "%1 was throttled %2 of the time"


def throttle_words(
    lines: Iterable[GaugeLine],
    sentence: str = THROTTLED,
    note_words: Callable[[str], str] = str,
) -> list[str]:
    """Say what was throttled, for how much of the time and by what; nothing if nothing was.

    :param sentence: in the person's language: %1 is the device, %2 the share of the time
    :param note_words: puts what a reading said into that language
    """
    held = [
        line for line in lines if line.gauge.quantity is Quantity.THROTTLE and line.summary.high > 0
    ]
    return [_throttled(line, sentence, note_words) for line in held]


def _throttled(line: GaugeLine, sentence: str, note_words: Callable[[str], str]) -> str:
    name = line.gauge.label.rpartition(" ")[0] or line.gauge.label
    share = figures.reading(Quantity.THROTTLE, line.summary.mean)
    words = sentence.replace("%1", name).replace("%2", share)
    # One reading may have named several reasons, and another some of the same.
    reasons = dict.fromkeys(", ".join(line.summary.notes).split(", "))
    return f"{words}: {note_words(', '.join(reasons))}" if line.summary.notes else words

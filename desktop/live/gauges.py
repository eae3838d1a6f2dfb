"""What the live dock shows of gauges: which are chosen, their curves, and what was throttled."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from desktop.theme.gauges import device_name, note_words
from desktop.theme.palette import Theme
from monitor.power.channel import Domain
from monitor.power.gauge import GAP_S, Gauge, GaugeCurve, Quantity, Stretch
from monitor.power.present import present_reading
from monitor.power.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Strokes:
    """A curve ready to be drawn. The arrays have shape (points,).

    :param time_s: monotonic
    :param joined: 1 where a point is joined to the next, 0 at a gap
    """

    time_s: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    joined: npt.NDArray[np.int32]


class LiveGauges:
    """Follows a sampler's gauges; reads nothing but what is asked for.

    :param sampler: need not have started
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.chosen: frozenset[str] = frozenset()
        """Keys of the gauges whose curves are drawn, those that are not there now among them."""

    def choosable(self) -> list[Gauge]:
        """The gauges that have a curve; throttles are marked on the plot of power instead."""
        return [g for g in self._sampler.gauges() if g.quantity is not Quantity.THROTTLE]

    def lanes(self) -> dict[Quantity, list[Gauge]]:
        """The chosen gauges that are there, by what they tell; each has a lane of its own."""
        shown = [gauge for gauge in self.choosable() if gauge.key in self.chosen]
        lanes = {quantity: [g for g in shown if g.quantity is quantity] for quantity in Quantity}
        return {quantity: gauges for quantity, gauges in lanes.items() if gauges}

    def present(self, gauge: Gauge, now_s: float) -> float | None:
        """Return a gauge's value now, ``None`` if it was not read of late."""
        reading = present_reading(self._sampler.gauge_trace, gauge, now_s)
        return reading.value if reading else None

    def strokes(self, gauge: Gauge, start_s: float, end_s: float, most: int) -> Strokes:
        """Return a gauge's curve in ``most`` strokes at most, each from its least to greatest."""
        curve = self._sampler.gauge_trace.curve(gauge.key, start_s, end_s)
        return thinned(curve, (end_s - start_s) / most)

    def throttled(self, start_s: float, end_s: float, join_s: float) -> list[Stretch]:
        """Return when anything was held back, the earliest first; reasons name the devices.

        :param join_s: stretches that lie no further apart are told as one
        """
        found = [
            Stretch(stretch.start_s, stretch.end_s, throttle_reason(gauge, stretch.reason))
            for gauge in self._throttles()
            for stretch in self._sampler.gauge_trace.throttled(gauge.key, start_s, end_s, join_s)
        ]
        return joined(found, join_s)

    def throttled_now(self, now_s: float) -> list[str]:
        """Name each device that is held back now, and by what."""
        return [
            throttle_reason(gauge, reading.note)
            for gauge in self._throttles()
            if (reading := present_reading(self._sampler.gauge_trace, gauge, now_s))
            and reading.value > 0
        ]

    def _throttles(self) -> Iterable[Gauge]:
        return (g for g in self._sampler.gauges() if g.quantity is Quantity.THROTTLE)


def throttle_reason(gauge: Gauge, reason: str) -> str:
    """Name a device, and what holds it back if that is told: ``GPU 0: power cap``."""
    device, words = device_name(gauge), note_words(reason)
    return f"{device}: {words}" if words else device


def joined(stretches: Iterable[Stretch], join_s: float) -> list[Stretch]:
    """Join stretches that overlap or nearly touch, each reason named once."""
    found: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda one: one.start_s):
        last = found[-1] if found else None
        if last is None or stretch.start_s - last.end_s > join_s:
            found.append(stretch)
            continue
        reasons = dict.fromkeys((*last.reason.split("\n"), stretch.reason))
        found[-1] = Stretch(last.start_s, max(last.end_s, stretch.end_s), "\n".join(reasons))
    return found


def thinned(curve: GaugeCurve, width_s: float) -> Strokes:
    """Draw readings that share a stretch of time as one stroke from the least to the greatest.

    :param width_s: how long such a stretch is; they begin at whole multiples of it, so that a curve
      looks the same as it travels along
    """
    if not len(curve.time_s):
        return Strokes(np.empty(0), np.empty(0), np.empty(0, np.int32))
    buckets = np.floor(curve.time_s / width_s)
    first = np.flatnonzero(np.diff(buckets, prepend=np.nan) != 0)
    last = np.append(first[1:], len(buckets)) - 1
    goes_on = np.append(curve.time_s[first[1:]] - curve.time_s[last[:-1]] <= GAP_S, False)
    middle_s = (curve.time_s[first] + curve.time_s[last]) / 2
    if len(first) == len(buckets):
        return Strokes(middle_s, curve.value, goes_on.astype(np.int32))
    low, high = np.minimum.reduceat(curve.value, first), np.maximum.reduceat(curve.value, first)
    return Strokes(
        np.repeat(middle_s, 2),
        np.stack([low, high], axis=1).reshape(-1),
        np.stack([np.ones_like(goes_on), goes_on], axis=1).reshape(-1).astype(np.int32),
    )


def colors_of(lanes: dict[Quantity, list[Gauge]], theme: Theme) -> dict[str, str]:
    """Return a colour for each gauge by its key: its domain's, unlike others' in its lane."""
    colors: dict[str, str] = {}
    for gauges in lanes.values():
        indices: dict[Domain, int] = {}
        for gauge in gauges:
            index = indices[gauge.domain] = indices.get(gauge.domain, -1) + 1
            palette = theme.series[gauge.domain]
            if gauge.domain is Domain.SYSTEM:  # processes: the series has but one colour
                palette = (theme.text, theme.muted)
            colors[gauge.key] = palette[index % len(palette)]
    return colors

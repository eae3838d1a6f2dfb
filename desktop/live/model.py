"""What the live plot shows: the sampler's channels on one even grid, and their total."""

import math
import time
from dataclasses import dataclass

import numpy as np

from desktop.live.gauges import LiveGauges
from desktop.live.pyramid import Floats, Pyramid
from monitor.bench.events import BenchEvent
from monitor.energy.account import DECODE, LOAD, PREFILL, Phase, weakest
from monitor.energy.present import in_force
from monitor.engine.messages import (
    Answer,
    DecodeStarted,
    Done,
    Loaded,
    LoadProgress,
    PrefillStarted,
    Scored,
)
from monitor.meter import Event
from monitor.power.channel import Channel, Kind, Role
from monitor.power.curve import Gap
from monitor.power.sampler import Sampler
from monitor.power.silences import levelled
from monitor.power.trace import Trace

LAG_S = 0.3
"""The plot ends this far in the past, where a source read ten times a second has surely been read.
The curve of a slower one ends before, at its own last reading."""

KEPT_PHASES = 400

KEPT_BOUNDARIES = 20_000
"""Ends of benchmark items: those of an hour and more."""

JOINED_S = 0.25
"""Batches no further apart are drawn as one phase."""


@dataclass(slots=True)
class Series:
    """One curve: a channel, or the total of the parts where ``channel`` is ``None``."""

    channel: Channel | None
    pyramid: Pyramid


class LiveModel:
    """Follows a sampler. Costs nothing unless :meth:`update` is called.

    :param sampler: need not have started
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.gauges = LiveGauges(sampler)
        self.step_s = 1 / sampler.hz
        self._origin_s = time.monotonic()
        self.total = Series(None, Pyramid())
        self._channels: dict[str, Series] = {}
        self._used: tuple[str, ...] = ()
        self.phases: list[Phase] = []
        self.boundaries_s: list[float] = []

    @property
    def series(self) -> list[Series]:
        """The curves to draw: the parts, after their total where there are several."""
        parts = list(self._channels.values())
        return [self.total, *parts] if len(parts) > 1 else parts

    @property
    def kind(self) -> Kind | None:
        """The weakest kind among the parts: what the total may be called."""
        return weakest(part.channel.kind for part in self._parts() if part.channel)

    @property
    def busy(self) -> bool:
        """Whether a phase of a query is under way."""
        return bool(self.phases) and self.phases[-1].end_s == math.inf

    def time_of(self, sample: float) -> float:
        """Return the monotonic time of a sample's number."""
        return self._origin_s + sample * self.step_s

    def sample_at(self, time_s: float) -> int:
        """Return the number of the first sample at or after a monotonic time."""
        return int(np.ceil((time_s - self._origin_s) / self.step_s))

    def _parts(self) -> list[Series]:
        """The curves that the total is of."""
        return [self._channels[key] for key in self._used]

    def follow(self, event: Event) -> None:
        """Note the phases of a running query as its events tell of them."""
        match event:
            case LoadProgress() if not self.busy:
                self._begin_phase(LOAD, time.monotonic())
            case Loaded():
                self.end_phase(event.end_s)
            case PrefillStarted():
                self._begin_phase(PREFILL, event.time_s)
            case DecodeStarted():
                self._begin_phase(DECODE, event.time_s)
            case Done():
                self.end_phase(event.time_s)

    def follow_bench(self, event: BenchEvent) -> None:
        """Note the phases of a running benchmark, and where its items end."""
        if isinstance(event, Scored):
            self._add_batch(event)
        elif isinstance(event, Answer):
            self.follow(event)
        if isinstance(event, Scored | Done):
            self.boundaries_s.append(event.end_s if isinstance(event, Scored) else event.time_s)
            del self.boundaries_s[:-KEPT_BOUNDARIES]

    def _add_batch(self, batch: Scored) -> None:
        """Take in a batch of scored questions; those that follow at once are one phase."""
        last = self.phases[-1] if self.phases else None
        if last and last.name == PREFILL and 0 <= batch.start_s - last.end_s < JOINED_S:
            self.phases[-1] = Phase(PREFILL, last.start_s, batch.end_s)
        else:
            self._begin_phase(PREFILL, batch.start_s)
            self.end_phase(batch.end_s)

    def _begin_phase(self, name: str, time_s: float) -> None:
        self.end_phase(time_s)
        self.phases.append(Phase(name, time_s, math.inf))
        del self.phases[:-KEPT_PHASES]

    def end_phase(self, time_s: float | None = None) -> None:
        """Note that the phase under way, if there is one, has ended: now, unless told when."""
        if self.busy:
            last = self.phases[-1]
            ended_s = time.monotonic() if time_s is None else time_s
            self.phases[-1] = Phase(last.name, last.start_s, ended_s)

    def update(self) -> None:
        """Take in what was read since the last call."""
        used = [c for c in in_force(self._sampler) if c.role is Role.PART]
        # A sensor that a model stands in for is drawn on: its curve ends where it was last read.
        waited = [c for c in self._sampler.channels() if c.role is Role.PART and c not in used]
        drawn, before = (*used, *waited), self._used
        self._used = tuple(channel.key for channel in used)
        until = self.sample_at(time.monotonic() - LAG_S)
        if set(before) - set(self._used):
            # What it drew since the total was last known is known no more.
            _extend_unknown(self.total, until)
        for key in self._channels.keys() - {channel.key for channel in drawn}:
            del self._channels[key]
        for channel in drawn:
            series = self._channels.get(channel.key)
            if series is None:
                series = self._channels[channel.key] = Series(channel, Pyramid())
                _extend_unknown(series, self.total.pyramid.count)
            series.channel = channel  # its kind may have changed
            self._extend(series, self._read_until(channel, until))
        if used:
            self._extend_total(min(part.pyramid.count for part in self._parts()))

    def _read_until(self, channel: Channel, until: int) -> int:
        """Return up to which sample a channel can be drawn: what comes after may still be read."""
        latest = self._sampler.trace.latest(channel.key)
        return min(self.sample_at(latest[0]), until) if latest else 0

    def _extend(self, series: Series, until: int) -> None:
        assert series.channel
        first = series.pyramid.count
        if first < until:
            power_w = resample(self._sampler.trace, series.channel, self._grid_s(first, until))
            series.pyramid.extend(power_w)

    def _extend_total(self, until: int) -> None:
        """Go on with the total up to where each part was read.

        A part without a reading makes it unknown, not smaller.
        """
        first = self.total.pyramid.count
        if first < until:
            columns = [part.pyramid.samples(first, until) for part in self._parts()]
            self.total.pyramid.extend(np.sum(columns, axis=0, dtype=np.float64))

    def _grid_s(self, first: int, until: int) -> Floats:
        return np.arange(first, until, dtype=np.float64) * self.step_s + self._origin_s


def _extend_unknown(series: Series, until: int) -> None:
    series.pyramid.extend(np.full(max(until - series.pyramid.count, 0), np.nan))


def resample(trace: Trace, channel: Channel, grid_s: Floats) -> Floats:
    """Return a channel's watts at some times, NaN in gaps and where nothing was read yet."""
    curve = trace.curve(channel.key, float(grid_s[0]), float(grid_s[-1]))
    if len(curve.time_s) < 2:
        return np.full(len(grid_s), np.nan)
    curve = levelled(channel, curve)
    power_w = np.interp(grid_s, curve.time_s, curve.power_w, left=np.nan, right=np.nan)
    after = np.minimum(np.searchsorted(curve.time_s, grid_s), len(curve.time_s) - 1)
    power_w[(curve.gap[after] != Gap.NONE) & (after > 0)] = np.nan
    return power_w

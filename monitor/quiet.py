"""Whether the machine is quiet, and what it draws then."""

import logging
import sqlite3
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from monitor.energy.account import Bill
from monitor.energy.baseline import AND, AboveIdle, Baseline, Conditions, above_idle, baseline_from
from monitor.gpu_rest import QUIET_GPU_PERCENT, rest_of_gpus
from monitor.power.deadline import Asker
from monitor.power.sampler import Sampler
from monitor.power.sysfs import own_supplies, read_int, read_text, sysfs_root
from monitor.store.baselines import Baselines
from monitor.store.database import Store

log = logging.getLogger(__name__)

QUIET_S = 60.0
"""So long the machine is quiet before what it draws is taken for idle by itself."""

REFRESH_S = 3600.0
"""A baseline younger than this, and not stale, needs no other one."""

LEAST_BUSY_CORES, BUSY_SHARE = 0.3, 0.03
"""Quiet is at most so many busy cores, or this share of all where that is more: about what a
desktop does by itself."""

BURST = 2.5
"""A single look may find so many times as much busy."""

LONGEST_LOOK_S = 10.0
"""Looks further apart do not tell what was in between."""

SETTLE_S = 2.0
"""What ran a moment ago has not come to rest yet."""

POWER_S = 0.3
"""The system has so long to tell of power profile and charger: it takes a millisecond."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class NotQuiet(Exception):
    """Idle could not be measured; the message says why, and what to do."""


class NotSure(NotQuiet):
    """Only a person can tell whether a GPU was at rest; the message says which, and why."""


class LoadMeter:
    """Tells how many cores were busy between two looks, all programs together."""

    def __init__(self) -> None:
        self._busy_s, self._time_s = _busy_s(), time.monotonic()

    def busy_cores(self) -> float:
        """Return the busy cores since the last call: 0 for none, 2.5 for two and a half."""
        busy_s, time_s = _busy_s(), time.monotonic()
        cores = (busy_s - self._busy_s) / max(time_s - self._time_s, 1e-3)
        self._busy_s, self._time_s = busy_s, time_s
        return max(cores, 0.0)


def _busy_s() -> float:
    """Seconds that the processors computed since the machine started, all added up.

    On Linux a guest's are within the user's already; what was stolen from a virtual machine is
    not its own.
    """
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def most_busy_cores() -> float:
    """Return how many busy cores still count as quiet on this machine."""
    return max(LEAST_BUSY_CORES, BUSY_SHARE * (psutil.cpu_count() or 1))


def present_conditions() -> Conditions:
    """Look at what idle watts depend on, as it is now.

    Profile and charger are not known where the system does not tell them in time: the file of a
    charger whose driver hangs must hold nothing up.
    """
    try:
        profile, on_mains = _ask_power()
    except TimeoutError:
        log.warning("The system does not say whether the machine runs on mains, nor its profile")
        profile, on_mains = "", None
    return Conditions(
        boot_id=read_text(BOOT_ID) or "",
        booted_s=psutil.boot_time(),
        profile=profile,
        on_mains=on_mains,
    )


def _power() -> tuple[str, bool | None]:
    """The power profile, and whether the machine runs on mains."""
    root = sysfs_root()
    policy = root / "devices/system/cpu/cpu0/cpufreq"
    settings = (
        read_text(root / "firmware/acpi/platform_profile"),
        read_text(policy / "scaling_governor"),
        read_text(policy / "energy_performance_preference"),
    )
    return " · ".join(setting for setting in settings if setting), _on_mains()


_ask_power = Asker(_power, POWER_S)


def _on_mains() -> bool | None:
    """Whether a charger feeds the machine; a battery alone tells by its being discharged."""
    supplies = own_supplies()
    others = [each for each in supplies if read_text(each / "type") != "Battery"]
    chargers = [read_int(each / "online") for each in others]
    if any(online is not None for online in chargers):
        return any(chargers)
    states = [read_text(each / "status") for each in supplies]
    if any(states):
        return "Discharging" not in states
    battery = None if sys.platform == "linux" else psutil.sensors_battery()
    return battery.power_plugged if battery else None


class QuietWatch:
    """Waits for the machine to have been quiet for a while.

    It is, if it was looked at often enough, its processor and GPUs computed little on the whole and
    much at no look, and nobody worked with it: a loaded machine is never quiet, however steady its
    load.

    :param quiet_s: how long
    :param most_cores: busy cores that still count as quiet; this machine's own limit unless given
    """

    def __init__(self, quiet_s: float = QUIET_S, most_cores: float | None = None) -> None:
        self._quiet_s = quiet_s
        self._most_cores = most_busy_cores() if most_cores is None else most_cores
        self._looks: deque[tuple[float, float]] = deque()
        """When, and the load: 1 is the most that counts as quiet."""

    def look(
        self,
        time_s: float,
        busy_cores: float,
        is_working: bool = False,
        gpu_percent: float = 0.0,
    ) -> float | None:
        """Take in a look at the machine.

        :param time_s: monotonic
        :param busy_cores: since the look before
        :param is_working: whether a model is asked, loaded or tested
        :param gpu_percent: how much of its time the busiest GPU works
        :return: since when it has been quiet, once that is long enough
        """
        looks = self._looks
        load = max(busy_cores / self._most_cores, gpu_percent / QUIET_GPU_PERCENT)
        is_late = bool(looks) and time_s - looks[-1][0] > LONGEST_LOOK_S
        if is_working or is_late or load > BURST:
            looks.clear()
        looks.append((time_s, load))
        while len(looks) > 2 and time_s - looks[1][0] >= self._quiet_s:
            looks.popleft()
        # What was busy up to the first look came before the span.
        since = [load for _, load in list(looks)[1:]]
        if time_s - looks[0][0] < self._quiet_s or statistics.fmean(since) > 1:
            return None
        return looks[0][0]

    def forget(self) -> None:
        """Begin anew."""
        self._looks.clear()


class IdleMeasurement:
    """Measures the idle machine on demand: call :meth:`look` about twice a second, then finish.

    :param sampler: running
    :param seconds: how long, after two seconds of coming to rest
    """

    def __init__(self, sampler: Sampler, seconds: float) -> None:
        self._sampler = sampler
        self._start_s = time.monotonic() + SETTLE_S
        self._end_s = self._start_s + seconds
        self._conditions = present_conditions()
        self._load = LoadMeter()
        self._busy: list[float] = []

    def look(self) -> float:
        """Look at the machine and return the share of the time that has passed, 1 at the end."""
        busy, now_s = self._load.busy_cores(), time.monotonic()
        if now_s > self._start_s:
            self._busy.append(busy)
        left_s = max(self._end_s - now_s, 0.0)
        return 1 - left_s / (self._end_s - self._start_s + SETTLE_S)

    def finish(self, earlier: Sequence[Baseline], is_sure: bool = False) -> Baseline:
        """Return what was measured. Waits for the sensors, half a second at most.

        :param earlier: the baselines of this machine, the newest first
        :param is_sure: whether a person says that nothing computed on a GPU that tells no load
        :raises NotSure: if that must be asked; it may then be finished again
        :raises NotQuiet: if the machine was busy, or nothing was read
        """
        busy, most = statistics.median(self._busy or [self._load.busy_cores()]), most_busy_cores()
        if busy > most:
            raise NotQuiet(
                f"The processor was busy while idle was measured: {busy:.1f} cores, where at most "
                f"{most:.1f} count as idle. Nothing was kept. Close what computes, and try again."
            )
        return take_baseline(
            self._sampler, self._start_s, self._end_s, self._conditions, earlier, True, is_sure
        )


def take_baseline(
    sampler: Sampler,
    start_s: float,
    end_s: float,
    conditions: Conditions,
    earlier: Sequence[Baseline],
    is_asked: bool = False,
    is_sure: bool = False,
) -> Baseline:
    """Reckon the baseline of a quiet span that has just ended.

    :param conditions: as they were when it began
    :param earlier: the baselines of this machine, the newest first
    :param is_asked: whether a person says that the machine is idle
    :param is_sure: whether so is a GPU that nothing tells of; its baseline keeps that in mind
    :raises NotSure: if that must be asked
    :raises NotQuiet: if a GPU was at work, something was changed meanwhile, or nothing was read
    """
    sampler.wait_until(end_s)
    now = present_conditions()
    if not (now.has_profile_of(conditions) and now.has_mains_of(conditions)):
        raise NotQuiet(
            "The power profile or the charger was changed while idle was measured. "
            "Nothing was kept. Try again."
        )
    rest = rest_of_gpus(sampler, start_s, end_s, now, earlier, is_asked)
    if rest.at_work:
        raise NotQuiet(rest.at_work)
    if rest.question and not is_sure:
        raise NotSure(rest.question)
    on_word = AND.join((*(label for label, _ in rest.unknown), *rest.on_word))
    # What the system did not tell in time now, it told when the span began.
    profile = now.profile or conditions.profile
    on_mains = conditions.on_mains if now.on_mains is None else now.on_mains
    now = replace(now, profile=profile, on_mains=on_mains, on_word=on_word)
    baseline = baseline_from(sampler.trace, sampler.channels(), start_s, end_s, now)
    if baseline is None:
        raise NotQuiet(
            "No sensor was read long enough to tell what the idle machine draws. "
            "`llamawatt sensors` shows what they say."
        )
    return baseline


def above_last_idle(bill: Bill, store: Store) -> AboveIdle | None:
    """Return what a bill of now has above this machine's idle, ``None`` if no baseline fits it.

    :param store: where baselines are kept; if it cannot be read, none is known
    """
    try:
        found = Baselines(store).fitting(present_conditions(), datetime.now(UTC))
    except sqlite3.Error as error:
        log.warning("The idle baseline could not be read: %s", error)
        return None
    return above_idle(bill, *found) if found else None

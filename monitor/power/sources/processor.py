"""What explains a processor's power: how busy, how hot and how fast it is, and who holds memory.

A source without channels: it gives gauges alone, and no bill depends on it. Load and memory come
from psutil on every system. Temperature, clock and throttling come from Linux's sysfs:

- ``class/hwmon``: ``temp*_input`` in thousandths of a degree (Documentation/hwmon/
  sysfs-interface.rst), by the drivers coretemp (``Package id N``), k10temp and zenpower (``Tdie``,
  else ``Tctl``, which on some processors is set higher than the truth so that fans start early:
  Documentation/hwmon/k10temp.rst) and cpu_thermal (Arm).
- ``cpu*/cpufreq/scaling_cur_freq`` in kilohertz (Documentation/admin-guide/pm/cpufreq.rst).
- ``cpu*/thermal_throttle/package_throttle_count``: how often the package was slowed down because it
  was too hot (Documentation/ABI/testing/sysfs-devices-system-cpu); Intel only.

Load, memory and the engine's process are met on this and other real machines; what sysfs tells is
tested on constructed trees and not yet met on hardware.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import psutil

from monitor.power.channel import Channel, Domain, Probe, ProbeState, Reading
from monitor.power.cpu import this_processor
from monitor.power.engine_process import EngineSearch, used_s
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.sysfs import read_int, read_text, sysfs_root

CLOCKS_READ = 16
"""A package's clock is the mean of at most so many of its logical processors, evenly spread."""

SHORTEST_S = 0.1
"""A load is not told of less time than this: the kernel counts it in ticks of 1 to 10 ms."""

TOO_HOT = "too hot"

AMD_LABELS = ("Tdie", "Tctl")
"""Of a Ryzen or EPYC, the true temperature first."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A gauge and how it is read: value and note, or ``None`` if it does not answer."""

    gauge: Gauge
    read: Callable[[], tuple[float, str] | None]


class ProcessorGauges:
    """The ``processor`` source: gauges of the processor, the memory and the engine's process."""

    name = "processor"

    def __init__(self) -> None:
        self._readers: tuple[_Reader, ...] = ()

    def probe(self) -> Probe:
        """Say what can be told here: load and memory on every system."""
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            "Load and memory; temperature, clock and throttling where the system tells them.",
        )

    def open(self) -> tuple[Channel, ...]:
        """Return no channel: nothing of this is energy."""
        return ()

    def read(self) -> list[Reading]:
        """Return no reading."""
        return []

    def close(self) -> None:
        """Nothing is held open."""

    def gauges(self) -> tuple[Gauge, ...]:
        """Find what this machine tells."""
        self._readers = (*_package_readers(), _machine_memory(), *_engine_readers())
        return tuple(reader.gauge for reader in self._readers)

    def read_gauges(self) -> list[GaugeReading]:
        """Read every gauge; one that does not answer is left out."""
        readings = []
        for reader in self._readers:
            told = reader.read()
            if told is not None:
                readings.append(GaugeReading(reader.gauge.key, time.monotonic(), *told))
        return readings


# --- the packages ----------------------------------------------------------------------------


def _package_readers() -> Iterator[_Reader]:
    packages = this_processor().packages
    temperatures = _temperature_files()
    for package, threads in packages.items():
        name = f"CPU {package}" if len(packages) > 1 else "CPU"
        load = _Load(threads if len(packages) > 1 else ())
        yield _Reader(_cpu_gauge(package, f"{name} use", Quantity.UTILISATION), load.read)
        yield from _sysfs_readers(package, name, threads, temperatures.get(package))


def _sysfs_readers(
    package: int, name: str, threads: tuple[int, ...], temperature: Path | None
) -> Iterator[_Reader]:
    if temperature:
        gauge = _cpu_gauge(package, f"{name} temperature", Quantity.TEMPERATURE)
        yield _Reader(gauge, _scaled(temperature, 1e-3))
    if clocks := _clock_files(threads):
        yield _Reader(_cpu_gauge(package, f"{name} clock", Quantity.CLOCK), _Clock(clocks).read)
    counter = _cpu_folder(threads[0]) / "thermal_throttle/package_throttle_count"
    if read_int(counter) is not None:
        gauge = _cpu_gauge(package, f"{name} throttled", Quantity.THROTTLE)
        yield _Reader(gauge, _Throttle(counter).read)


def _cpu_gauge(package: int, label: str, quantity: Quantity) -> Gauge:
    device = f"package-{package}"
    return Gauge(f"processor:{device}:{quantity}", label, quantity, Domain.CPU, device)


def _cpu_folder(thread: int) -> Path:
    return sysfs_root() / f"devices/system/cpu/cpu{thread}"


class _Load:
    """How busy some logical processors were since the reading before.

    :param threads: their indices; none for all of the machine, which costs less
    """

    def __init__(self, threads: tuple[int, ...]) -> None:
        self._threads = threads
        self._times = self._look()

    def _look(self) -> tuple[float, float]:
        """Seconds they have idled and existed, all added up."""
        if self._threads:
            every = psutil.cpu_times(percpu=True)
            times = [every[thread] for thread in self._threads if thread < len(every)]
        else:
            times = [psutil.cpu_times()]
        idle_s = sum(t.idle + getattr(t, "iowait", 0.0) for t in times)
        # A guest's time is within the user's already (proc_stat(5)).
        guest_s = sum(getattr(t, "guest", 0.0) + getattr(t, "guest_nice", 0.0) for t in times)
        return idle_s, sum(map(sum, times)) - guest_s

    def read(self) -> tuple[float, str] | None:
        now = self._look()
        idle_s, whole_s = (after - before for before, after in zip(self._times, now, strict=True))
        if whole_s < SHORTEST_S:
            return None
        self._times = now
        return min(max(100 * (1 - idle_s / whole_s), 0.0), 100.0), ""


class _Clock:
    """The mean clock of some logical processors, in MHz."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def read(self) -> tuple[float, str] | None:
        clocks_khz = [khz for file in self._files if (khz := read_int(file))]
        return (fmean(clocks_khz) / 1000, "") if clocks_khz else None


def _clock_files(threads: tuple[int, ...]) -> list[Path]:
    step = -(-len(threads) // CLOCKS_READ)
    files = [_cpu_folder(thread) / "cpufreq/scaling_cur_freq" for thread in threads[::step]]
    return [file for file in files if read_int(file)]


class _Throttle:
    """Whether a package was slowed down since the reading before."""

    def __init__(self, counter: Path) -> None:
        self._counter = counter
        self._count = read_int(counter)

    def read(self) -> tuple[float, str] | None:
        before, self._count = self._count, read_int(self._counter)
        if self._count is None or before is None:
            return None
        return (1.0, TOO_HOT) if self._count > before else (0.0, "")


# --- temperatures ----------------------------------------------------------------------------


def _temperature_files() -> dict[int, Path]:
    """Return the file of each package's temperature, by the number of the package."""
    found: dict[int, Path] = {}
    folders = sorted((sysfs_root() / "class/hwmon").glob("hwmon*"), key=_number_of)
    for folder in folders:
        match read_text(folder / "name"):
            case "coretemp":
                found |= _labelled_packages(folder)
            case "k10temp" | "zenpower":
                # One for each package, in their order.
                if file := _first_labelled(folder, AMD_LABELS):
                    found[len(found)] = file
            case "cpu_thermal":
                if read_int(folder / "temp1_input") is not None:
                    found.setdefault(0, folder / "temp1_input")
    return found


def _number_of(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.name) or 0)


def _labels(folder: Path) -> dict[str, Path]:
    """Inputs of a hwmon device that answer, by their labels."""
    labelled = {}
    for label in sorted(folder.glob("temp*_label")):
        file = folder / label.name.replace("_label", "_input")
        if read_int(file) is not None:
            labelled[read_text(label) or ""] = file
    return labelled


def _labelled_packages(folder: Path) -> dict[int, Path]:
    found = {}
    for text, file in _labels(folder).items():
        if match := re.fullmatch(r"Package id (\d+)", text):
            found[int(match[1])] = file
    return found


def _first_labelled(folder: Path, names: tuple[str, ...]) -> Path | None:
    labels = _labels(folder)
    named = next((labels[name] for name in names if name in labels), None)
    # Before Zen there is one input, and no label.
    alone = folder / "temp1_input"
    return named or (alone if not labels and read_int(alone) is not None else None)


def _scaled(file: Path, factor: float) -> Callable[[], tuple[float, str] | None]:
    def read() -> tuple[float, str] | None:
        value = read_int(file)
        return None if value is None else (value * factor, "")

    return read


# --- memory and the engine -------------------------------------------------------------------


def _machine_memory() -> _Reader:
    gauge = Gauge(
        "processor:machine:memory", "Memory in use", Quantity.MEMORY, Domain.DRAM, "machine",
        float(psutil.virtual_memory().total),
    )  # fmt: skip

    def read() -> tuple[float, str]:
        memory = psutil.virtual_memory()
        return float(memory.total - memory.available), ""

    return _Reader(gauge, read)


def _engine_readers() -> tuple[_Reader, ...]:
    engine = _Engine()
    use, memory = (
        Gauge(f"processor:engine:{quantity}", label, quantity, Domain.SYSTEM, "engine", capacity)
        for quantity, label, capacity in (
            (Quantity.UTILISATION, "Engine CPU use", None),
            (Quantity.MEMORY, "Engine memory", float(psutil.virtual_memory().total)),
        )
    )
    return _Reader(use, engine.read_use), _Reader(memory, engine.read_memory)


class _Engine:
    """The engine's process, while there is one."""

    def __init__(self) -> None:
        self._search = EngineSearch()
        self._process: psutil.Process | None = None
        self._busy: tuple[float, float] | None = None

    def read_use(self) -> tuple[float, str] | None:
        """Percent of the machine's processors it used since the reading before."""
        known, self._process = self._process, self._search.process()
        before = self._busy if self._process is known else None
        now_s, busy_s = time.monotonic(), used_s(self._process)
        if busy_s is None:
            self._busy = None
            return None
        if before and now_s - before[0] < SHORTEST_S:
            return None
        self._busy = now_s, busy_s
        if before is None:
            return None
        share = (busy_s - before[1]) / (now_s - before[0]) / this_processor().threads
        return min(max(100 * share, 0.0), 100.0), ""

    def read_memory(self) -> tuple[float, str] | None:
        """Bytes of memory it holds, a mapped model's file among them as far as it was read."""
        try:
            return (float(self._process.memory_info().rss), "") if self._process else None
        except psutil.Error:
            return None

"""What processor this is: its name, rated power and clock; and whether it is a virtual one."""

import csv
import os
import re
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from io import StringIO

import psutil

from monitor.power.cpu_name import has_device_tree, is_arm, name_and_virtual
from monitor.power.sysfs import read_int, sysfs_root
from resources import resource_text

NOISE = re.compile(
    r"\((?:r|tm|c)\)|\bcpu\b|@.*$|\b\d+th gen\b|\b\d+th generation\b|\b\w+-cores?\b"
    r"|\bprocessor\b|\bwith radeon.*$|\bw/ radeon.*$",
    re.IGNORECASE,
)
"""What vendors put around the model's name in ``/proc/cpuinfo``."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor of this machine.

    :param name: as the system tells it
    :param packages: for each package, by the number the kernel gives it, the indices of its
      logical processors
    :param physical_cores: cores, all packages together
    :param tdp_w: rated power of one package, ``None`` if the table does not know the model
    :param clock_ghz: the highest clock known, ``None`` if the system tells none
    :param clock_is_live: whether :func:`core_clock_ghz` follows the clock as it changes; systems
      other than Linux, and virtual machines, tell one figure for ever
    :param virtual: whether a hypervisor shows it to us
    :param arm: whether it is of Arm's architecture
    """

    name: str
    packages: dict[int, tuple[int, ...]]
    physical_cores: int
    tdp_w: float | None
    clock_ghz: float | None
    clock_is_live: bool
    virtual: bool
    arm: bool = False

    @property
    def threads(self) -> int:
        """Logical processors, all packages together."""
        return sum(map(len, self.packages.values()))


@cache
def this_processor() -> Processor:
    """Look at this machine's processor; the answer is kept for the life of the process."""
    name, virtual = name_and_virtual()
    threads = os.cpu_count() or 1
    _, clock_ghz = _clocks_ghz()
    return Processor(
        name=name,
        packages=_packages(threads),
        physical_cores=psutil.cpu_count(logical=False) or threads,
        tdp_w=rated_tdp_w(name),
        clock_ghz=clock_ghz,
        clock_is_live=clock_ghz is not None and sys.platform == "linux" and not virtual,
        virtual=virtual,
        arm=is_arm(),
    )


def core_clock_ghz() -> float | None:
    """Return the mean clock of all threads now, ``None`` if the system does not say."""
    return _clocks_ghz()[0]


def _clocks_ghz() -> tuple[float | None, float | None]:
    """The mean clock now, and the highest one known.

    What no processor runs at is not believed: some containers tell 0, some versions of macOS
    tell GHz as MHz.
    """
    try:
        clock = psutil.cpu_freq()
    except (OSError, NotImplementedError, RuntimeError):
        return None, None
    if clock is None or not 100 <= clock.current <= 10_000:
        return None, None
    highest = clock.max if clock.current <= clock.max <= 10_000 else clock.current
    return clock.current / 1000, highest / 1000


def _packages(threads: int) -> dict[int, tuple[int, ...]]:
    """Group the logical processors by ``topology/physical_package_id``; one group if unknown.

    On Arm boards it was the cluster's number before Linux 6.0, and they have one package.
    """
    if is_arm() and has_device_tree():
        return {0: tuple(range(threads))}
    groups: dict[int, list[int]] = {}
    for index in range(threads):
        folder = sysfs_root() / f"devices/system/cpu/cpu{index}/topology"
        package = read_int(folder / "physical_package_id")
        groups.setdefault(max(package or 0, 0), []).append(index)
    return {package: tuple(groups[package]) for package in sorted(groups)}


@cache
def _tdp_table() -> dict[str, float]:
    rows = csv.DictReader(StringIO(resource_text("cpu_tdp.csv")))
    return {_normal(row["name"]): float(row["tdp_w"]) for row in rows}


@cache
def _series() -> list[tuple[re.Pattern[str], float]]:
    series = tomllib.loads(resource_text("cpu_series.toml"))["series"]
    return [
        (re.compile(pattern), float(tdp_w))
        for each in series
        for pattern, tdp_w in each["watts"].items()
    ]


def _normal(name: str) -> str:
    return " ".join(
        NOISE.sub(" ", re.sub(r"\((?:r|tm)\)-", "-", name, flags=re.IGNORECASE)).lower().split()
    )


def rated_tdp_w(name: str) -> float | None:
    """Return the rated power in watts of a processor by its name, ``None`` if unknown.

    Looked up among Intel's series since 2021 (``resources/cpu_series.toml``), then in codecarbon's
    list of CPU models (``resources/cpu_tdp.csv``).
    """
    normal = _normal(name)
    matched = (tdp_w for pattern, tdp_w in _series() if pattern.fullmatch(normal))
    return next(matched, _tdp_table().get(normal))

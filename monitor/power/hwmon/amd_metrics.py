"""What holds an AMD GPU back, from the table ``gpu_metrics`` its driver fills.

The layouts are Linux's (``struct gpu_metrics_v*`` in kgd_pp_interface.h of drivers/gpu/drm/amd),
with each field at its natural alignment. The bits of older tables (before 1.3 and 2.2), and those
of data centre cards since 1.4, mean something else on each chip: such a card tells nothing here.

Not yet met on hardware: tested on tables built here.
"""

from dataclasses import dataclass, field
from pathlib import Path

from monitor.power.gauge import Gauge, GaugeReading

Revision = tuple[int, int]
"""Of the format, and of its content."""

STATUS_AT: dict[Revision, int] = {(1, 3): 112, (2, 2): 120, (2, 3): 120, (2, 4): 120}
"""Where a table has ``indep_throttle_status``, 64 bits that mean the same on every chip."""

HOTSPOT_BIT, HOTSPOT_C = 36, 90
"""Firmware of RDNA 3 and 4 sets the bit of the hottest place's temperature at rest as well
(ROCm/rocm-systems#11781, flightlessmango/MangoHud#1690): below so many degrees it means nothing.
These cards hold themselves back at 110 (its ``temp2_crit``)."""

HOTSPOT_AT: dict[Revision, int] = {(1, 3): 6}
"""Where a table of a card has ``temperature_hotspot``, 16 bits, in degrees."""

UNTOLD = b"\xff"
"""The driver fills a table with ones before it writes what the chip tells."""

BITS = {
    range(0, 16): "power cap",
    range(16, 32): "current limit",
    range(32, 46): "temperature",
    range(46, 48): "temperature (emergency slowdown)",
    range(48, 64): "another limit",
}
"""What the bits stand for, sixteen a kind (SMU_THROTTLER_* in amdgpu_smu.h: limits of power and of
current, temperatures, of which the last two are PROCHOT, and others)."""

RESIDENCY_AT: dict[Revision, dict[int, str]] = {
    (3, 0): {
        228: "temperature (emergency slowdown)",
        232: "power cap",
        236: "power cap",
        240: "power cap",
        244: "temperature",
        248: "temperature",
        252: "temperature",
    }
}
"""Where a table has counters of 32 bits that advance while something holds the chip back: PROCHOT,
limits of power (SPL, FPPT, SPPT), and the temperatures of cores, graphics and the rest."""


def read_table(device: Path) -> bytes:
    """Return a card's table as it is now; empty if there is none.

    :param device: folder of the PCI device
    """
    try:
        return (device / "gpu_metrics").read_bytes()
    except OSError:
        return b""


def revision_of(table: bytes) -> Revision | None:
    """Return a table's revisions, the two bytes after its size."""
    return (table[2], table[3]) if len(table) >= 4 else None


def tells_throttling(table: bytes) -> bool:
    """Whether a table has what a :class:`ThrottleReader` reads."""
    revision = revision_of(table)
    return revision in STATUS_AT or revision in RESIDENCY_AT


@dataclass(slots=True)
class ThrottleReader:
    """Reads what holds one card back.

    :param gauge: a throttle
    :param device: folder of the PCI device
    """

    gauge: Gauge
    device: Path
    _residencies: dict[int, int] = field(default_factory=dict)

    def read(self, time_s: float) -> GaugeReading | None:
        """Return whether the card is held back, and by what; ``None`` if it does not tell.

        :param time_s: ``time.monotonic()`` now
        """
        words = self._words(read_table(self.device))
        if words is None:
            return None
        return GaugeReading(self.gauge.key, time_s, float(bool(words)), ", ".join(words))

    def _words(self, table: bytes) -> list[str] | None:
        revision = revision_of(table)
        if revision in STATUS_AT:
            status = _number(table, STATUS_AT[revision], 8)
            return None if status is None else _by_bits(status & ~_meaningless(table, revision))
        if revision in RESIDENCY_AT:
            return self._by_residency(table, RESIDENCY_AT[revision])
        return None

    def _by_residency(self, table: bytes, places: dict[int, str]) -> list[str] | None:
        """Return what has advanced since the last time; of the first time nothing is known."""
        now = {at: count for at in places if (count := _number(table, at, 4)) is not None}
        before, self._residencies = self._residencies, now
        if not now or before.keys() != now.keys():
            return None
        return list(dict.fromkeys(places[at] for at in now if now[at] != before[at]))


def _number(table: bytes, at: int, size: int) -> int | None:
    """Return what is told there, ``None`` if nothing is: the table ends before, or is all ones."""
    part = table[at : at + size]
    if len(part) < size or part == UNTOLD * size:
        return None
    return int.from_bytes(part, "little")


def _meaningless(table: bytes, revision: Revision) -> int:
    """Return the bits that a table's status has set for no reason."""
    hotspot_c = _number(table, HOTSPOT_AT[revision], 2) if revision in HOTSPOT_AT else None
    return 0 if hotspot_c is None or hotspot_c >= HOTSPOT_C else 1 << HOTSPOT_BIT


def _by_bits(status: int) -> list[str]:
    return [words for bits, words in BITS.items() if any(status >> bit & 1 for bit in bits)]

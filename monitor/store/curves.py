"""Power curves as small blobs.

A blob is LZMA over a JSON header line followed by columns. Each column is a run of 64-bit
differences, stored as eight planes of bytes (all lowest bytes, then the next, ...), which
compresses far better than whole numbers. After them follows, a bit each, which readings of a
counter were sketched by its watts, of the channels that the header names. Times are in tenths of
a millisecond from the header's start, watts in hundredths, energies in millijoules. Of an energy
only what its watts do not foretell is kept: for a counter whose watts are its slope, next to
nothing.
"""

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.energy.account import Phase
from monitor.power.curve import Curve, Gap

VERSION = 1
TIME_SCALE, ENERGY_SCALE, POWER_SCALE = 1e4, 1e3, 1e2
FILTER = {"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0}
"""No context from neighbouring bytes: they are noise, and learning it costs a twentieth."""

SMALLEST_DICTIONARY = 4096
"""Of LZMA. One as large as the data is as good as the preset's 64 MB, and made a hundred times
faster."""

NO_POWER = -1
"""Stands for NaN watts."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """The power curve of a query.

    :param curves: by channel key
    :param phases: when load, prefill and decode happened, on the curves' clock
    :param step_s: seconds from point to point if it was thinned; ``None`` where the points are
        the readings themselves
    """

    curves: Mapping[str, Curve]
    phases: tuple[Phase, ...]
    step_s: float | None = None


def encode_trace(trace: StoredTrace, start_s: float) -> bytes:
    """Pack the curves of a query.

    :param start_s: the time that becomes 0
    """
    columns, counts = [], []
    for curve in trace.curves.values():
        counts.append(len(curve.time_s))
        time = _whole((curve.time_s - start_s) * TIME_SCALE)
        power = _whole(np.nan_to_num(curve.power_w * POWER_SCALE, nan=NO_POWER))
        # A query's energy, not the hours before it: numbers stay small.
        energy = _whole((curve.energy_j - curve.energy_j[:1].sum()) * ENERGY_SCALE)
        columns += [_pack(time), _pack(power), _pack(energy - _foretold(time, power))]
        columns.append(curve.gap.tobytes())
    sketched = {
        key: np.packbits(curve.sketched)
        for key, curve in trace.curves.items()
        if curve.sketched is not None and curve.sketched.any()
    }
    columns += [bits.tobytes() for bits in sketched.values()]
    header = {
        "version": VERSION,
        "keys": list(trace.curves),
        "counts": counts,
        "phases": [[p.name, p.start_s - start_s, p.end_s - start_s] for p in trace.phases],
        "step_s": trace.step_s,
        "sketched": list(sketched),
    }
    data = json.dumps(header).encode() + b"\n" + b"".join(columns)
    dictionary = max(len(data), SMALLEST_DICTIONARY)
    return lzma.compress(data, filters=[FILTER | {"dict_size": dictionary}])


def decode_trace(blob: bytes) -> StoredTrace:
    """Unpack :func:`encode_trace`; times are seconds since the query's start.

    :raises ValueError: for a version this program does not know
    """
    header, _, body = lzma.decompress(blob).partition(b"\n")
    described = json.loads(header)
    if described["version"] != VERSION:
        raise ValueError(f"Curve version {described['version']} is of a later LlamaWatt.")
    curves, at = {}, 0
    for key, count in zip(described["keys"], described["counts"], strict=True):
        time, power, rest = (
            _unpack(body[at + i * 8 * count : at + (i + 1) * 8 * count]) for i in range(3)
        )
        gap = np.frombuffer(body[at + 24 * count : at + 25 * count], np.uint8)
        at += 25 * count
        curves[key] = Curve(
            time / TIME_SCALE,
            (rest + _foretold(time, power)) / ENERGY_SCALE,
            np.where(power == NO_POWER, np.nan, power / POWER_SCALE),
            gap,
        )
    for key in described.get("sketched", ()):
        count = len(curves[key].time_s)
        bits = np.frombuffer(body[at : at + -(-count // 8)], np.uint8)
        at += len(bits)
        curves[key] = replace(curves[key], sketched=np.unpackbits(bits, count=count).astype(bool))
    phases = tuple(Phase(*phase) for phase in described["phases"])
    return StoredTrace(curves, phases, described.get("step_s"))


def thin_trace(trace: StoredTrace, step_s: float) -> StoredTrace:
    """Keep one reading each so many seconds, with the mean watts since the one before.

    Cumulative joules are those that were read; of a counter that was not asked each time, those
    that it counted, where it was asked in a step. The readings around gaps and around the ends of
    phases stay as they are, so that every phase has the joules it had, as nearly as it is known
    when within a refresh they were drawn.
    """
    edges_s = np.array([edge for p in trace.phases for edge in (p.start_s, p.end_s)])
    curves = {key: _thin(curve, step_s, edges_s) for key, curve in trace.curves.items()}
    return StoredTrace(curves, trace.phases, max(step_s, trace.step_s or 0.0))


def _thin(curve: Curve, step_s: float, edges_s: npt.NDArray[np.float64]) -> Curve:
    if len(curve.time_s) < 2:
        return curve
    last = len(curve.time_s) - 1
    after = np.concatenate(
        [np.searchsorted(curve.time_s, edges_s), np.flatnonzero(curve.gap != Gap.NONE)]
    )
    as_read = np.zeros(last + 1, bool)
    around = [after + beside for beside in (-2, -1, 0, 1)]
    as_read[np.clip(np.concatenate([*around, [0, last]]), 0, last).astype(int)] = True
    steps, counts = np.floor(curve.time_s / step_s), np.flatnonzero(~curve.is_sketch)
    last_counts = counts[_ends(steps[counts])]
    is_kept = as_read | (_ends(steps) & ~np.isin(steps, steps[last_counts]))
    is_kept[last_counts] = True
    kept = np.flatnonzero(is_kept)
    power_w = curve.power_w[kept]
    means_w = np.diff(curve.energy_j[kept]) / np.diff(curve.time_s[kept])
    is_mean = ~as_read[kept[1:]] & (np.diff(kept) > 1)
    power_w[1:][is_mean] = means_w[is_mean]
    return replace(curve.rows(kept), power_w=power_w)


def _ends(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which are the last of their step; of some that do not fall."""
    is_last = np.ones(len(steps), bool)
    is_last[:-1] = steps[1:] != steps[:-1]
    return is_last


Whole = npt.NDArray[np.int64]


def _whole(values: npt.NDArray[np.float64]) -> Whole:
    return np.rint(values).astype(np.int64)


def _foretold(time: Whole, power: Whole) -> Whole:
    """Energy in stored units if each reading's watts had held since the reading before."""
    steps = np.diff(time, prepend=time[:1]) * np.maximum(power, 0)
    return np.cumsum(steps) // round(TIME_SCALE * POWER_SCALE / ENERGY_SCALE)


def _pack(values: Whole) -> bytes:
    steps = np.diff(values, prepend=0)
    # Zigzag: small steps of either sign become small positive numbers, whose high bytes are 0.
    zigzag = (steps << 1) ^ (steps >> 63)
    return zigzag.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes()


def _unpack(data: bytes) -> Whole:
    planes = np.frombuffer(data, np.uint8).reshape(8, -1)
    zigzag = np.ascontiguousarray(planes.T).view("<i8").reshape(-1).astype(np.int64)
    return np.cumsum((zigzag >> 1) ^ -(zigzag & 1))

"""Power curves as small blobs.

A blob is zlib over a JSON header line followed by columns. Each column is a run of 32-bit
differences, stored as four planes of bytes (all lowest bytes, then the next, ...), which
compresses far better than whole numbers. Times are in tenths of a millisecond from the header's
start, energies in millijoules, watts in milliwatts.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.energy.account import Phase
from monitor.power.trace import Curve

VERSION = 1
TIME_SCALE, ENERGY_SCALE, POWER_SCALE = 1e4, 1e3, 1e3
NO_POWER = -1
"""Stands for NaN watts."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """The power curve of a query.

    :param curves: by channel key
    :param phases: when load, prefill and decode happened, on the curves' clock
    """

    curves: Mapping[str, Curve]
    phases: tuple[Phase, ...]


def encode_trace(trace: StoredTrace, start_s: float) -> bytes:
    """Pack the curves of a query.

    :param start_s: the time that becomes 0
    """
    columns, counts = [], []
    for curve in trace.curves.values():
        counts.append(len(curve.time_s))
        power_w = np.nan_to_num(curve.power_w, nan=NO_POWER / POWER_SCALE)
        # A query's energy, not the hours before it: differences stay small.
        energy_j = curve.energy_j - (curve.energy_j[0] if len(curve.energy_j) else 0)
        columns += [
            _pack((curve.time_s - start_s) * TIME_SCALE),
            _pack(energy_j * ENERGY_SCALE),
            _pack(power_w * POWER_SCALE),
            curve.gap.tobytes(),
        ]
    header = {
        "version": VERSION,
        "keys": list(trace.curves),
        "counts": counts,
        "phases": [[p.name, p.start_s - start_s, p.end_s - start_s] for p in trace.phases],
    }
    return zlib.compress(json.dumps(header).encode() + b"\n" + b"".join(columns), 9)


def decode_trace(blob: bytes) -> StoredTrace:
    """Unpack :func:`encode_trace`; times are seconds since the query's start.

    :raises ValueError: for a version this program does not know
    """
    header, _, body = zlib.decompress(blob).partition(b"\n")
    described = json.loads(header)
    if described["version"] != VERSION:
        raise ValueError(f"Curve version {described['version']} is of a later LlamaWatt.")
    curves, at = {}, 0
    for key, count in zip(described["keys"], described["counts"], strict=True):
        time_s, energy_j, power_w = (
            _unpack(body[at + i * 4 * count : at + (i + 1) * 4 * count]) for i in range(3)
        )
        gap = np.frombuffer(body[at + 12 * count : at + 13 * count], np.uint8)
        at += 13 * count
        curves[key] = Curve(
            time_s / TIME_SCALE,
            energy_j / ENERGY_SCALE,
            np.where(power_w == NO_POWER, np.nan, power_w / POWER_SCALE),
            gap,
        )
    return StoredTrace(curves, tuple(Phase(*phase) for phase in described["phases"]))


def _pack(values: npt.NDArray[np.float64]) -> bytes:
    whole = np.rint(values).astype(np.int64)
    steps = np.diff(whole, prepend=0).astype("<i4")
    return steps.view(np.uint8).reshape(-1, 4).T.tobytes()


def _unpack(data: bytes) -> npt.NDArray[np.float64]:
    planes = np.frombuffer(data, np.uint8).reshape(4, -1)
    steps = np.ascontiguousarray(planes.T).view("<i4").reshape(-1)
    return np.cumsum(steps, dtype=np.int64).astype(np.float64)

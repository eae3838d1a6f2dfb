"""How the wall's watts follow from the parts', as it is kept, and the staircase it is from."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from sqlite_utils import Database

from monitor.energy.calibration import Calibration, Factor, Residuals, Samples, told_by
from monitor.power.channel import Accuracy
from monitor.store.database import Store
from monitor.store.identifiers import new_id, utc_now
from monitor.store.machine import this_machine

COLUMNS = ("id", "made_at", "whole_key")
"""What of a calibration has a column of its own; the rest is its fit."""


class Calibrations:
    """The calibrations of one machine.

    :param store: open
    :param machine_id: this machine's unless given
    """

    def __init__(self, store: Store, machine_id: str = "") -> None:
        self._store = store
        self._machine_id = machine_id or str(this_machine()["id"])

    def keep(self, calibration: Calibration, samples: Samples) -> Calibration:
        """Store a calibration and what it was fitted to; return it with its identifier.

        :raises StoreError: if it cannot be stored
        """
        kept = replace(calibration, id=new_id(), made_at=utc_now())
        fit = {name: value for name, value in asdict(kept).items() if name not in COLUMNS}
        row = {
            "id": kept.id,
            "machine_id": self._machine_id,
            "made_at": kept.made_at,
            "whole": kept.whole_key,
            "fit": json.dumps(fit),
            "staircase": _packed(samples),
        }
        self._store.write(lambda db: _insert(db, row)).result()
        return kept

    def latest(self) -> Calibration | None:
        """Return the newest calibration, ``None`` if none was ever made."""
        rows = self._store.read().query(
            "select id, made_at, whole, fit from calibrations where machine_id = ? "
            "order by made_at desc, id desc limit 1",
            [self._machine_id],
        )
        return next((_calibration(row) for row in rows), None)

    def residuals(self, calibration: Calibration) -> Residuals | None:
        """Return what a stored calibration told and missed, ``None`` if that is not kept."""
        rows = self._store.read().execute(
            "select staircase from calibrations where id = ? and staircase is not null",
            [calibration.id],
        )
        return next((_unpacked(blob, calibration) for (blob,) in rows), None)


def _insert(db: Database, row: dict[str, Any]) -> None:
    db.table("calibrations").insert(row)


def _calibration(row: Mapping[str, Any]) -> Calibration:
    fit = json.loads(row["fit"])
    fit["accuracy"] = Accuracy(**fit["accuracy"])
    fit["factors"] = tuple(Factor(**factor) for factor in fit["factors"])
    fit["covariance"] = tuple(map(tuple, fit["covariance"]))
    return Calibration(id=row["id"], made_at=row["made_at"], whole_key=row["whole"], **fit)


def _packed(samples: Samples) -> bytes:
    """Pack a staircase as NumPy's own archive of columns."""
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        keys=np.array([channel.key for channel in samples.channels]),
        whole_w=samples.whole_w,
        channels_w=samples.channels_w,
        steps=np.array(samples.steps),
        passes=samples.passes,
    )
    return packed.getvalue()


def _unpacked(blob: bytes, calibration: Calibration) -> Residuals:
    with np.load(io.BytesIO(blob), allow_pickle=False) as kept:
        told_w = told_by(calibration, kept["keys"].tolist(), kept["channels_w"])
        return Residuals(tuple(kept["steps"].tolist()), told_w, kept["whole_w"])

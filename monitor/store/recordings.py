"""What was recorded without a model, as it is kept: bill, marks, and the curve in pieces."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlite_utils import Database

from monitor.carbon.intensity import Zone
from monitor.energy.account import METHOD, WATCH, Bill, Line
from monitor.energy.baseline import Baseline, Conditions, IdleLine, Stale
from monitor.energy.interval import Interval
from monitor.energy.notes import NO_NOTES, Notes, pack_notes, unpack_notes
from monitor.recorded import Mark, Recorded, Recording, State, recorded_of
from monitor.store.bills import channel_id, channel_of
from monitor.store.curves import decode_trace
from monitor.store.database import Store
from monitor.store.identifiers import new_id
from monitor.store.machine import this_machine
from monitor.store.processes import is_alive, this_process
from monitor.store.references import intensity_id

Idle = tuple[Baseline, tuple[Stale, ...]]
"""A baseline, and why it is stale."""

COLUMNS = (
    "r.id, r.name, r.note, r.started_at, r.ended_at, r.duration_s, r.method, r.pue, r.marks, "
    "r.idle, r.sensor_notes, r.process_id, r.process_started, i.zone, i.g_per_kwh, i.year, i.source"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording has come, to be written.

    :param duration_s: billed seconds
    :param pieces: compressed pieces of the curve by their position, new or longer than before
    :param ended_at: UTC, ISO 8601; ``None`` while it goes on
    :param notes: what is to be said of the sensors
    """

    duration_s: float
    bill: Bill
    marks: tuple[Mark, ...]
    pieces: Mapping[int, bytes] = field(default_factory=dict)
    idle: Idle | None = None
    ended_at: str | None = None
    notes: Notes = NO_NOTES


class Recordings:
    """The recordings in a history.

    :param store: open
    :param machine_id: of the machine that records; this one's unless given
    """

    def __init__(self, store: Store, machine_id: str = "") -> None:
        self._store = store
        self._machine_id = machine_id or str(this_machine()["id"])

    # --- while it is recorded ------------------------------------------------------------

    def begin(self, name: str, started_at: str, zone: Zone, pue: float) -> Recording:
        """Enter a recording that begins now.

        :raises StoreError: if it cannot be stored
        """
        made = new_id()
        row = {
            "id": made,
            "machine_id": self._machine_id,
            "name": name.strip(),
            "started_at": started_at,
            "duration_s": 0.0,
            "method": METHOD,
            "pue": pue,
            **this_process(),
        }

        def insert(db: Database) -> None:
            db.table("recordings").insert({**row, "intensity_id": intensity_id(db, zone)})

        self._store.write(insert).result()
        return Recording(
            made, name.strip(), "", started_at, 0.0, State.RUNNING, Bill(()), zone, pue
        )

    def reckon_with(self, recording_id: str, zone: Zone) -> None:
        """Reckon a recording with another intensity than when it began.

        :raises StoreError: if it cannot be stored
        """

        def write(db: Database) -> None:
            values = {"intensity_id": intensity_id(db, zone)}
            db.table("recordings").update(recording_id, values)

        self._store.write(write).result()

    def write(self, recording_id: str, progress: Progress) -> None:
        """Store how far a recording has come: all of it, or nothing.

        :raises StoreError: if it cannot be stored
        """
        self._store.write(lambda db: self._update(db, recording_id, progress)).result()

    def _update(self, db: Database, recording_id: str, progress: Progress) -> None:
        db.table("recordings").update(
            recording_id,
            {
                "duration_s": progress.duration_s,
                "ended_at": progress.ended_at,
                "method": progress.bill.method,
                "marks": json.dumps([[mark.at_s, mark.name] for mark in progress.marks]),
                "idle": progress.idle and json.dumps(_idle_json(*progress.idle)),
                "sensor_notes": pack_notes(progress.notes),
            },
        )
        db.table("recording_lines").delete_where("recording_id = ?", [recording_id])
        db.table("recording_lines").insert_all(
            {
                "recording_id": recording_id,
                "channel_id": channel_id(db, self._machine_id, line.channel),
                "position": position,
                **_line_row(line),
            }
            for position, line in enumerate(progress.bill.lines)
        )
        for position, curve in progress.pieces.items():
            db.execute(
                "insert or replace into recording_pieces (recording_id, position, curve) "
                "values (?, ?, ?)",
                [recording_id, position, curve],
            )

    # --- what there is -------------------------------------------------------------------

    def listed(self, limit: int = 500, deleted: bool = False) -> list[Recording]:
        """Return recordings with their bills, the newest first."""
        where = f"r.deleted_at is {'not ' if deleted else ''}null"
        return self._read(f"{where} order by r.started_at desc, r.id desc limit ?", [limit])

    def get(self, recording_id: str) -> Recording:
        """Return a recording by its identifier or one end of it, deleted or not.

        :raises KeyError: if there is none, or several; the text says so
        """
        wanted = recording_id.strip()
        found = self._read("r.id = ?", [wanted])
        if not found and wanted:
            found = self._read("substr(r.id, -length(?)) = ? limit 2", [wanted, wanted])
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"Several recordings end in {wanted}. Give more of the ID.")
        raise KeyError(f"There is no recording {wanted}. `llamawatt watch list` shows those kept.")

    def load(self, recording_id: str) -> Recorded:
        """Return a recording with its curves, by its whole identifier.

        :raises KeyError: if there is none
        :raises ValueError: if a later version wrote its curve
        """
        recording = self.get(recording_id)
        blobs = self._store.read().execute(
            "select curve from recording_pieces where recording_id = ? order by position",
            [recording.id],
        )
        pieces = [decode_trace(blob) for (blob,) in blobs]
        # Each piece tells of all there was beside the curves up to its end.
        phases = pieces[-1].phases if pieces else ()
        return recorded_of(recording, [piece.curves for piece in pieces], phases)

    def _read(self, where: str, parameters: Sequence[Any]) -> list[Recording]:
        db = self._store.read()
        rows = list(
            db.query(
                f"select {COLUMNS} from recordings r "
                f"left join intensities i on i.id = r.intensity_id where {where}",
                parameters,
            )
        )
        lines = _lines(db, [row["id"] for row in rows])
        return [_recording(row, lines[row["id"]]) for row in rows]

    # --- what a person changes -----------------------------------------------------------

    def rename(self, recording_id: str, name: str) -> None:
        """Give a recording another name; "" takes it away."""
        self._change(recording_id, "name", name.strip())

    def note(self, recording_id: str, text: str) -> None:
        """Keep a note with a recording in place of the one before; "" removes it."""
        self._change(recording_id, "note", text.strip())

    def set_marks(self, recording_id: str, marks: Iterable[Mark]) -> None:
        """Keep other marks: those of before with other names, say."""
        kept = sorted(marks, key=lambda mark: mark.at_s)
        self._change(recording_id, "marks", json.dumps([[mark.at_s, mark.name] for mark in kept]))

    def delete(self, recording_id: str, deleted_at: str) -> None:
        """Take a recording out of the list; :meth:`restore` brings it back."""
        self._change(recording_id, "deleted_at", deleted_at)

    def restore(self, recording_id: str) -> None:
        """Bring a deleted recording back."""
        self._change(recording_id, "deleted_at", None)

    def purge(self, until: str) -> int:
        """Remove for good what was deleted before a time; return how many recordings it were.

        :param until: UTC, ISO 8601
        :raises StoreError: if it cannot be written
        """

        def remove(db: Database) -> int:
            chosen = "(select id from recordings where deleted_at < ?)"
            for table in ("recording_lines", "recording_pieces"):
                db.execute(f"delete from {table} where recording_id in {chosen}", [until])
            return db.execute("delete from recordings where deleted_at < ?", [until]).rowcount

        return self._store.write(remove).result()

    def _change(self, recording_id: str, column: str, value: str | None) -> None:
        self._store.write(
            lambda db: db.execute(
                f"update recordings set {column} = ? where id = ?", [value, recording_id]
            )
        ).result()


def _line_row(line: Line) -> dict[str, Any]:
    energy = line.energy
    return {
        "joules": energy and energy.joules,
        "below_j": energy and energy.below_j,
        "above_j": energy and energy.above_j,
        "random_j": energy and energy.random_j,
        "mean_w": line.mean_w,
        "peak_w": line.peak_w,
        "samples": line.samples,
        "coverage": line.coverage,
        "duration_s": line.duration_s,
        "resolved": line.resolved,
    }


def _lines(db: Database, ids: Sequence[str]) -> dict[str, list[Line]]:
    """Return the lines of some recordings' bills, in their order."""
    found: dict[str, list[Line]] = {each: [] for each in ids}
    rows = db.query(
        "select c.*, l.* from recording_lines l join channels c on c.id = l.channel_id "
        "where l.recording_id in (select value from json_each(?)) "
        "order by l.recording_id, l.position",
        [json.dumps(list(ids))],
    )
    for row in rows:
        energy = None
        if row["joules"] is not None:
            energy = Interval(row["joules"], row["below_j"], row["above_j"], row["random_j"])
        found[row["recording_id"]].append(
            Line(
                channel=channel_of(row),
                phase=WATCH,
                energy=energy,
                mean_w=row["mean_w"],
                peak_w=row["peak_w"],
                samples=row["samples"],
                coverage=row["coverage"],
                duration_s=row["duration_s"],
                resolved=bool(row["resolved"]),
            )
        )
    return found


def _recording(row: Mapping[str, Any], lines: Sequence[Line]) -> Recording:
    state = State.DONE
    if row["ended_at"] is None:
        runs = is_alive(row["process_id"], row["process_started"])
        state = State.RUNNING if runs else State.INTERRUPTED
    idle = row["idle"] and _idle_of(json.loads(row["idle"]), lines)
    baseline, stale = idle or (None, ())
    return Recording(
        id=row["id"],
        name=row["name"],
        note=row["note"],
        started_at=row["started_at"],
        duration_s=row["duration_s"],
        state=state,
        bill=Bill(tuple(lines), row["method"]),
        zone=Zone(row["zone"], row["zone"], row["year"], row["g_per_kwh"], row["source"]),
        pue=row["pue"],
        marks=tuple(Mark(at_s, name) for at_s, name in json.loads(row["marks"])),
        baseline=baseline,
        stale=stale,
        ended_at=row["ended_at"] or "",
        notes=unpack_notes(row["sensor_notes"]),
    )


def _idle_json(baseline: Baseline, stale: tuple[Stale, ...]) -> dict[str, Any]:
    return {
        "id": baseline.id,
        "measured_at": baseline.measured_at,
        "duration_s": baseline.duration_s,
        "conditions": asdict(baseline.conditions),
        "stale": [str(why) for why in stale],
        "lines": {
            line.channel.key: [line.median_w, line.spread_w, line.samples]
            for line in baseline.lines
        },
    }


def _idle_of(kept: Mapping[str, Any], lines: Sequence[Line]) -> Idle:
    """Make the baseline again, for the channels that were recorded."""
    channels = {line.channel.key: line.channel for line in lines}
    return (
        Baseline(
            id=kept["id"],
            measured_at=kept["measured_at"],
            duration_s=kept["duration_s"],
            conditions=Conditions(**kept["conditions"]),
            lines=tuple(
                IdleLine(channels[key], *figures)
                for key, figures in kept["lines"].items()
                if key in channels
            ),
        ),
        tuple(Stale(why) for why in kept["stale"]),
    )

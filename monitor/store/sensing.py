"""The tables of what sensors tell beside bills: gauges, recordings, and what sensors are like.

Part of the migrations of :mod:`monitor.store.schema`; never edited once released.
"""

import math

from sqlite_utils import Database

REST_S = 0.5
"""So far apart the self-test reads the watts of a resting machine."""


def know_gauges(db: Database) -> None:
    """Mean, least and greatest value of each gauge while a query ran."""
    db.execute(
        "create table gauges (id integer primary key, machine_id text not null "
        "references machines (id), key text not null, label text not null, "
        "quantity text not null, domain text not null, device text not null, capacity real)"
    )
    db.execute("create index gauges_by_key on gauges (machine_id, key)")
    db.execute(
        "create table query_gauges (started_ms integer not null references queries (started_ms), "
        "gauge_id integer not null references gauges (id), mean real not null, low real not null, "
        "high real not null, samples integer not null, notes text not null default '', "
        "primary key (started_ms, gauge_id)) without rowid"
    )


def keep_recordings(db: Database) -> None:
    """The machine watched without a model: marked moments, bill and curve of each recording.

    A curve comes in pieces, so that a long recording is stored while it goes on; the last piece
    is written again until it is full. ``ended_at`` is null until a recording is stopped: one whose
    process has gone by then was interrupted. ``idle`` is the baseline in use, with its lines.
    """
    db.execute(
        "create table recordings (id text primary key, machine_id text not null "
        "references machines (id), name text not null, note text not null default '', "
        "started_at text not null, ended_at text, duration_s real not null, "
        "method integer not null, intensity_id integer references intensities (id), "
        "pue real not null, marks text not null default '[]', idle text, process_id integer, "
        "process_started real, deleted_at text)"
    )
    db.execute("create index recordings_by_time on recordings (started_at)")
    db.execute(
        "create table recording_lines (recording_id text not null references recordings (id), "
        "channel_id integer not null references channels (id), position integer not null, "
        "joules real, below_j real, above_j real, random_j real, mean_w real, peak_w real, "
        "samples integer, coverage real, duration_s real, resolved integer, "
        "primary key (recording_id, channel_id))"
    )
    db.execute(
        "create table recording_pieces (recording_id text not null references recordings (id), "
        "position integer not null, curve blob not null, primary key (recording_id, position))"
    )


def know_sensors(db: Database) -> None:
    """What the self-test found each channel to be like on a machine."""
    db.execute(
        "create table sensor_traits (machine_id text not null references machines (id), "
        "key text not null, verdict text not null, measured_at text not null, "
        "duration_s real not null, samples integer not null, period_s real, step_j real, "
        "idle_w real, spread_w real, "
        "primary key (machine_id, key))"
    )


def keep_notes(db: Database) -> None:
    """Keep with a query and a recording what was doubtful in its bill, and why something was not
    read: JSON, null where there was nothing to say."""
    for table in ("queries", "recordings"):
        db.execute(f"alter table {table} add column sensor_notes text")


def know_noise(db: Database) -> None:
    """Keep how restless a channel's watts are.

    Bills had it in their intervals before it was kept. It is put into their channels from the
    spread that the self-test found, as :func:`monitor.power.selftest.refined` does.
    """
    db.execute("alter table channels add column noise_w real not null default 0")
    tested = db.execute(
        "select c.id, t.spread_w, coalesce(t.period_s, c.period_s, 0) from channels c "
        "join sensor_traits t on t.machine_id = c.machine_id and t.key = c.key "
        "where c.kind = 'power' and t.step_j is null and t.spread_w is not null"
    )
    for channel_id, spread_w, period_s in tested.fetchall():
        noise_w = spread_w * math.sqrt(max(1.0 / max(period_s, REST_S), 1.0))
        db.execute("update channels set noise_w = ? where id = ?", [noise_w, channel_id])

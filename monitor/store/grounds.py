"""The tables of what joules and grams are defended with: baselines, calibrations, repeats.

What is written here belongs to a migration: it is never edited, only superseded by a later one.
"""

from sqlite_utils import Database


def keep_baselines(db: Database) -> None:
    """Remember what the idle machine drew, and which of it a query's share above idle is of."""
    db.execute(
        "create table baselines (id text primary key, machine_id text not null "
        "references machines (id), measured_at text not null, duration_s real not null, "
        "conditions text not null)"
    )
    db.execute("create index baselines_by_machine on baselines (machine_id, measured_at)")
    db.execute(
        "create table baseline_lines (baseline_id text not null references baselines (id), "
        "channel_id integer not null references channels (id), median_w real not null, "
        "spread_w real not null, samples integer not null, "
        "primary key (baseline_id, channel_id))"
    )
    for column in (
        "baseline_id text references baselines (id)",
        "above_idle_j real",
        "above_idle_low_j real",
        "above_idle_high_j real",
        # Why the baseline was stale already; empty if it was not.
        "baseline_stale text",
    ):
        db.execute(f"alter table queries add column {column}")


def keep_calibrations(db: Database) -> None:
    """Remember how the wall's watts follow from the channels' on a machine."""
    db.execute(
        "create table calibrations (id text primary key, machine_id text not null "
        "references machines (id), made_at text not null, whole text not null, "
        "fit text not null, staircase blob)"
    )
    db.execute("create index calibrations_by_machine on calibrations (machine_id, made_at)")


def group_repeats(db: Database) -> None:
    """Let queries that measure the same once more be found together."""
    db.execute("alter table queries add column repeat_id text")
    db.execute("create index queries_repeated on queries (repeat_id) where repeat_id is not null")


def widen_footprints(db: Database) -> None:
    """Keep the hardware's share of a query's emissions, and how training figures came about."""
    db.execute("alter table queries add column embodied_g real")
    for column in ("energy_j real", "method text not null default 'entered'", "details text"):
        db.execute(f"alter table trainings add column {column}")
    db.execute("update trainings set method = 'card' where source like 'model card of %'")

"""The tables, as a list of migrations. What is written here once is never edited, only added to.

Sums alone are made by the last migration that changed them: they hold nothing of their own, and are
made of the other tables in the place of what an earlier version had of them.

Energies are joules, powers watts, durations seconds, times ISO 8601 in UTC. Grams of CO2 are not
stored: they are joules times the intensity stored beside them, so that they can be reckoned
again for another zone or year.
"""

from datetime import datetime

from sqlite_utils import Database, Migrations

from monitor.store.coverage import know_coverage
from monitor.store.grounds import (
    group_repeats,
    keep_baselines,
    keep_calibrations,
    widen_footprints,
)
from monitor.store.kept_sums import create_sums
from monitor.store.overlaps import know_overlaps
from monitor.store.sensing import (
    keep_notes,
    keep_recordings,
    know_gauges,
    know_noise,
    know_sensors,
)
from monitor.store.talks import grow_branches, know_files, know_texts
from monitor.store.text_index import create_text_index

migrations = Migrations("llamawatt")

SCHEMA_VERSION = 13
"""Number of migrations below, kept in the file so that an older program can tell a newer file."""


@migrations()
def machines_and_channels(db: Database) -> None:
    """Where and with which sensors something was measured."""
    db.table("machines").create(
        {
            "id": str,
            "name": str,
            "system": str,
            "processor": str,
            "threads": int,
            "memory_bytes": int,
        },
        pk="id",
    )
    db.table("channels").create(
        {
            "id": int,
            "machine_id": str,
            "key": str,
            "label": str,
            "domain": str,
            "device": str,
            "kind": str,
            "role": str,
            "period_s": float,
            "step_j": float,
            "range_j": float,
            "accuracy_below": float,
            "accuracy_above": float,
            "accuracy_offset_w": float,
            "accuracy_source": str,
        },
        pk="id",
        foreign_keys=[("machine_id", "machines", "id")],
    ).create_index(["machine_id", "key"])


@migrations()
def models_and_settings(db: Database) -> None:
    """What was asked, and how it was set up."""
    db.table("models").create(
        {
            "id": int,
            "sha256": str,
            "name": str,
            "path": str,
            "size_bytes": int,
            "modified_ns": int,
            "architecture": str,
            "parameters": int,
            "quantisation": str,
            "context_length": int,
            "licence": str,
        },
        pk="id",
        not_null={"sha256", "path"},
    ).create_index(["sha256"], unique=True)
    db.table("settings").create(
        {
            "id": str,
            "llama_cpp": str,
            "context": int,
            "threads": int,
            "gpu_layers": int,
            "temperature": float,
            "top_k": int,
            "top_p": float,
            "min_p": float,
            "repeat_penalty": float,
            "max_tokens": int,
            "stop": str,
        },
        pk="id",
    )


@migrations()
def conversations_and_queries(db: Database) -> None:
    """Who said what, and what each answer cost."""
    db.table("conversations").create(
        {"id": str, "title": str, "created_at": str, "updated_at": str}, pk="id"
    )
    db.table("queries").create(
        {
            "id": str,
            "kind": str,
            "status": str,
            "error": str,
            "started_at": str,
            "machine_id": str,
            "model_id": int,
            "settings_id": str,
            "conversation_id": str,
            "seed": int,
            "system_text": str,
            "prompt_text": str,
            "answer_text": str,
            "finish_reason": str,
            "prompt_tokens": int,
            "reused_tokens": int,
            "completion_tokens": int,
            "thinking_tokens": int,
            "load_s": float,
            "prefill_s": float,
            "first_token_s": float,
            "decode_s": float,
            "total_s": float,
            "method": int,
            "energy_j": float,
            "energy_low_j": float,
            "energy_high_j": float,
            "energy_kind": str,
            "resolved": int,
            "zone": str,
            "intensity_g_per_kwh": float,
            "intensity_year": int,
            "intensity_source": str,
            "pue": float,
            "process_id": int,
            "process_started": float,
        },
        pk="id",
        not_null={"kind", "status", "started_at"},
        foreign_keys=[
            ("machine_id", "machines", "id"),
            ("model_id", "models", "id"),
            ("settings_id", "settings", "id"),
            ("conversation_id", "conversations", "id"),
        ],
    ).create_index(["status"])
    db.table("messages").create(
        {
            "id": str,
            "conversation_id": str,
            "role": str,
            "content": str,
            "created_at": str,
            "query_id": str,
        },
        pk="id",
        foreign_keys=[
            ("conversation_id", "conversations", "id"),
            ("query_id", "queries", "id"),
        ],
    ).create_index(["conversation_id", "id"])


@migrations()
def bills_and_traces(db: Database) -> None:
    """The joules of each query by channel and phase, and its power curve."""
    db.table("bills").create(
        {
            "query_id": str,
            "channel_id": int,
            "phase": str,
            "joules": float,
            "below_j": float,
            "above_j": float,
            "random_j": float,
            "mean_w": float,
            "peak_w": float,
            "samples": int,
            "coverage": float,
            "duration_s": float,
            "resolved": int,
        },
        pk=("query_id", "channel_id", "phase"),
        foreign_keys=[("query_id", "queries", "id"), ("channel_id", "channels", "id")],
    )
    db.table("traces").create(
        {"query_id": str, "data": bytes},
        pk="query_id",
        foreign_keys=[("query_id", "queries", "id")],
    )


@migrations()
def preferences(db: Database) -> None:
    """What command and window share; values are JSON."""
    db.table("preferences").create({"key": str, "value": str}, pk="key")


@migrations()
def benchmarks(db: Database) -> None:
    """Suites, their runs (each a query of its own, with its bill), and every item's outcome."""
    db.table("bench_suites").create(
        {
            "id": str,
            "name": str,
            "title": str,
            "status": str,
            "error": str,
            "started_at": str,
            "finished_at": str,
            "machine_id": str,
            "plan": str,
            "versions": str,
            "verdict": str,
            "idle_before_w": float,
            "idle_after_w": float,
            "idle_kind": str,
            "process_id": int,
            "process_started": float,
        },
        pk="id",
        not_null={"name", "status", "started_at", "plan"},
        foreign_keys=[("machine_id", "machines", "id")],
    )
    db.table("bench_runs").create(
        {
            "id": str,
            "suite_id": str,
            "step": int,
            "part": str,
            "repeat": int,
            "kind": str,
            "task": str,
            "protocol": str,
            "shots": int,
            "data_path": str,
            "data_sha256": str,
            "shots_sha256": str,
            "prompts_sha256": str,
            "chance": float,
            "planned": int,
            "done": int,
            "correct_sum": float,
            "correct_squares": float,
            "norm_items": int,
            "norm_sum": float,
            "norm_squares": float,
            "cut": int,
        },
        pk="id",
        foreign_keys=[("id", "queries", "id"), ("suite_id", "bench_suites", "id")],
    ).create_index(["suite_id"])
    db.table("bench_runs").create_index(["task", "data_sha256"])
    db.table("bench_questions").create(
        {"id": str, "prompt": str, "choices": str, "gold": str}, pk="id"
    )
    db.table("bench_items").create(
        {
            "run_id": str,
            "position": int,
            "row": int,
            "subject": str,
            "question_id": str,
            "scores": str,
            "answer": str,
            "pred": str,
            "pred_norm": str,
            "correct": float,
            "correct_norm": float,
            "margin": float,
            "prompt_tokens": float,
            "completion_tokens": int,
            "energy_j": float,
            "seconds": float,
            "is_cut": int,
        },
        pk=("run_id", "position"),
        foreign_keys=[
            ("run_id", "bench_runs", "id"),
            ("question_id", "bench_questions", "id"),
        ],
    )


@migrations()
def a_million_queries(db: Database) -> None:
    """Queries numbered by time, bills half as large, words indexed, tags and notes.

    ``started_ms`` is when a query began in milliseconds since 1970 (the next free one where two
    began at once), so that the order of the rows is the order of time; ``started_at`` is the same
    for people, and takes no room. ``day`` is the date on the clock of the machine it ran on.
    """
    db.execute(
        "create table intensities (id integer primary key, zone text not null, "
        "g_per_kwh real not null, year integer, source text, "
        "unique (zone, g_per_kwh, year, source))"
    )
    db.execute(
        "insert or ignore into intensities (zone, g_per_kwh, year, source) "
        "select distinct zone, intensity_g_per_kwh, intensity_year, intensity_source from queries "
        "where intensity_g_per_kwh is not null"
    )
    _number_queries(db)
    _shrink_bills(db)
    db.execute("alter table bench_runs add column memory_bytes integer")
    db.execute(
        "create table trainings (model text primary key, grams real not null, source text not null)"
    )
    db.execute(
        "create table tags (tag text not null, started_ms integer not null "
        "references queries (started_ms), primary key (tag, started_ms)) without rowid"
    )
    db.execute("create index tags_by_query on tags (started_ms)")
    db.execute("create index messages_by_query on messages (query_id)")
    db.execute("create index queries_deleted on queries (deleted_at) where deleted_at is not null")
    create_text_index(db)


@migrations()
def conversations_that_branch(db: Database) -> None:
    """Messages as a tree, the times of an answer's words, forecasts, and heads of model files."""
    grow_branches(db)
    know_texts(db)
    know_files(db)


@migrations()
def joules_that_can_be_defended(db: Database) -> None:
    """Baselines, calibrations, repeats, embodied emissions and sources of training figures."""
    keep_baselines(db)
    keep_calibrations(db)
    group_repeats(db)
    widen_footprints(db)


@migrations()
def what_sensors_tell_beside(db: Database) -> None:
    """Gauges of a query, recordings without a model, and what each sensor is like here."""
    know_gauges(db)
    keep_recordings(db)
    know_sensors(db)


@migrations()
def what_a_stored_bill_lacked(db: Database) -> None:
    """The noise of a channel's watts."""
    know_noise(db)


@migrations()
def what_a_total_lacks(db: Database) -> None:
    """Queries of whose total a part was not read, or beside which others computed; and what
    sensors said of themselves meanwhile."""
    know_overlaps(db)
    know_coverage(db)
    keep_notes(db)


@migrations()
def sums_of_weeks(db: Database) -> None:
    """Sums by day, week and month, in the place of those that earlier versions made here."""
    create_sums(db)


def _number_queries(db: Database) -> None:
    db.execute(
        "create table numbered (started_ms integer primary key, id text not null unique, "
        "kind text not null, status text not null, error text, started_at text generated always "
        "as (strftime('%Y-%m-%dT%H:%M:%S', started_ms / 1000, 'unixepoch') "
        "|| printf('.%03d+00:00', started_ms % 1000)) virtual, "
        "day text not null, machine_id text references machines (id), "
        "model_id integer references models (id), settings_id text references settings (id), "
        "facet_id integer, conversation_id text references conversations (id), seed integer, "
        "finish_reason text, prompt_tokens integer, reused_tokens integer, "
        "completion_tokens integer, thinking_tokens integer, load_s real, prefill_s real, "
        "first_token_s real, decode_s real, total_s real, method integer, energy_j real, "
        "energy_low_j real, energy_high_j real, prefill_j real, decode_j real, energy_kind text, "
        "resolved integer, intensity_id integer references intensities (id), pue real, "
        "process_id integer, process_started real, deleted_at text, note text, "
        "system_text text, prompt_text text, answer_text text)"
    )
    db.execute("create temporary table numbers (id text primary key, started_ms int, day text)")
    last_ms = 0
    for query_id, started_at in db.execute("select id, started_at from queries order by id"):
        began = datetime.fromisoformat(started_at)
        last_ms = max(round(began.timestamp() * 1000), last_ms + 1)
        day = began.astimezone().date().isoformat()
        db.execute("insert into numbers values (?, ?, ?)", [query_id, last_ms, day])
    kept = (
        "id, kind, status, error, machine_id, model_id, settings_id, conversation_id, "
        "seed, finish_reason, prompt_tokens, reused_tokens, completion_tokens, thinking_tokens, "
        "load_s, prefill_s, first_token_s, decode_s, total_s, method, energy_j, energy_low_j, "
        "energy_high_j, energy_kind, resolved, pue, process_id, process_started, system_text, "
        "prompt_text, answer_text"
    )
    joules = (
        "(select sum(b.joules) from bills b join channels c on c.id = b.channel_id "
        "where b.query_id = q.id and c.role = 'part' and b.phase = '{phase}')"
    )
    db.execute(
        f"insert into numbered (started_ms, day, {kept}, intensity_id, prefill_j, decode_j) "
        f"select n.started_ms, n.day, q.{kept.replace(', ', ', q.')}, i.id, "
        f"{joules.format(phase='prefill')}, {joules.format(phase='decode')} "
        "from queries q join numbers n on n.id = q.id left join intensities i on "
        "(i.zone, i.g_per_kwh, i.year, i.source) = "
        "(q.zone, q.intensity_g_per_kwh, q.intensity_year, q.intensity_source) order by n.id"
    )


def _shrink_bills(db: Database) -> None:
    """Key the bills' lines by number, and put the new tables in the place of the old ones."""
    columns = (
        "joules, below_j, above_j, random_j, mean_w, peak_w, samples, coverage, duration_s, "
        "resolved"
    )
    db.execute(
        "create table lines (started_ms integer not null references queries (started_ms), "
        "channel_id integer not null references channels (id), phase text not null, "
        "position integer not null, joules real, below_j real, above_j real, random_j real, "
        "mean_w real, peak_w real, samples integer, coverage real, duration_s real, "
        "resolved integer, primary key (started_ms, channel_id, phase)) without rowid"
    )
    db.execute(
        f"insert into lines (started_ms, channel_id, phase, position, {columns}) "
        "select n.started_ms, b.channel_id, b.phase, "
        "row_number() over (partition by b.query_id order by b.rowid) - 1, "
        f"b.{columns.replace(', ', ', b.')} from bills b join numbers n on n.id = b.query_id"
    )
    for table in ("numbers", "bills", "queries"):
        db.execute(f"drop table {table}")
    db.execute("alter table numbered rename to queries")
    db.execute("alter table lines rename to bills")

"""The tables, as a list of migrations. What is written here once is never edited, only added to.

Energies are joules, powers watts, durations seconds, times ISO 8601 in UTC. Grams of CO2 are not
stored: they are joules times the intensity stored beside them, so that they can be reckoned
again for another zone or year.
"""

from sqlite_utils import Database, Migrations

migrations = Migrations("llamawatt")

SCHEMA_VERSION = 6
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

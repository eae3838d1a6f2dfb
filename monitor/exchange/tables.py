"""Queries as CSV, for spreadsheets, and as JSON Lines, for programs. ``""`` is "not known"."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from monitor.carbon.footprint import J_PER_KWH
from monitor.details import Walls
from monitor.exchange.reading import FlatRow, flat_rows, records
from monitor.forms import told_json
from monitor.store.history import History

Told = Callable[[int], None]
"""Told how many rows are written, now and then."""

STORED = (
    "id", "started_at", "day", "machine", "machine_id", "kind", "status", "finish_reason", "model",
    "quantisation", "architecture", "parameters", "model_sha256", "llama_cpp", "context",
    "threads", "gpu_layers", "temperature", "top_k", "top_p", "min_p", "repeat_penalty",
    "max_tokens", "seed", "prompt_tokens", "reused_tokens", "completion_tokens",
    "thinking_tokens", "load_s", "prefill_s", "first_token_s", "decode_s", "total_s", "method",
    "energy_j", "energy_low_j", "energy_high_j", "energy_kind", "resolved", "prefill_j", "decode_j",
)  # fmt: skip
"""Columns as they are stored. Energies exclude ``load``."""

DOMAINS = ("cpu", "dram", "gpu", "soc", "system")

RECKONED = (
    "load_j", *(f"{domain}_j" for domain in DOMAINS), "co2e_g", "co2e_low_g", "co2e_high_g",
    "intensity_g_per_kwh", "zone", "intensity_year", "intensity_source", "pue",
    "joules_per_token", "tokens_per_s", "partly_read", "others_share",
    "another_llamawatt_share",
)  # fmt: skip
"""Of a query that is ``partly_read`` a part was not: its energies and emissions were more.

``others_share`` is the share of the processor that other programs used meanwhile,
``another_llamawatt_share`` the share of the time in which another LlamaWatt computed; the joules of
that time are in the bills of both.
"""

TEXTS = ("tags", "note", "error", "system", "prompt", "answer")

COLUMNS = (*STORED, *RECKONED, *TEXTS)

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so may be run as a formula by a spreadsheet (OWASP, CSV injection)."""

TELL_EVERY = 1000


def write_csv(history: History, numbers: Sequence[int], file: TextIO, told: Told) -> int:
    """Write queries as CSV, RFC 4180 with a header; return how many.

    A text that a spreadsheet might run as a formula gets an apostrophe before it, which
    spreadsheets do not show.

    :param numbers: of the queries, in the order of the rows
    """
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    written = 0
    for row in flat_rows(history, numbers):
        writer.writerow({name: safe(value) for name, value in csv_row(row).items()})
        written += 1
        if written % TELL_EVERY == 0:
            told(written)
    return written


def csv_row(row: FlatRow) -> dict[str, Any]:
    """Return a query's row by :data:`COLUMNS`, texts as they are."""
    q = row.columns
    tokens, decode_j, decode_s = q["completion_tokens"], q["decode_j"], q["decode_s"]
    return {
        **{name: q[name] for name in STORED},
        "load_j": row.joules("load"),
        **{f"{domain}_j": row.joules(domain) for domain in DOMAINS},
        "co2e_g": _grams(q, "energy_j"),
        "co2e_low_g": _grams(q, "energy_low_j"),
        "co2e_high_g": _grams(q, "energy_high_j"),
        "intensity_g_per_kwh": q["g_per_kwh"],
        "zone": q["zone"],
        "intensity_year": q["year"],
        "intensity_source": q["source"],
        "pue": q["pue"],
        "joules_per_token": decode_j / tokens if tokens and decode_j is not None else None,
        "tokens_per_s": tokens / decode_s if tokens and decode_s else None,
        "partly_read": None if q["energy_j"] is None else int(bool(q["partly_read"])),
        "others_share": q["others"],
        "another_llamawatt_share": q["shared"],
        **{name: q[name] for name in ("tags", "note", "error")},
        "system": q["system_text"],
        "prompt": q["prompt_text"],
        "answer": q["answer_text"],
    }


def _grams(q: Mapping[str, Any], energy: str) -> float | None:
    if q[energy] is None or q["g_per_kwh"] is None:
        return None
    return float(q[energy] * q["g_per_kwh"] * q["pue"] / J_PER_KWH)


def safe(value: Any) -> Any:
    """Return a cell a spreadsheet takes for a text: no name of a model is a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def write_jsonl(history: History, numbers: Sequence[int], file: TextIO, told: Told) -> int:
    """Write queries as JSON Lines, each in the form ``history list --json`` has; return how many.

    :param numbers: of the queries, in the order of the lines
    """
    written, walls = 0, Walls(history)
    for record in records(history, numbers):
        wall = walls.of([record]).get(record.id)
        file.write(json.dumps(told_json(record, wall), ensure_ascii=False) + "\n")
        written += 1
        if written % TELL_EVERY == 0:
            told(written)
    return written

"""Makes a history of a million queries: ten bill lines each, three years, twelve models.

Run by itself it writes a file to look at: ``python -m tests.speed.million history.db 1000000``.
"""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.power.channel import Domain, Role
from monitor.store.database import Store
from monitor.store.kept_sums import create_triggers, drop_triggers, sum_up
from monitor.store.text_index import create_text_triggers, drop_text_triggers, index_texts
from tests.unit.builders import CPU, GPU, channel

LAST_MS = 1_790_000_000_000
"""Some day of September 2026."""

YEARS_MS = 3 * 365 * 86_400_000

FAMILIES = ("Anton", "Berta", "Cäsar", "Dora")
QUANTISATIONS = ("Q4_K_M", "Q8_0", "F16")
KINDS = ("ask", "chat", "chat", "chat", "bench")
STATUSES = ("done",) * 17 + ("stopped", "failed", "interrupted")

WORDS = [f"{a}{b}{c}" for a in ("wa", "jou", "ki", "am") for b in "lmnrst" for c in "aeiou"]
WORDS += [f"{word}{n}" for word in WORDS for n in range(40)]
"""A few frequent words first, then five thousand rare ones."""


def write_history(path: Path, queries: int, seed: int = 1) -> None:
    """Make a history with so many queries."""
    with closing(Store(path)) as store:
        store.write(lambda db: _fill(db, queries, random.Random(seed))).result()


def _fill(db: Database, queries: int, dice: random.Random) -> None:
    _describe(db)
    drop_triggers(db)
    drop_text_triggers(db)
    numbers = sorted(dice.sample(range(LAST_MS - YEARS_MS, LAST_MS), queries))
    # A row that grew after its neighbours were written would leave its page half empty, which
    # no query of a person does: its lines come first.
    db.execute("pragma defer_foreign_keys = on")
    placeholders = ", ".join("?" * 14)
    db.conn.executemany(f"insert into bills values ({placeholders})", _lines(numbers, dice))
    placeholders = ", ".join("?" * len(QUERY_COLUMNS))
    db.conn.executemany(
        f"insert into queries ({', '.join((*QUERY_COLUMNS, *SUMMED))}, facet_id) "
        f"select {placeholders}, {', '.join(SUMMED.values())}, {MOST_FACETS} from bills b "
        "join channels c on c.id = b.channel_id where b.started_ms = ?",
        ((*row, row[0]) for row in _queries(numbers, dice)),
    )
    add_benchmarks(db, dice)
    sum_up(db)
    index_texts(db)
    create_triggers(db)
    create_text_triggers(db)


def add_benchmarks(db: Database, dice: random.Random, suites: int = 20, items: int = 40) -> None:
    """Make runs of the newest finished benchmarks: so many suites of all twelve models."""
    models = db.execute("select id, sha256 from models order by id").fetchall()
    plan = {
        "models": [{"sha256": sha256, "context": None} for _, sha256 in models],
        "suite": {"parts": [{"kind": "quality"}]},
    }
    newest = (
        "select id from queries where kind = 'bench' and status = 'done' and model_id = ? "
        "and machine_id = 'desk' and settings_id = 'context000002048' "
        "order by started_ms desc limit ?"
    )
    runs = [db.execute(newest, [model_id, suites]).fetchall() for model_id, _ in models]
    db.table("bench_questions").insert({"id": "q", "prompt": "?", "choices": "[]", "gold": "[0]"})
    for suite in range(suites):
        row = {"id": f"suite{suite}", "name": "quick", "title": "Quick", "status": "done"}
        row |= {"started_at": "2026-01-01", "plan": json.dumps(plan), "versions": "{}"}
        db.table("bench_suites").insert(row)
        for found in runs:
            if suite < len(found):
                _add_run(db, dice, row["id"], found[suite][0], items)


def _add_run(db: Database, dice: random.Random, suite: str, run: str, items: int) -> None:
    scores = [float(dice.random() < 0.6) for _ in range(items)]
    start = {"suite_id": suite, "step": 0, "part": "mmlu", "repeat": 0, "kind": "quality"}
    start |= {"task": "mmlu", "protocol": "lmh", "shots": 5, "data_sha256": "d", "chance": 0.25}
    start |= {"shots_sha256": "s", "prompts_sha256": "p", "data_path": "", "planned": items}
    sums = {"done": items, "correct_sum": sum(scores), "correct_squares": sum(scores)}
    sums |= {"norm_items": 0, "norm_sum": 0.0, "norm_squares": 0.0, "cut": 0}
    db.table("bench_runs").insert({"id": run, **start, **sums})
    item = {"run_id": run, "question_id": "q", "scores": "[]", "answer": "", "pred": "0"}
    item |= {"pred_norm": "null", "prompt_tokens": 90.0, "completion_tokens": 0, "seconds": 0.1}
    db.table("bench_items").insert_all(
        item | {"position": at, "row": at + 1, "subject": "", "correct": score, "energy_j": 2.0}
        for at, score in enumerate(scores)
    )


def _describe(db: Database) -> None:
    for machine in ("desk", "laptop"):
        db.table("machines").insert({"id": machine, "name": machine.title(), "threads": 8})
    for index, each in enumerate(
        (
            CPU,
            GPU,
            channel("rapl:dram-0", domain=Domain.DRAM, label="DRAM"),
            channel("rapl:core-0", role=Role.INSIDE, label="CPU cores"),
            channel("rapl:psys", domain=Domain.SYSTEM, role=Role.WHOLE, label="Machine"),
        )
    ):
        row = {"id": index + 1, "machine_id": "desk", "key": each.key, "label": each.label}
        row |= {"domain": str(each.domain), "device": each.device, "kind": str(each.kind)}
        db.table("channels").insert(row | {"role": str(each.role), "period_s": 0.1})
    for index, (family, quantisation) in enumerate(
        (family, quantisation) for family in FAMILIES for quantisation in QUANTISATIONS
    ):
        row = {"id": index + 1, "sha256": f"{index:064x}", "name": family, "path": f"/{index}.gguf"}
        db.table("models").insert(row | {"quantisation": quantisation, "parameters": 10**9})
    for context in (2048, 4096):
        row = {"id": f"context{context:09d}", "context": context, "threads": 8, "stop": "[]"}
        db.table("settings").insert(row)
    db.table("intensities").insert(
        {"id": 1, "zone": "WORLD", "g_per_kwh": 471.0, "year": 2025, "source": "made up"}
    )


QUERY_COLUMNS = (
    "started_ms", "id", "kind", "status", "error", "day", "machine_id", "model_id",
    "settings_id", "seed", "finish_reason", "prompt_tokens", "reused_tokens", "completion_tokens",
    "thinking_tokens", "prefill_s", "first_token_s", "decode_s", "total_s", "method",
    "energy_kind", "resolved", "intensity_id", "pue",
    "system_text", "prompt_text", "answer_text",
)  # fmt: skip


MOST_FACETS = 12 * 3 * 4 * 2
"""Models, kinds, statuses and machines; stands where each query's own will."""

PART = "sum(iif(c.role = 'part'{phase}, b.joules * {scale}, 0))"

SUMMED = {
    "energy_j": PART.format(phase="", scale=1),
    "energy_low_j": PART.format(phase="", scale=0.9),
    "energy_high_j": PART.format(phase="", scale=1.1),
    "prefill_j": PART.format(phase=" and b.phase = 'prefill'", scale=1),
    "decode_j": PART.format(phase=" and b.phase = 'decode'", scale=1),
}
"""What a query's row has of its bill, as SQL over the bill's lines."""


def _queries(numbers: list[int], dice: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        began = datetime.fromtimestamp(number / 1000, UTC)
        prefill_s, decode_s = dice.uniform(0.1, 2), dice.uniform(1, 20)
        yield (
            number,
            f"{number >> 16:08x}-{number & 0xFFFF:04x}-7000-8000-{dice.getrandbits(48):012x}",
            dice.choice(KINDS),
            dice.choice(STATUSES),
            "",
            began.date().isoformat(),
            dice.choice(("desk", "laptop")),
            dice.randint(1, len(FAMILIES) * len(QUANTISATIONS)),
            dice.choice(("context000002048", "context000004096")),
            dice.getrandbits(31),
            "stop",
            dice.randint(10, 500),
            0,
            dice.randint(10, 500),
            0,
            prefill_s,
            prefill_s,
            decode_s,
            prefill_s + decode_s,
            1,
            dice.choice(("counter", "power", "modelled")),
            1,
            1,
            1.0,
            "",
            _text(dice, 8),
            _text(dice, 30),
        )


def _text(dice: random.Random, words: int) -> str:
    few, many = dice.choices(WORDS[:120], k=words // 2), dice.choices(WORDS, k=words // 2)
    return " ".join(few + many)


def _lines(numbers: list[int], dice: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        for channel_id in range(1, 6):
            for position, phase in ((0, "prefill"), (1, "decode")):
                joules = dice.uniform(1, 200)
                yield (
                    number, channel_id, phase, 2 * channel_id - 2 + position, joules,
                    joules * 0.05, joules * 0.05, joules * 0.01, joules / 3, joules / 2,
                    dice.randint(10, 200), 1.0, dice.uniform(1, 20), 1,
                )  # fmt: skip


if __name__ == "__main__":
    write_history(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"bytes": Path(sys.argv[1]).stat().st_size}))

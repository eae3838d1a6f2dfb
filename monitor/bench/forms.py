"""The JSON forms of benchmarks. ``null`` is "not known", never zero."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from monitor.bench.prepare import Asked
from monitor.bench.results import Accuracy
from monitor.bench.summary import Rate, RunResult, SuiteResult
from monitor.bench.tables import sci_per_item
from monitor.bench.tasks import TASKS
from monitor.bench.verdict import Flip, printed, taken
from monitor.forms import energy_json, footprint_json, record_json
from monitor.store.bench_records import ItemRecord


def _error(accuracy: Accuracy | None) -> dict[str, float | None]:
    if accuracy is None:
        return dict.fromkeys(("stderr", "wilson_low", "wilson_high"))
    return {
        "stderr": accuracy.stderr,
        "wilson_low": accuracy.low,
        "wilson_high": accuracy.high,
    }


def accuracy_json(accuracy: Accuracy) -> dict[str, float | None]:
    """Return an accuracy with its uncertainty."""
    return {"items": accuracy.items, "accuracy": accuracy.value, **_error(accuracy)}


def quality_json(run: RunResult) -> dict[str, Any]:
    """Return a judged run. Figures that rest on a score are ``accuracy``'s, those ending in
    ``_norm`` are ``accuracy_norm``'s; what a right answer cost by length is told only where
    leaderboards print that score. ``printed`` names the one they print."""
    start, bill, merit = run.row.start, run.record.bill, run.plain_merit
    norm = run.accuracy_norm
    is_normed = run.by_length and norm is not None
    by_length = run.merit if is_normed else None
    return {
        "id": run.record.id,
        "suite_id": start.suite_id,
        "status": str(run.record.status),
        "task": start.task,
        "part": start.part,
        "protocol": start.protocol,
        "shots": start.shots,
        "items": run.row.sums.done,
        "planned": start.planned,
        "accuracy": run.accuracy and run.accuracy.value,
        "accuracy_norm": norm and norm.value,
        **_error(run.accuracy),
        **{f"{name}_norm": value for name, value in _error(norm).items()},
        "printed": "accuracy_norm" if is_normed else "accuracy",
        "chance": start.chance,
        "cut_to_context": run.row.sums.cut,
        "stderr_by_subject": run.stderr_by_subject,
        "subjects": {name: accuracy_json(each) for name, each in run.subjects.items()},
        **_cost_json(run),
        "joules_per_correct": merit.joules_per_correct,
        "joules_per_correct_norm": by_length and by_length.joules_per_correct,
        "grams_per_correct": merit.grams_per_correct,
        "grams_per_correct_norm": by_length and by_length.grams_per_correct,
        "points_above_chance_per_wh": merit.points_per_wh,
        "points_above_chance_per_wh_norm": by_length and by_length.points_per_wh,
        "method": bill.method,
        "data": {"path": start.data_path, "sha256": start.data_sha256},
        "shots_sha256": start.shots_sha256 or None,
    }


def _cost_json(run: RunResult) -> dict[str, Any]:
    merit, record = run.merit, run.record
    return {
        "seconds": record.seconds.total,
        "tokens": {
            "prompt": record.tokens.prompt,
            "reused": record.tokens.reused,
            "completion": record.tokens.completion,
        },
        "joules_per_item": merit.joules_per_item,
        "joules_per_prompt_token": run.prefill_j_per_token,
        "joules_per_output_token": run.decode_j_per_token,
        "wh_per_1000_items": merit.wh_per_1000,
        "grams_per_1000_items": merit.grams_per_1000,
        "sci_g_per_item": sci_per_item(run),
        "energy_delay_js": merit.energy_delay_js,
        "energy": energy_json(record.bill),
        "throttled": record.throttled,
        "co2": footprint_json(record.footprint),
        "model": record_json(record)["model"],
        "settings": record.settings,
    }


def rate_json(rate: Rate | None) -> dict[str, Any] | None:
    """Return one phase of a speed test."""
    if rate is None:
        return None
    return {
        "tokens": rate.tokens,
        "tokens_per_s": rate.tokens_per_s,
        "sd": rate.sd,
        "joules_per_token": rate.per_token and rate.per_token.joules,
        "low": rate.per_token and rate.per_token.low_j,
        "high": rate.per_token and rate.per_token.high_j,
    }


def speed_json(run: RunResult) -> dict[str, Any]:
    """Return a speed test."""
    return {
        "id": run.record.id,
        "suite_id": run.row.start.suite_id,
        "status": str(run.record.status),
        "part": run.row.start.part,
        "pp": rate_json(run.prefill),
        "tg": rate_json(run.decode),
        **_cost_json(run),
    }


def run_json(run: RunResult) -> dict[str, Any]:
    """Return any run, in the form of its kind."""
    kind = run.row.start.kind
    if kind == "speed":
        document = speed_json(run)
    elif kind == "quality":
        document = quality_json(run)
    else:
        document = {
            "id": run.record.id,
            "suite_id": run.row.start.suite_id,
            "status": str(run.record.status),
            "part": run.row.start.part,
            "items": run.row.sums.done,
            "planned": run.row.start.planned,
            **_cost_json(run),
        }
    return {
        "kind": kind,
        "step": run.row.start.step,
        "repeat": run.row.start.repeat,
        "setting": run.setting,
        **document,
        "prompts_sha256": run.row.start.prompts_sha256,
    }


def _outcome(item: ItemRecord, by_length: bool) -> int | str | None:
    """What a replay must come to again: the choice that is judged, or the answer, in short."""
    pred = taken(item, by_length)
    if pred is not None or not item.answer:
        return pred
    return hashlib.sha256(item.answer.encode()).hexdigest()[:16]


def suite_json(result: SuiteResult, items: Mapping[str, Sequence[ItemRecord]]) -> dict[str, Any]:
    """Return a suite with its runs: what ``bench run --replay`` takes.

    :param items: of each run, by its identifier; only what a replay compares is written
    """
    suite = result.suite
    return {
        "id": suite.id,
        "suite": suite.name,
        "title": suite.title,
        "status": str(suite.status),
        "error": suite.error or None,
        "started_at": suite.started_at,
        "finished_at": suite.finished_at,
        "plan": suite.plan,
        "versions": suite.versions,
        "idle": {
            "before_w": suite.idle_before_w,
            "after_w": suite.idle_after_w,
            "kind": suite.idle_kind,
        },
        "verdict": suite.verdict and asdict(suite.verdict),
        "runs": [
            {
                **run_json(run),
                "outcomes": [
                    [item.position, _outcome(item, run.by_length), printed(item, run.by_length)]
                    for item in items[run.record.id]
                ],
            }
            for run in result.runs
        ],
    }


def only_run_json(result: SuiteResult, items: Mapping[str, Sequence[ItemRecord]]) -> dict[str, Any]:
    """Return the only run of a suite with its figures outermost, as ``bench speed`` and ``bench
    quality`` write it, in a document that ``--replay`` takes like a suite's."""
    (run,) = result.runs
    return {**suite_json(result, items), **run_json(run)}


def item_json(task_name: str, item: ItemRecord, context: str) -> dict[str, Any]:
    """Return a line of ``--items``.

    :param context: the whole text before the answer, worked examples included
    """
    task = TASKS[task_name]
    is_hit = not task.mass
    return {
        "task": task_name,
        "index": item.position,
        "row": item.row,
        "subject": item.subject or None,
        "context": context,
        "choices": [
            {
                "text": text,
                "loglikelihood": score.loglikelihood,
                "tokens": score.tokens,
                "greedy": score.greedy,
            }
            for text, score in zip(item.choices, item.scores, strict=False)
        ],
        "answer": item.answer or None,
        "gold": list(item.gold) if task.mass else (item.gold[0] if item.gold else item.choices[0]),
        "pred": item.pred,
        "pred_norm": item.pred_norm,
        "correct": bool(item.correct) if is_hit else item.correct,
        "correct_norm": None if item.correct_norm is None else bool(item.correct_norm),
        "margin": item.margin,
        "energy_j": item.energy_j,
        "seconds": item.seconds,
    }


def item_lines(
    task_name: str, items: Sequence[ItemRecord], asked: Iterator[Asked]
) -> Iterator[dict[str, Any]]:
    """Return the lines of ``--items`` for the items that are done."""
    for item, question in zip(items, asked, strict=False):
        yield item_json(task_name, item, question.prompt)


def stored_item_json(item: ItemRecord) -> dict[str, Any]:
    """Return an item as it is stored: without the worked examples before it."""
    return {
        "index": item.position,
        "row": item.row,
        "subject": item.subject or None,
        "question": item.prompt,
        "choices": [
            {"text": text, "loglikelihood": score.loglikelihood, "tokens": score.tokens}
            for text, score in zip(item.choices, item.scores, strict=False)
        ],
        "answer": item.answer or None,
        "gold": list(item.gold),
        "pred": item.pred,
        "pred_norm": item.pred_norm,
        "correct": item.correct,
        "correct_norm": item.correct_norm,
        "margin": item.margin,
        "energy_j": item.energy_j,
        "seconds": item.seconds,
    }


def flip_json(flip: Flip) -> dict[str, Any]:
    """Return an item on which two runs differ."""
    return {
        "index": flip.item.position,
        "row": flip.item.row,
        "question": flip.item.prompt,
        "gained": flip.gained,
        "pred": flip.taken,
        "margin": [flip.item.margin, flip.other.margin],
        "energy_j": [flip.item.energy_j, flip.other.energy_j],
    }

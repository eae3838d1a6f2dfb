"""The JSON forms of the leaderboard. ``null`` is "not known", never zero."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from monitor.carbon.training import training_json
from monitor.compare.board import Board
from monitor.compare.cascade import Cascade
from monitor.compare.columns import COLUMNS
from monitor.compare.contrast import Contrast, remarks
from monitor.compare.efficiency import efficiencies, formula
from monitor.compare.entries import Entry
from monitor.compare.exams import Exam
from monitor.compare.frontier import Place
from monitor.compare.pick import Pick
from monitor.compare.ranks import Ranked
from monitor.compare.side_by_side import Side
from monitor.energy.comparison import Comparison
from monitor.energy.difference import Difference
from monitor.energy.interval import Interval
from monitor.forms import record_json

NOTHING: Mapping[str, Any] = {"test": None, "entries": [], "good_enough": None, "notes": []}
"""The leaderboard before anything was judged."""


def exam_json(exam: Exam) -> dict[str, Any]:
    """Return what may be compared."""
    return {
        "key": exam.key,
        "title": exam.title,
        "suite": exam.suite or None,
        "papers": [asdict(paper) for paper in exam.papers],
        "entrants": exam.entrants,
        "latest": exam.latest,
    }


def board_json(
    board: Board,
    ranked: Sequence[Ranked],
    places: Sequence[Place | None],
    pick: Pick | None,
) -> dict[str, Any]:
    """Return the leaderboard, its rows in the order of their ranks."""
    return {
        "test": exam_json(board.exam),
        "entries": [
            {
                "rank": row.rank,
                "tied_with": [board.entries[other].id for other in row.tied],
                "frontier": places[row.row] and str(places[row.row]),
                "label": board.labels[row.row],
                **entry_json(board.entries[row.row]),
            }
            for row in ranked
        ],
        "good_enough": pick and pick_json(pick),
        "notes": board.notes,
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return one row with all of its figures."""
    setup, energy = entry.setup, entry.per_item
    figures = {key: column.figure(entry) for key, column in COLUMNS.items()}
    return {
        "id": entry.id,
        "runs": list(entry.run_ids),
        "started_at": entry.started_at,
        "model": {
            "name": setup.model,
            "sha256": setup.sha256,
            "arch": setup.architecture,
            "parameters": setup.parameters,
            "quantisation": setup.quantisation,
            "size_bytes": setup.size_bytes,
        },
        "settings": {
            "context": setup.context,
            "threads": setup.threads,
            "gpu_layers": setup.gpu_layers,
            "llama_cpp": setup.llama_cpp,
        },
        "machine": {"id": setup.machine_id, "name": setup.machine},
        "items": entry.score.items,
        "score": entry.score.value,
        "score_low": entry.score.low,
        "score_high": entry.score.high,
        "stderr": entry.score.stderr,
        "method": energy and energy.method,
        "kind": energy and str(energy.kind),
        "resolved": energy and energy.resolved,
        "is_lower_bound": energy and energy.is_lower_bound,
        "joules_per_item": interval_json(energy.energy if energy else None),
        "joules_per_token": interval_json(entry.per_token),
        "joules_per_token_kind": entry.per_token_kind and str(entry.per_token_kind),
        "joules_per_token_is_lower_bound": entry.per_token and entry.per_token_is_least,
        "wh_per_1000": interval_json(entry.wh_per_1000),
        "joules_per_correct": (figure := figures["correct"]) and asdict(figure),
        "grams_per_1000": interval_json(entry.grams_per_1000),
        "tokens_per_s": entry.tokens_per_s,
        "memory_bytes": entry.memory_bytes,
        "training": training_json(entry.training),
        "left_out": entry.left_out,
        "unplanned": list(entry.unplanned),
    }


def interval_json(interval: Interval | None) -> dict[str, float] | None:
    """Return an energy, or what was made of one, with its 95 % interval."""
    if interval is None:
        return None
    return {"value": interval.joules, "low": interval.low_j, "high": interval.high_j}


def difference_json(difference: Difference | None) -> dict[str, Any] | None:
    """Return how an energy differs from another, with the verdict."""
    if difference is None:
        return None
    percent = difference.relative
    return {
        "joules": difference.joules,
        "low_j": difference.low_j,
        "high_j": difference.high_j,
        "percent": percent and asdict(percent),
        "verdict": str(difference.verdict),
    }


def comparison_json(compared: Comparison | None) -> dict[str, Any] | None:
    """Return what several runs of two things came to; the verdict of two single runs is null.

    ``repeats_needed`` are further runs of each that would settle it, 0 where it is settled;
    ``null`` if repeating would not, or it is not known how runs scatter.
    """
    if compared is None:
        return None
    return {
        **(difference_json(compared.difference) or {}),
        "verdict": compared.verdict and str(compared.verdict),
        "counts": list(compared.counts),
        "left_out": compared.left_out,
        "paired": compared.paired,
        "repeats_needed": compared.repeats_needed,
    }


def contrast_json(contrast: Contrast) -> dict[str, Any]:
    """Return the difference of two queries as measured, and the verdict of their runs.

    ``low_j``, ``high_j`` and ``percent`` hold what the measurement leaves in doubt; ``runs``, how
    runs scatter as well. ``counted`` says whether the first and the query are among those runs.
    """
    return {
        **(difference_json(contrast.measured) or {}),
        "verdict": contrast.verdict and str(contrast.verdict),
        "same": contrast.is_same,
        "counted": list(contrast.counts),
        "runs": comparison_json(contrast.compared),
    }


def pick_json(pick: Pick) -> dict[str, Any]:
    """Return what is good enough."""
    return {
        "points": pick.points,
        "best": pick.best_entry.id,
        "entry": pick.entry.id,
        "energy": difference_json(pick.energy),
        "confidence": pick.confidence,
        "sure": pick.is_sure,
        "sentence": pick.sentence,
    }


def efficiency_json(board: Board, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return the weighted figure of each row, with how it is reckoned."""
    values = efficiencies(board.entries, weights)
    return {
        "weights": dict(weights),
        "formula": formula(weights),
        "of": {entry.id: value for entry, value in zip(board.entries, values, strict=True)},
    }


def cascades_json(board: Board, cascades: Iterable[Cascade]) -> list[dict[str, Any]]:
    """Return simulated cascades. A threshold of ``null`` passes everything on."""
    return [
        {
            "simulated": True,
            "small": board.entries[cascade.small].id,
            "large": board.entries[cascade.large].id,
            "items": cascade.items,
            "kind": str(cascade.kind),
            "points": [
                {
                    **asdict(point),
                    "threshold": point.threshold if math.isfinite(point.threshold) else None,
                }
                for point in cascade.points
            ],
        }
        for cascade in cascades
    ]


def sides_json(sides: Sequence[Side]) -> list[dict[str, Any]]:
    """Return queries side by side, each with its differences to the first."""
    return [
        {
            **record_json(side.record),
            "machine_id": side.machine_id,
            "items": side.items,
            "joules_per": {what: interval_json(energy) for what, energy in side.per.items()},
            "difference": {
                phase: contrast_json(found) for phase, found in side.differences.items()
            },
            "difference_per": {
                what: contrast_json(found) for what, found in side.per_differences.items()
            },
            "note": side.note or None,
            "remarks": remarks(side.leading, side.record.id, side.items is not None)
            if side.leading
            else [],
        }
        for side in sides
    ]

"""Which of a suite's models does better on each part, as far as the items done so far can tell."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from monitor.bench.tasks import find_task
from monitor.bench.verdict import Paired, compare, printed
from monitor.store.bench_records import RunRow
from monitor.store.benchmarks import Benchmarks
from monitor.store.verdicts import PairVerdict

FIRST_BLOCK = 16
"""Items before the models take turns for the first time; each block doubles what is done, so
that a model is loaded a few times only."""


def blocks(planned: int) -> Iterator[int]:
    """Return after how many items the models are compared: 16, 32, 64, …, and all."""
    done = FIRST_BLOCK
    while done < planned:
        yield done
        done *= 2
    yield planned


def scores_of(benchmarks: Benchmarks, run: RunRow) -> dict[int, float]:
    """Return a run's scores by position, in the measure leaderboards print."""
    by_length = find_task(run.start.task).headline_norm
    found = ((item.position, printed(item, by_length)) for item in benchmarks.items(run.id))
    return {position: score for position, score in found if score is not None}


def pair_up(benchmarks: Benchmarks, runs: Mapping[int, RunRow]) -> dict[tuple[int, int], Paired]:
    """Compare every two models on one part.

    :param runs: the part's run of each model, by the model's number
    """
    scores = {model: scores_of(benchmarks, run) for model, run in runs.items()}
    return {
        (first, second): compare(scores[first], scores[second])
        for first, second in itertools.combinations(sorted(scores), 2)
    }


def verdict_of(part: str, pairs: Mapping[tuple[int, int], Paired]) -> list[PairVerdict]:
    """Return what comparing came to."""
    return [
        PairVerdict(
            part=part,
            first=first,
            second=second,
            items=paired.items,
            wins=paired.wins,
            losses=paired.losses,
            evidence=paired.evidence,
            settled=paired.is_settled,
            better=_better(first, second, paired),
        )
        for (first, second), paired in pairs.items()
    ]


def _better(first: int, second: int, paired: Paired) -> int | None:
    if not paired.is_settled:
        return None
    return first if paired.wins > paired.losses else second


def all_settled(verdicts: Sequence[PairVerdict]) -> bool:
    """Whether there are models that were compared, and every two of them are told apart."""
    return bool(verdicts) and all(verdict.settled for verdict in verdicts)

"""From log-likelihoods and written answers to hits and misses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.bench.task import LLAMACPP, Item, Task
from monitor.engine.messages import ChoiceScore


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one item came out.

    :param pred: index of the choice taken, or for a written answer what was found in it
    :param pred_norm: likewise by length, or by the lenient rule; ``None`` where neither exists
    :param correct: 0 or 1; for a task of probability mass, what the right choices got of it;
      ``None`` where nothing is judged
    :param correct_norm: likewise by length, or by the lenient rule
    :param margin: nats by which the right choice leads the best wrong one (negative: it trails),
      by the measure that leaderboards print; ``None`` for a written answer
    """

    pred: int | str | None
    pred_norm: int | str | None
    correct: float | None
    correct_norm: float | None
    margin: float | None


def judge_choices(
    task: Task, item: Item, protocol: str, scores: Sequence[ChoiceScore]
) -> Judgement:
    """Judge an item by its choices' scores. The first of equals is taken, as numpy's argmax does.

    :param scores: one for each choice
    """
    plain = [score.loglikelihood for score in scores]
    if protocol == LLAMACPP:
        # llama.cpp's program divides by the number of tokens.
        per_token = [score.loglikelihood / max(score.tokens, 1) for score in scores]
        pred = _argmax(per_token)
        hit = float(pred in item.gold)
        return Judgement(pred, None, hit, None, _margin(per_token, item.gold))
    pred = _argmax(plain)
    if task.mass:
        return Judgement(pred, None, _mass(plain, item.gold), None, _margin(plain, item.gold))
    hit = float(pred in item.gold)
    if not task.normalised:
        return Judgement(pred, None, hit, None, _margin(plain, item.gold))
    by_length = [
        value / max(len(choice), 1) for value, choice in zip(plain, item.choices, strict=True)
    ]
    pred_norm = _argmax(by_length)
    printed = by_length if task.headline_norm else plain
    return Judgement(
        pred, pred_norm, hit, float(pred_norm in item.gold), _margin(printed, item.gold)
    )


def judge_written(task: Task, item: Item, text: str) -> Judgement:
    """Judge a written answer by the task's own rules."""
    assert task.grade is not None
    graded = task.grade(item, text)
    return Judgement(
        graded.found,
        graded.found_flexible,
        float(graded.correct),
        float(graded.correct_flexible),
        None,
    )


def _argmax(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda index: (values[index], -index))


def _mass(loglikelihoods: Sequence[float], gold: Sequence[int]) -> float:
    """Return what the right choices have of the probability of all; by log-sum-exp, for range."""
    highest = max(loglikelihoods)
    weights = [math.exp(value - highest) for value in loglikelihoods]
    return math.fsum(weights[index] for index in gold) / math.fsum(weights)


def _margin(values: Sequence[float], gold: Sequence[int]) -> float | None:
    wrong = [value for index, value in enumerate(values) if index not in gold]
    return max(values[index] for index in gold) - max(wrong) if wrong else None

"""Worked examples before a question, drawn as lm-evaluation-harness ("LMH") draws them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random

from monitor.bench.task import DatasetError, Item

SEED = 1234
"""LMH's. Each task, and each subject of one that has several, starts from it anew."""


class Shots:
    """Chooses the examples of each item; ask in the order of the file, for each item once.

    What is drawn depends on what was drawn before, as in LMH: skipping an item changes the rest.

    :param pool: the items examples are taken from
    :param count: how many an item gets; 0 for none
    :param first: take the first ones of the item's subject instead of drawing
    :param same_set: the pool is the scored set itself, or the task has a
      :attr:`~monitor.bench.task.Task.spare_shot`: no item is its own example
    """

    def __init__(
        self, pool: Iterable[Item], count: int, first: bool = False, same_set: bool = False
    ) -> None:
        self._count, self._first, self._same_set = count, first, same_set
        self._pools: dict[str, list[Item]] = defaultdict(list)
        for item in pool:
            self._pools[item.subject].append(item)
        self._random: dict[str, Random] = defaultdict(lambda: Random(SEED))

    def check(self, items: Iterable[Item]) -> None:
        """See that every item will get its examples, before the first is scored.

        :raises DatasetError: if there are too few; the message says how many there are
        """
        for subject in {item.subject: None for item in items if self._count > 0}:
            self._pool(subject)

    def for_item(self, item: Item) -> tuple[Item, ...]:
        """Return the examples for the next item.

        :raises DatasetError: if there are too few
        """
        if self._count <= 0:
            return ()
        pool = self._pool(item.subject)
        if self._first:
            drawn = self._others(pool, item) if self._same_set else pool
        elif self._same_set:
            drawn = self._draw_others(pool, item)
        else:
            drawn = self._random[item.subject].sample(pool, self._count)
        if len(drawn) < self._count:
            raise self._too_few(item.subject, len(drawn))
        return tuple(drawn[: self._count])

    def _draw_others(self, pool: Sequence[Item], item: Item) -> list[Item]:
        random = self._random[item.subject]
        drawn = self._others(random.sample(pool, self._count + 1), item)
        if len(drawn) < self._count:
            # The item stands in the pool more than once, and was drawn more than once.
            others = self._others(pool, item)
            drawn = random.sample(others, min(self._count, len(others)))
        return drawn

    @staticmethod
    def _others(items: Iterable[Item], item: Item) -> list[Item]:
        return [other for other in items if _content(other) != _content(item)]

    def _pool(self, subject: str) -> list[Item]:
        pool = self._pools.get(subject, [])
        usable = len(pool) - (1 if self._same_set else 0)
        if usable < self._count:
            raise self._too_few(subject, max(usable, 0))
        return pool

    def _too_few(self, subject: str, usable: int) -> DatasetError:
        of = f" for {subject}" if subject else ""
        return DatasetError(
            f"{self._count} worked examples are asked for, and the file they are taken from has "
            f"{usable} to give{of}. Ask for fewer, or name another file."
        )


def _content(item: Item) -> tuple[object, ...]:
    """Return what two items must share to be the same question, wherever they stand."""
    return item.prompts, item.choices, item.continuations, item.gold, item.answer, item.subject


def context(item: Item, prompt: str, shots: Iterable[Item]) -> str:
    """Return the whole text before an answer: preamble, worked examples, and one of its prompts."""
    return item.preamble + "".join(f"{shot.shown}\n\n" for shot in shots) + prompt

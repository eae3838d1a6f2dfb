"""Prompts that two benchmarks have in common, prompt beside prompt."""

import math
from collections.abc import Sequence

from monitor.energy.comparison import Run
from monitor.energy.interval import Interval
from monitor.energy.parts import run_of
from monitor.store.history import History
from monitor.store.records import QueryRecord


def pairs_of(
    history: History, first: QueryRecord, second: QueryRecord
) -> tuple[Sequence[Run], Sequence[Run]]:
    """Return the energies of the prompts that two runs have both answered, in the same order.

    Only of answers that were written one after the other: choices are scored many at once, and an
    item's joules are then a share of its batch's rather than a measurement of their own.

    :return: nothing for what is no benchmark
    """
    one, other = (_by_prompt(history, record) for record in (first, second))
    common = [prompt for prompt in one if prompt in other]
    return [one[prompt] for prompt in common], [other[prompt] for prompt in common]


def _by_prompt(history: History, record: QueryRecord) -> dict[str, Run]:
    """Return the energy of each prompt of a run, told by the run's sensors in their proportion."""
    energies = run_of(record.bill)
    whole_j = math.fsum(energy.joules for energy in energies.values())
    found: dict[str, Run] = {}
    if not whole_j > 0:
        return found
    for item in history.benchmarks.items(record.id):
        if not item.scores and item.energy_j is not None:
            share = item.energy_j / whole_j
            found.setdefault(
                item.prompt, {key: _part(energy, share) for key, energy in energies.items()}
            )
    return found


def _part(energy: Interval, share: float) -> Interval:
    """Return a share of an energy; random doubts of shares add up in quadrature to the whole's."""
    return Interval(
        energy.joules * share,
        energy.below_j * share,
        energy.above_j * share,
        energy.random_j * math.sqrt(share),
    )

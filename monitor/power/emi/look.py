"""A short look at the counters of meters: which stand still, which show another's count.

How often a meter is renewed is written nowhere, so that they are watched until each has moved.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from time import monotonic, sleep

from monitor.power.emi.meter import J_PER_PWH, Sample

Samples = Sequence[Sequence[Sample]]
"""Those of each meter's channels."""

LOOK_S = 0.06
"""Time between two looks: a thousand steps of a processor at 1 W."""

LONGEST_S = 3.0
"""After this the look ends, whatever has not moved yet."""

MOVES = 2
"""So often a counter has to move before it is compared: two may be seen to move once by chance."""

STILL_MOVES = 5
"""What stands still while another counter of its meter moves so often is not waited for."""

STEP_J = 61e-6
"""The usual step of the RAPL counter behind it, 2^-14 J; the interface names none."""

MOST_W = 2_000.0
"""No processor draws more; see :data:`monitor.power.ring.PLAUSIBLE_W`."""

ROUNDED_PWH = 2
"""Two steps of one counter may differ by so much: each of four energies is a whole number."""

LARGE = 10_000
"""A count so many times what two looks may differ by is large: that another is the same is no
coincidence."""


def look(measure: Callable[[], Samples], counting: Sequence[Sequence[int]]) -> list[Samples]:
    """Measure until it is clear which counters move; takes a tenth of a second if all do.

    :param measure: reads every channel of each meter
    :param counting: for each meter, the numbers of the channels that move unless they are dead
    :raises OSError: if a meter does not answer
    """
    began_s = monotonic()
    looks = [measure()]
    while not all(_is_clear(looks, meter, numbers) for meter, numbers in enumerate(counting)):
        if monotonic() - began_s >= LONGEST_S:
            break
        sleep(LOOK_S)
        looks.append(measure())
    return looks


def _is_clear(looks: Sequence[Samples], meter: int, numbers: Sequence[int]) -> bool:
    moves = [_moves([look[meter][number] for look in looks]) for number in numbers]
    return not moves or min(moves) >= MOVES or max(moves) >= STILL_MOVES


def _moves(samples: Sequence[Sample]) -> int:
    return sum(one.energy_pwh != next_.energy_pwh for one, next_ in pairwise(samples))


def is_dead(samples: Sequence[Sample]) -> bool:
    """Whether a counter has never moved: what it counts would be 0 W."""
    return not _moves(samples)


def renewal_s(samples: Sequence[Sample]) -> float:
    """Return the longest time between two renewals that were seen, by the meter's own clock."""
    times = sorted({sample.time_100ns for sample in samples})
    return max((later - earlier for earlier, later in pairwise(times)), default=0) * 1e-7


def mirrors(looks: Sequence[Sequence[Sample]]) -> dict[int, int]:
    """Find the channels that show a counter which an earlier one shows too.

    Those of two processors differ: each has counted since it was started, and draws power of its
    own. Two are one counter if they stand at the same energy each time, within what was spent
    between the two times, and never fall when put in the order of their times; or if they advance
    by the very same steps. Where they have not both moved, or not in the same time, they are one
    if they stand at the same large energy: what is counted once too seldom is missed, what is
    counted twice is not.

    :param looks: the samples of the same channels, again and again
    :return: the number of the later one of each pair, and of the one it shows
    """
    found: dict[int, int] = {}
    for first, second in combinations(range(len(looks[0])), 2):
        is_new = first not in found and second not in found
        if is_new and _is_same([(look[first], look[second]) for look in looks]):
            found[second] = first
    return found


def _is_same(pairs: Sequence[tuple[Sample, Sample]]) -> bool:
    moved = [pairs[0]]
    for pair in pairs[1:]:
        if all(new.energy_pwh != old.energy_pwh for new, old in zip(pair, moved[-1], strict=True)):
            moved.append(pair)
    steps = [
        [new.energy_pwh - old.energy_pwh for new, old in zip(later, earlier, strict=True)]
        for earlier, later in pairwise(moved)
    ]
    if all(_is_level(*pair) for pair in pairs):
        can_fall = bool(steps) and _overlap(pairs)
        if _is_one_curve(pairs) if can_fall else all(_is_large(*pair) for pair in pairs):
            return True
    return bool(steps) and all(abs(one - other) <= ROUNDED_PWH for one, other in steps)


def _overlap(pairs: Sequence[tuple[Sample, Sample]]) -> bool:
    """Whether each was measured before the other was for the last time."""
    first, last = pairs[0], pairs[-1]
    return max(s.time_100ns for s in first) <= min(s.time_100ns for s in last)


def _is_level(one: Sample, other: Sample) -> bool:
    apart_j = abs(one.energy_pwh - other.energy_pwh) * J_PER_PWH
    return apart_j <= _slack_j(one, other)


def _is_one_curve(pairs: Sequence[tuple[Sample, Sample]]) -> bool:
    """Whether the samples of both, in the order of their times, never fall.

    Those of one counter cannot. Two that are apart by more than either spends from one look to
    the next fall each time the lower one follows the higher.
    """
    samples = sorted(
        (sample for pair in pairs for sample in pair),
        key=lambda sample: (sample.time_100ns, sample.energy_pwh),
    )
    fallen_pwh = max(one.energy_pwh - next_.energy_pwh for one, next_ in pairwise(samples))
    return fallen_pwh * J_PER_PWH <= STEP_J


def _is_large(one: Sample, other: Sample) -> bool:
    least_j = min(one.energy_pwh, other.energy_pwh) * J_PER_PWH
    return least_j >= LARGE * _slack_j(one, other)


def _slack_j(one: Sample, other: Sample) -> float:
    """Return what may have been spent between the times of two samples."""
    return abs(one.time_100ns - other.time_100ns) * 1e-7 * MOST_W + STEP_J

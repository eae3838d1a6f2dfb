"""What a bill comes to at the wall, told from its parts by a calibration."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor import figures
from monitor.energy.account import Bill, Line
from monitor.energy.calibration import LEAST_MOVE, LEAST_MOVE_W, Calibration, Factor
from monitor.energy.interval import Z95, Interval
from monitor.power.channel import Kind, Role

BEND = 0.015
"""Between two levels that were calibrated the losses of a supply bend away from the straight line
by up to this share of what lies between them. They grow with the square of the load: for one that
just earns 80 PLUS Gold (87, 90 and 87 % at 20, 50 and 100 % of its rated load, CLEAResult's table
for 115 V) it is 1.3 % of a span of 40 % of the rated load."""

BEYOND = 0.05
"""A channel may leave the range that was calibrated by this share of it."""

FURTHEST = 1.0
"""A straight line is drawn on beyond what it was fitted to by no more than that is long: a device
that hardly stirred in the calibration says nothing of what its full load takes."""


@dataclass(frozen=True, slots=True)
class WallEquivalent:
    """What a bill comes to at the wall, told from its parts.

    :param energy: in joules, with the plug's own doubt, the fit's, and the parts'
    :param calibration_id: the calibration it is told by
    :param beyond: labels of the channels that left the range that was calibrated: the figure is
      extrapolated there, and its interval does not say how far off it may be
    """

    energy: Interval
    calibration_id: str
    beyond: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WallUnknown:
    """Why a calibration does not tell what a bill comes to at the wall.

    :param calibration_id: the calibration that was tried
    :param unexercised: labels of the parts that were hardly at work while it was made, and drew
      something else here; empty if other parts were read than those that were calibrated
    """

    calibration_id: str
    unexercised: tuple[str, ...]


AtTheWall = WallEquivalent | WallUnknown


def wall_equivalent(bill: Bill, calibration: Calibration) -> AtTheWall | None:
    """Reckon what a plug would have read: ``base x seconds + sum of factor x joules``.

    A part's sensor errs now as it erred then, so that its gain is within the factor already.
    Systematic: what the plug may be off by, what the fit misses step by step, at 95 %, what a
    supply bends in between, and what a part that stood still strayed by. Random: the fit's
    covariance at these joules, and what the ends of the phases add to each part.

    :return: :class:`WallUnknown` if the calibration cannot tell, ``None`` if nothing was read
    """
    parts = [line for line in bill.by_channel() if line.channel.role is Role.PART]
    by_key = {line.channel.key: line for line in parts if line.energy and line.mean_w is not None}
    if not by_key:
        return None
    if set(by_key) != {factor.key for factor in calibration.factors}:
        return WallUnknown(calibration.id, ())
    strayed_w = {each.key: _strayed_w(each, by_key[each.key]) for each in calibration.factors}
    least_w = _least_w(calibration)
    unexercised = tuple(
        factor.label
        for factor in calibration.factors
        if abs(strayed_w[factor.key]) > _furthest_w(factor, least_w)
    )
    if unexercised:
        return WallUnknown(calibration.id, unexercised)
    still_w = [strayed_w[factor.key] for factor in calibration.factors if factor.is_still]
    beyond = tuple(
        factor.label
        for factor in calibration.moving
        if abs(strayed_w[factor.key]) > max(BEYOND * factor.range_w, LEAST_MOVE_W)
    )
    return WallEquivalent(_energy(by_key, calibration, still_w), calibration.id, beyond)


def _strayed_w(factor: Factor, line: Line) -> float:
    """By how many watts a part's mean lies above the range that was calibrated, or below it."""
    mean_w = line.mean_w
    assert mean_w is not None
    return max(mean_w - factor.most_w, 0.0) + min(mean_w - factor.least_w, 0.0)


def _least_w(calibration: Calibration) -> float:
    """What a part must move by to be told from the base, as it was reckoned when this was made."""
    whole_move_w = math.fsum(factor.value * factor.range_w for factor in calibration.moving)
    return max(LEAST_MOVE_W, LEAST_MOVE * whole_move_w)


def _furthest_w(factor: Factor, least_w: float) -> float:
    return least_w if factor.is_still else max(FURTHEST * factor.range_w, least_w)


def _energy(lines: dict[str, Line], calibration: Calibration, still_w: list[float]) -> Interval:
    """Return what the wall saw.

    :param still_w: how far each part without a factor strayed; at least so much is not in the base
    """
    covered_s = min(line.duration_s * line.coverage for line in lines.values())
    duration_s = max(line.duration_s for line in lines.values())
    parts_j = [_joules(lines[factor.key]) for factor in calibration.moving]
    at = np.array([covered_s, *parts_j])
    joules = calibration.base_w * covered_s + math.fsum(
        factor.value * part_j for factor, part_j in zip(calibration.moving, parts_j, strict=True)
    )
    fit_j = math.sqrt(max(float(at @ np.array(calibration.covariance) @ at), 0.0))
    ends_j = (f.value * _random_j(lines[f.key]) for f in calibration.moving)
    accuracy = calibration.accuracy
    missed_j = (Z95 * calibration.residual_w + accuracy.offset_w) * covered_s
    missed_j += BEND * math.fsum(
        factor.value * max(part_j - factor.least_w * covered_s, 0.0)
        for factor, part_j in zip(calibration.moving, parts_j, strict=True)
    )
    unseen_j = (duration_s - covered_s) * _peak_w(lines, calibration)
    less_j = -math.fsum(min(each, 0.0) for each in still_w) * covered_s
    more_j = math.fsum(max(each, 0.0) for each in still_w) * covered_s
    return Interval(
        joules=joules,
        below_j=joules * accuracy.below + missed_j + less_j,
        above_j=joules * accuracy.above + missed_j + more_j + unseen_j,
        random_j=math.hypot(fit_j, *ends_j),
    )


def _joules(line: Line) -> float:
    assert line.energy
    return line.energy.joules


def _random_j(line: Line) -> float:
    assert line.energy
    return line.energy.random_j


def _peak_w(lines: dict[str, Line], calibration: Calibration) -> float:
    """The most the wall can have seen while a part was not read."""
    peaks_w = (factor.value * (lines[factor.key].peak_w or 0.0) for factor in calibration.moving)
    return calibration.base_w + math.fsum(peaks_w)


def wall_words(told: AtTheWall, translate: Callable[[str], str] = str) -> str:
    """Say in a sentence or two what a bill comes to at the wall, or why that is not known.

    :param translate: for the window's language
    """
    if isinstance(told, WallUnknown):
        if not told.unexercised:
            return translate(
                "At the wall: not known, as other sensors were read than in the calibration. If "
                "they stay so, calibrate again."
            )
        return translate(
            "At the wall: not known, as %1 hardly worked in the calibration. Calibrate again "
            "with that at work."
        ).replace("%1", ", ".join(told.unexercised))
    energy = figures.marked(Kind.MODELLED, figures.energy(told.energy.joules))
    words = translate("At the wall, by the machine's calibration: %1").replace(
        "%1", f"{energy} {figures.bounds(told.energy)}"
    )
    if told.beyond:
        beyond = translate("Extrapolated: %1 drew more or less than was calibrated.")
        words += f". {beyond.replace('%1', ', '.join(told.beyond))}"
    return words

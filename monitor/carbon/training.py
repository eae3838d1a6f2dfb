"""What it took to train a model: entered, told by its card, or reckoned from its hardware.

The reckoning is that of the ML CO2 Impact calculator (Lacoste et al. 2019, Quantifying the Carbon
Emissions of Machine Learning, arxiv.org/abs/1910.09700): power x hours x number of accelerators x
carbon intensity, here with the data centre's PUE. The power is the maker's TDP, which hardware
seldom draws all the time, so that the result is an upper figure for the accelerators; processors,
network and what was trained in vain are not in it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from monitor import figures
from monitor.carbon.accelerators import Accelerator
from monitor.carbon.clouds import PROVIDERS, CloudRegion
from monitor.carbon.footprint import J_PER_KWH
from monitor.carbon.intensity import Zone
from monitor.energy.account import weakest
from monitor.power.channel import Kind

UPPER = "time × TDP, an upper figure"
"""What a computed figure is, said wherever one is shown."""

MOST_G_PER_KWH = 3000.0
MOST_WATTS = 100_000.0
MOST_PUE = 5.0

USUAL = (10.0, 90.0)
"""Percentiles between which most answers lie."""

SECONDS_PER_HOUR = 3600.0

LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1.0, ""))


class TrainingError(ValueError):
    """A training that cannot be; the message says what is wrong and what to do."""


class Method(StrEnum):
    """How a figure of training came about."""

    ENTERED = "entered"
    CARD = "card"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Training:
    """What it took to train a model, whatever it is quantised to.

    :param grams: CO2e
    :param source: where the figure is from
    :param energy_j: at the data centre's socket, ``None`` if it is not known
    :param details: what it was reckoned from, or what a card says beside it, by name
    """

    grams: float
    source: str
    energy_j: float | None = None
    method: Method = Method.ENTERED
    details: tuple[tuple[str, str | float], ...] = ()

    @property
    def note(self) -> str:
        """What has to be known of the figure, "" if nothing."""
        return UPPER if self.method is Method.COMPUTED else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model was trained.

    :param name: a zone's code, or what a person calls it
    :param g_per_kwh: carbon intensity of its electricity
    :param year: of that figure, 0 if it is not known
    :param source: whose figure that is, "" for a zone's or a person's own
    :param provider: of the cloud, as a person names it; "" for none
    :param region: of that provider
    """

    name: str
    g_per_kwh: float
    year: int = 0
    source: str = ""
    provider: str = ""
    region: str = ""

    @property
    def words(self) -> str:
        """What of it belongs to a figure's source."""
        cloud = " ".join(filter(None, (self.provider, self.region)))
        where = f"{cloud}, {self.name}" if cloud and cloud != self.name else self.name
        year = f" {self.year}" if self.year else ""
        source = f" ({self.source})" if self.source else ""
        return f"{where}{year} {self.g_per_kwh:g} g/kWh{source}"


def zone_place(zone: Zone, provider: str = "", region: str = "") -> Place:
    """Return a zone as a place of training."""
    return Place(zone.code, zone.g_per_kwh, zone.year, provider=provider, region=region)


def region_place(found: CloudRegion) -> Place:
    """Return a cloud provider's region as a place of training."""
    provider = PROVIDERS[found.provider]
    name = f"{provider} {found.code}"
    return Place(name, found.g_per_kwh, found.year, found.source, provider, found.code)


def entered(grams: float, source: str, energy_j: float | None = None) -> Training:
    """Return a figure as a person knows it.

    :param energy_j: what was drawn for it, ``None`` if that is not told
    :raises TrainingError: for a mass or an energy that is none, for two that do not go together,
        or for a figure from nowhere
    """
    if not (math.isfinite(grams) and grams > 0):
        raise TrainingError("The emissions must be more than 0 g.")
    if energy_j is not None:
        _check_together(grams, energy_j)
    if not (words := " ".join(source.split())):
        raise TrainingError("Say where the figure is from: a paper, a report, your own meter.")
    return Training(grams, words, energy_j)


def _check_together(grams: float, energy_j: float) -> None:
    """Refuse an energy that is none, or that no electricity could emit so much for."""
    if not (math.isfinite(energy_j) and energy_j > 0):
        raise TrainingError("The energy must be more than 0 kWh; leave it out if it is not told.")
    g_per_kwh = grams * J_PER_KWH / energy_j
    if g_per_kwh > MOST_G_PER_KWH:
        raise TrainingError(
            f"{figures.mass(grams)} from {figures.energy(energy_j)} are {g_per_kwh:,.0f} g/kWh, "
            f"and no electricity emits more than {MOST_G_PER_KWH:,.0f}. Check both units."
        )


def computed(
    hardware: Accelerator, count: int, hours: float, place: Place, pue: float = 1.0
) -> Training:
    """Reckon a training from its hardware, as the module says.

    :param count: how many accelerators, at least 1
    :param hours: each of them ran; or accelerator hours in all, with a count of 1
    :param pue: power usage effectiveness of the data centre, 1 to 5
    :raises TrainingError: if one of them cannot be
    """
    _check("The power of one", hardware.tdp_w, MOST_WATTS, "W")
    _check("The number of accelerators", count, 1e7, "")
    _check("The time", hours, 1e10, "h")
    _check("The carbon intensity", place.g_per_kwh, MOST_G_PER_KWH, "g/kWh")
    if not 1 <= pue <= MOST_PUE:
        raise TrainingError(f"A PUE of {pue:g} is impossible: it is 1 to {MOST_PUE:g}.")
    cloud = (("provider", place.provider), ("region", place.region))
    energy_j = hardware.tdp_w * count * hours * SECONDS_PER_HOUR * pue
    return Training(
        grams=energy_j / J_PER_KWH * place.g_per_kwh,
        source=(
            f"{count:,} × {hardware.name} ({hardware.tdp_w:g} W: {hardware.source}), "
            f"{hours:,.10g} h, {place.words}, PUE {pue:g}"
        ),
        energy_j=energy_j,
        method=Method.COMPUTED,
        details=(
            ("hardware", hardware.name),
            ("tdp_w", hardware.tdp_w),
            ("count", count),
            ("hours", hours),
            ("place", place.name),
            ("g_per_kwh", place.g_per_kwh),
            ("pue", pue),
            *((name, text) for name, text in cloud if text),
        ),
    )


def _check(what: str, value: float, most: float, unit: str) -> None:
    if not 0 < value <= most:
        raise TrainingError(
            f"{what} must be more than 0 and at most {most:,.0f} {unit}".strip() + "."
        )


def training_json(training: Training | None) -> dict[str, Any] | None:
    """Return a training for a report, ``None`` if nothing is known of it."""
    if training is None:
        return None
    return {
        "grams": training.grams,
        "energy_j": training.energy_j,
        "method": str(training.method),
        "source": training.source,
        "note": training.note or None,
        "details": dict(training.details),
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """What one stored answer took.

    :param joules: with its data centre's PUE (1 at home); ``low_j`` and ``high_j`` are the ends
        of its 95 % interval
    :param g_per_j: CO2e a joule, ``None`` if no intensity was kept with it
    """

    joules: float
    low_j: float
    high_j: float
    kind: Kind
    g_per_j: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many of a person's answers take as much as the training did.

    :param count: at the mean of the answers
    :param low: of answers as dear as the 90th percentile at the upper end of its interval
    :param high: of ones as cheap as the 10th at the lower end of its; ``None`` if that is zero
    :param by_energy: whether joules are compared; else grams are
    :param mean: joules or grams an answer
    :param answers: how many were looked at
    :param kind: the weakest among them
    """

    count: float
    low: float
    high: float | None
    by_energy: bool
    mean: float
    answers: int
    kind: Kind


def compare_answers(training: Training, answers: Sequence[Answer]) -> Comparison | None:
    """Tell how many answers equal a training, by energy if that of the training is known.

    :return: ``None`` if there is no answer to compare with
    """
    by_energy = training.energy_j is not None
    used = [each for each in answers if by_energy or each.g_per_j]
    if not used:
        return None
    total = training.energy_j if training.energy_j is not None else training.grams
    share = np.array([1.0 if by_energy else each.g_per_j for each in used])
    took = np.array([(each.low_j, each.joules, each.high_j) for each in used]) * share[:, None]
    mean = float(took[:, 1].mean())
    least = float(np.percentile(took[:, 0], USUAL[0]))
    most = float(np.percentile(took[:, 2], USUAL[1]))
    kind = weakest(each.kind for each in used)
    assert kind is not None
    return Comparison(
        total / mean,
        # A few very dear answers can lift the mean above the percentile.
        total / max(most, mean),
        total / min(least, mean) if least else None,
        by_energy,
        mean,
        len(used),
        kind,
    )


def large_number(value: float) -> str:
    """Write a count with two significant digits: *310 million*."""
    size, name = figures.unit_for(value, LARGE)
    text = figures.significant(value / size, 2)
    number = f"{float(text):,.0f}" if "." not in text else text
    return f"{number} {name}".strip()


def comparison_json(found: Comparison | None) -> dict[str, Any] | None:
    """Return a comparison for a report."""
    if found is None:
        return None
    return {
        "answers": found.count,
        "low": found.low,
        "high": found.high,
        "by": "energy" if found.by_energy else "co2",
        "mean_j" if found.by_energy else "mean_g": found.mean,
        "of_answers": found.answers,
        "kind": str(found.kind),
    }

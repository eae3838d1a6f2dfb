"""Fits the modelled CPU to measurements, and says how far off it is on a CPU it has not seen.

``python -m tests.speed.fit_cpu_model`` prints the shares and factors of
``resources/cpu_model.toml`` and a table of errors in Markdown.

``cpu_load.csv`` holds measurements by the codecarbon project (data/hardware/cpu_load_profiling,
MIT licence): RAPL over half a minute of stress-ng with n threads fully busy (``some_cores``) or
with all threads partly busy (``all_cores``). ``rapl_power_w`` is the power codecarbon noted, which
is that of the row before: its tracker reports the last power it knew before it reads the counter
again, so that the first row is near zero and every load stands beside the watts of a lower one.
The energy of a row is its own. Truth here is energy over duration; errors against the column as
published are printed too, without the first rows.
"""

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.power.cpu_model import MODEL, Activity, activity, terms

Shares = tuple[float, float, float]

MEASUREMENTS = Path(__file__).with_name("cpu_load.csv")


@dataclass(frozen=True, slots=True)
class Point:
    """Half a minute of one CPU."""

    cpu: str
    rated_w: float
    doing: Activity
    truth_w: float
    published_w: float | None
    load: float
    some_cores: bool

    def model_w(self, shares: Shares) -> float:
        return self.rated_w * float(np.dot(terms(self.doing), shares))

    @property
    def cubic_w(self) -> float:
        """codecarbon's formula for a CPU without a sensor."""
        return self.rated_w * (0.1 + 0.9 * self.load**3)


def points(fixed_clock_ghz: float | None = None) -> list[Point]:
    """Read the measurements, with their clock or as if it were not known."""
    result: list[Point] = []
    with MEASUREMENTS.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            threads, busy = int(row["threads"]), int(row["threads_used"])
            load, some_cores = float(row["load"]), row["profile"] == "some_cores"
            loads = [1.0] * busy + [0.0] * (threads - busy) if some_cores else [load] * threads
            clock_ghz = fixed_clock_ghz or float(row["clock_ghz"])
            first = not result or (result[-1].cpu, result[-1].some_cores) != (
                row["cpu"],
                some_cores,
            )
            result.append(
                Point(
                    row["cpu"],
                    float(row["rated_w"]),
                    activity(loads, float(row["cores"]), clock_ghz),
                    float(row["energy_j"]) / float(row["duration_s"]),
                    None if first else float(row["rapl_power_w"]),
                    load,
                    some_cores,
                )
            )
    return result


def fit(measured: Sequence[Point]) -> Shares:
    """Return the shares of least squared relative error, each CPU with the same weight."""
    count = {cpu: sum(p.cpu == cpu for p in measured) for cpu in {p.cpu for p in measured}}
    weights = np.array([1 / math.sqrt(count[p.cpu]) for p in measured])
    rows = np.array([np.array(terms(p.doing)) * p.rated_w / p.truth_w for p in measured])
    idle, awake, cores = np.linalg.lstsq(rows * weights[:, None], weights, rcond=None)[0]
    return float(idle), float(awake), float(cores)


def left_out(
    measured: Sequence[Point], told: Sequence[Point] | None = None
) -> list[tuple[Point, float]]:
    """Model each CPU's ``some_cores`` points in watts by shares fitted to the other CPUs.

    :param told: the points as the model is told them, if not as measured
    """
    result = []
    for cpu in dict.fromkeys(p.cpu for p in measured):
        shares = fit([p for p in measured if p.cpu != cpu])
        result += [
            (p, p.model_w(shares)) for p in told or measured if p.cpu == cpu and p.some_cores
        ]
    return result


def factor(modelled: Sequence[tuple[Point, float]]) -> float:
    """Return the factor either way of the model that holds the truth at 95 %."""
    logs = [math.log(p.truth_w / model_w) for p, model_w in modelled]
    return math.exp(1.96 * math.sqrt(statistics.fmean(log**2 for log in logs)))


def covered(measured: Sequence[Point]) -> dict[str, float]:
    """Share of each CPU's points inside an interval to which that CPU contributed nothing.

    Its factor is found by leaving out each of the other CPUs in turn.
    """
    modelled = left_out(measured)
    result = {}
    for cpu in dict.fromkeys(p.cpu for p in measured):
        wide = factor(left_out([p for p in measured if p.cpu != cpu]))
        ratios = [p.truth_w / model_w for p, model_w in modelled if p.cpu == cpu]
        result[cpu] = statistics.fmean(1 / wide <= ratio <= wide for ratio in ratios)
    return result


def median_error(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the median of ``|model / truth - 1|`` of pairs of model and truth in watts."""
    return statistics.median(abs(model_w / truth_w - 1) for model_w, truth_w in pairs)


def table(measured: Sequence[Point]) -> str:
    """Return the errors of each CPU and of all, in Markdown."""
    modelled, inside = left_out(measured), covered(measured)
    lines = [
        "| CPU left out | points | model | inside its interval | cubic formula |",
        "|---|---|---|---|---|",
    ]
    for cpu in [*inside, "all four"]:
        chosen = [(p, model_w) for p, model_w in modelled if cpu in (p.cpu, "all four")]
        hits = statistics.fmean(inside[p.cpu] for p, _ in chosen)
        error = median_error([(model_w, p.truth_w) for p, model_w in chosen])
        cubic = median_error([(p.cubic_w, p.truth_w) for p, _ in chosen])
        lines.append(f"| {cpu} | {len(chosen)} | {error:.0%} | {hits:.0%} | {cubic:.0%} |")
    return "\n".join(lines).replace("%", " %")


def main() -> None:
    measured = points()
    modelled = left_out(measured)
    unclocked = left_out(measured, points(fixed_clock_ghz=MODEL["reference_ghz"]))
    published = [(p, m, p.published_w) for p, m in modelled if p.published_w is not None]
    print("shares: idle {:.4f}, awake {:.4f}, cores {:.4f}".format(*fit(measured)))
    print(f"factor: live clock {factor(modelled):.2f}, fixed clock {factor(unclocked):.2f}")
    print(f"\n{table(measured)}\n")
    print(
        "against the power column as published: "
        f"model {median_error([(m, w) for _, m, w in published]):.1%}, "
        f"cubic formula {median_error([(p.cubic_w, w) for p, _, w in published]):.1%}"
    )


if __name__ == "__main__":
    main()

"""What several runs of one prompt came to, on a terminal and as JSON."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from monitor import figures, forms
from monitor.compare.contrast import again_lines
from monitor.compare.forms import comparison_json
from monitor.energy.comparison import Comparison
from monitor.energy.difference import Verdict
from monitor.energy.parts import is_lower_bound
from monitor.energy.precision import Mean
from monitor.energy.wall import AtTheWall
from monitor.repeating import Repeated, percent
from monitor.store.records import QueryRecord

NO_WALLS: Mapping[str, AtTheWall] = MappingProxyType({})


def mean_words(mean: Mean) -> str:
    """Write a mean with its kind and interval: ○ 12.1 J (11.8–12.4 J)."""
    energy = figures.marked(mean.kind, figures.energy(mean.energy.joules))
    return f"{figures.at_least(energy, bool(mean.unread))} {figures.bounds(mean.energy)}"


def progress_line(found: Repeated) -> str:
    """Say in a line what the latest run took and what the mean has come to."""
    if not found.records:
        return "Warmed up. This run is no part of the mean; the history has it as #warm-up."
    bill = found.records[-1].bill
    total = bill.total()
    energy = figures.marked(total.kind, figures.energy(total.joules))
    line = f"Run {len(found.records)}: {figures.at_least(energy, is_lower_bound(bill))}"
    if found.mean and found.mean.count > 1:
        scatter = percent(found.mean.scatter)
        line += f" · mean so far {mean_words(found.mean)}, ±{scatter} as the runs differ"
    return line


def lines(found: Repeated, compared: Comparison | None = None) -> list[str]:
    """Say what the runs came to.

    :param compared: with the stored query they repeat, if there is one
    """
    said = [progress_line(found)] if found.records else []
    if found.stopped and not found.records:
        said.append("Stopped before a run that counts had come to its end; there is no mean.")
    if mean := found.mean:
        said += _mean_lines(mean)
    if compared:
        said.append(comparison_line(compared))
    return said + found.notes()


def _mean_lines(mean: Mean) -> list[str]:
    """Say what the mean is, and how sure it is and why."""
    said = [f"Mean of {mean.count}: {mean_words(mean)}, with 95 % confidence."]
    sensors = f"the sensors may be off by ±{percent(mean.systematic)}, the same in each run"
    if mean.spread_j is None:
        return [*said, f"How much runs differ is not known of one; {sensors}."]
    return [
        *said,
        f"The runs differ by {figures.energy(mean.spread_j)} (standard deviation), which leaves "
        f"the mean unsure by ±{percent(mean.scatter)}; {sensors}.",
    ]


def comparison_line(compared: Comparison) -> str:
    """Say how the runs compare with the stored query they repeat, and what would settle it.

    Where it was run more often than once, they are compared with the mean of all these.
    """
    before = compared.counts[0]
    stored = "the stored query" if before == 1 else f"the mean of its {before} stored runs"
    said = {
        Verdict.LOWER: f"The runs took less than {stored}",
        Verdict.HIGHER: f"The runs took more than {stored}",
        Verdict.CANNOT_TELL: f"Whether the runs took less or more than {stored} cannot be told",
        None: "How much single runs scatter is not known, so that no verdict is given; measured "
        "was a difference",
    }[compared.verdict]
    if share := compared.difference.relative:
        between = " of" if compared.verdict is None else ":"
        amount = f"{share.value:+.1f} % ({share.low:+.1f} to {share.high:+.1f})"
        said += f"{between} {amount}".replace("-", "−")
    return " ".join((f"{said}.", *again_lines(compared)))


def repeated_json(
    found: Repeated,
    compared: Comparison | None = None,
    walls: Mapping[str, AtTheWall] = NO_WALLS,
) -> dict[str, Any]:
    """Return some runs in the form of ``ask --repeat --json``.

    ``needed`` are the runs that the precision takes in all, or ±5 % if none was asked for.

    :param walls: what they came to at the wall, by their identifiers, as far as that can be told
    """

    def told(record: QueryRecord) -> dict[str, Any]:
        return forms.told_json(record, walls.get(record.id))

    document: dict[str, Any] = {
        "id": found.id,
        "repeats": [told(record) for record in found.records],
        "warm_up": found.warm_up and told(found.warm_up),
        "mean": found.mean and _mean_json(found.mean),
        "needed": found.needed,
        "precision": found.plan.precision,
        "stopped": found.stopped,
        "notes": found.notes(),
    }
    if compared:
        document["against"] = comparison_json(compared)
    return document


def _mean_json(mean: Mean) -> dict[str, Any]:
    return {
        "count": mean.count,
        "joules": mean.energy.joules,
        "low_j": mean.energy.low_j,
        "high_j": mean.energy.high_j,
        "spread_j": mean.spread_j,
        "precision": mean.precision,
        "scatter": mean.scatter,
        "systematic": mean.systematic,
        "kind": str(mean.kind),
        "resolved": mean.resolved,
        "coverage": mean.coverage,
        "left_out": mean.left_out,
        "unread": list(mean.unread),
    }

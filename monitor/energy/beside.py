"""What else computed while a query ran: its bill is of the whole machine, and holds that as well.

No sensor tells one program from another, so the bill stays what the machine drew. Beside it stands
who else was at work, told by processor time, and what of it the model is likely to have drawn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from monitor import figures
from monitor.energy.account import Bill
from monitor.power.channel import Domain, Kind, Role
from monitor.power.gauge import GaugeLine, Quantity

MATTERS = 0.1
"""From this share of the processor on, other programs are told of: a desktop at rest uses less."""

FEWEST_READINGS = 3
"""Loads read less often in a span are not told: the first tells of what came before it."""

OWN, ENGINE = "own", "engine"
"""Devices of the gauges that tell what this program and its engine use."""

ENGINE_CHANNEL = "own:engine"
"""The channel of what the engine adds to the processor's power."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Who else computed while a query ran.

    :param others: share of the processor that other programs used, 0 to 1; ``None`` if not known
    :param shared: share of the time in which another LlamaWatt computed; ``None`` if none did
    :param model_j: modelled joules that the engine itself added; ``None`` where that is not known,
      or not all there is, as where a GPU computes
    """

    others: float | None = None
    shared: float | None = None
    model_j: float | None = None

    def __bool__(self) -> bool:
        """Whether the bill holds enough of others' work to be told of."""
        return self.shared is not None or (self.others or 0.0) > MATTERS

    def words(self, translate: Callable[[str], str] = str) -> list[str]:
        """Say it, a sentence or two each; nothing where nothing is to be told.

        :param translate: for the window's language
        """
        said = []
        if self.shared is not None:
            said.append(translate(SHARED).replace("%1", figures.percent(self.shared)))
        if self.others is not None and self.others > MATTERS:
            text = translate(OTHERS if self.model_j is None else OTHERS_AND_MODEL)
            model = figures.marked(Kind.MODELLED, figures.energy(self.model_j))
            said.append(text.replace("%1", figures.percent(self.others)).replace("%2", model))
        return said

    def to_json(self) -> dict[str, Any]:
        """Return it as the commands tell it."""
        return {
            "is_told": bool(self),
            "others_share": self.others,
            "another_llamawatt_share": self.shared,
            "model_j": self.model_j,
        }


NOBODY = Beside()

OTHERS = (
    "Other programs used %1 of the processor meanwhile: a part of this is theirs, and runs without "
    "them take less."
)
OTHERS_AND_MODEL = (
    "Other programs used %1 of the processor meanwhile; about %2 of this are the model's own."
)
SHARED = (
    "Another LlamaWatt was computing for %1 of the time: the joules of that time are in the bills "
    "of both."
)


def others_share(gauges: Iterable[GaugeLine]) -> float | None:
    """Return the share of the processor that others used, from what gauges told; 0 to 1.

    It is what all packages were busy, less what the engine and this program used.

    :return: ``None`` where either is not told, or too seldom
    """
    loads = [line for line in gauges if line.gauge.quantity is Quantity.UTILISATION]
    packages = [line.summary for line in loads if line.gauge.domain is Domain.CPU]
    own = {line.gauge.device: line.summary for line in loads if line.gauge.device in (OWN, ENGINE)}
    if not packages or ENGINE not in own:
        return None
    if min(told.samples for told in (*packages, own[ENGINE])) < FEWEST_READINGS:
        return None
    own_percent = sum(told.mean for told in own.values())
    return max(fmean(told.mean for told in packages) - own_percent, 0.0) / 100


def model_joules(bill: Bill) -> float | None:
    """Return what the engine added to a total that is the processor's and its memory's alone.

    :return: ``None`` where it is not known, where a GPU or a whole chip is billed, on which the
        model computes as well, or where the model of it says more than was drawn
    """
    parts = [line for line in bill.lines if line.channel.role is Role.PART]
    if any(line.channel.domain not in (Domain.CPU, Domain.DRAM) for line in parts):
        return None
    engine = (line.joules for line in bill.by_channel() if line.channel.key == ENGINE_CHANNEL)
    joules, total_j = next(engine, None), bill.total().joules
    return joules if joules is not None and total_j is not None and joules < total_j else None

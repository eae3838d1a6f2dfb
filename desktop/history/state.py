"""What the history page shows, as an address: going back is going to the address before."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qs, urlencode

from PySide6.QtCore import QObject, Signal

from monitor.store.charts import Period, Stack
from monitor.store.filters import EVERYTHING, Filter

E = TypeVar("E", bound=StrEnum)


class View(StrEnum):
    """How the queries are shown."""

    LIST = "list"
    CHART = "chart"
    CALENDAR = "calendar"


class Measure(StrEnum):
    """What the height of a bar is."""

    ENERGY = "energy"
    CO2 = "co2"
    TOKENS = "tokens"
    PER_TOKEN = "per-token"


@dataclass(frozen=True, slots=True)
class Place:
    """One state of the page.

    :param period: ``None`` chooses by the span of days
    """

    chosen: Filter = EVERYTHING
    view: View = View.LIST
    measure: Measure = Measure.ENERGY
    period: Period | None = None
    stack: Stack = Stack.MODEL

    def to_address(self) -> str:
        """Write it as ``view=…&model=…``."""
        settings: dict[str, str] = {"view": self.view, "measure": self.measure, "stack": self.stack}
        if self.period:
            settings |= {"period": self.period}
        return "&".join(filter(None, (urlencode(settings), self.chosen.to_address())))

    @classmethod
    def from_address(cls, address: str) -> "Place":
        """Read :meth:`to_address`; what it does not know is as it is at first."""
        given = {name: values[-1] for name, values in parse_qs(address).items()}
        default = cls()
        period = given.get("period", "")
        return cls(
            chosen=Filter.from_address(address),
            view=_known(View, given.get("view"), default.view),
            measure=_known(Measure, given.get("measure"), default.measure),
            period=Period(period) if period in list(Period) else None,
            stack=_known(Stack, given.get("stack"), default.stack),
        )


def _known(names: type[E], value: str | None, default: E) -> E:
    return names(value) if value in list(names) else default


class HistoryState(QObject):
    """The place shown now, and those before and after it."""

    moved = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._places = [Place()]
        self._at = 0

    @property
    def place(self) -> Place:
        """What is shown."""
        return self._places[self._at]

    @property
    def can_go_back(self) -> bool:
        """Whether there is a place before."""
        return self._at > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether there is a place one has gone back from."""
        return self._at < len(self._places) - 1

    def go(self, place: Place) -> None:
        """Show another place; the one before can be gone back to."""
        if place != self.place:
            self._places[self._at + 1 :] = [place]
            self._at += 1
            self.moved.emit()

    def narrow(self, chosen: Filter) -> None:
        """Show other queries in the same way."""
        self.go(replace(self.place, chosen=chosen))

    def back(self) -> None:
        """Show the place before."""
        if self.can_go_back:
            self._at -= 1
            self.moved.emit()

    def forward(self) -> None:
        """Show the place one has gone back from."""
        if self.can_go_forward:
            self._at += 1
            self.moved.emit()

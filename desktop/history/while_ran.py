"""What explains a query's power: how busy, hot and fast its devices were, and if throttled."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.history.cards import grid
from desktop.theme.gauges import gauge_name
from monitor import figures
from monitor.gauge_report import span_words
from monitor.power.gauge import GaugeLine, Quantity
from monitor.store.records import QueryRecord


class WhileItRan(QWidget):
    """A row for each gauge that was read.

    :param record: a query with gauges
    """

    def __init__(self, record: QueryRecord) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        header = (self.tr("Gauge"), self.tr("Mean"), self.tr("Range"))
        layout.addWidget(grid([header, *map(self._row, record.gauges)]))

    def _row(self, line: GaugeLine) -> tuple[str, str, str]:
        mean = figures.reading(line.gauge.quantity, line.summary.mean)
        if line.gauge.quantity is not Quantity.THROTTLE:
            return gauge_name(line.gauge), mean, span_words(line)
        # What by is said at the top of the page.
        if line.summary.high > 0:
            return gauge_name(line.gauge), mean, self.tr("of the time")
        return gauge_name(line.gauge), self.tr("never"), ""

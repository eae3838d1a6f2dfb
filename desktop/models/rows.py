"""The rows of the library: sorted by any column, narrowed down by words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from desktop.models.words import fit_words, measured_words, origin_words, translate
from desktop.theme.palette import Theme
from monitor import figures
from monitor.models.fit import Verdict
from monitor.models.library import STARTER
from monitor.models.overview import Entry
from monitor.models.report import token_energy

Index = QModelIndex | QPersistentModelIndex

NOWHERE = QModelIndex()

KEYS = (
    "model", "quantisation", "parameters", "size", "context", "fit", "token", "speed", "origin",
)  # fmt: skip
"""The columns, from the left."""

RIGHT = ("parameters", "size", "context", "token", "speed")

VERDICTS = tuple(Verdict)
"""The best first."""


def title_of(entry: Entry) -> str:
    """Return what a model is called in the window: its name alone where a column tells the rest."""
    model = entry.model
    named_by_file = model.info and (
        model.origin == STARTER or model.name.casefold().startswith(model.info.name.casefold())
    )
    return model.info.name if named_by_file and model.info else model.name


def _sort_key(entry: Entry, key: str) -> Any:
    """What a column sorts by, ``None`` for what is not known."""
    info, measured = entry.model.info, entry.figures
    if info is None:
        return None  # a file that cannot be used stands behind the others, whatever its name
    if key == "model":
        return title_of(entry).casefold()
    if key == "origin":
        return origin_words(entry.model.origin).casefold()
    if key in ("token", "speed"):
        return measured and (measured.joules_per_token if key == "token" else measured.tokens_per_s)
    return {
        "quantisation": info.quantisation,
        "parameters": info.parameters,
        "size": info.size_bytes,
        "context": info.context_length or None,
        "fit": entry.fit and (VERDICTS.index(entry.fit.verdict), entry.fit.ram_bytes),
    }[key]


def arrange(entries: Sequence[Entry], key: str, is_reversed: bool) -> list[Entry]:
    """Sort by a column; what is not known comes last either way."""
    known = [entry for entry in entries if _sort_key(entry, key) is not None]
    nameless = [entry for entry in entries if _sort_key(entry, key) is None]
    known.sort(key=lambda entry: _sort_key(entry, key), reverse=is_reversed)
    return known + nameless


class LibraryRows(QAbstractTableModel):
    """Shows the models of an :class:`monitor.models.overview.Overview`."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._entries: tuple[Entry, ...] = ()
        self._shown: list[Entry] = []
        self._words: list[str] = []
        self._key, self._is_reversed = "model", False
        self.titles = {
            "model": self.tr("Model"),
            "quantisation": self.tr("Quantisation"),
            "parameters": self.tr("Parameters"),
            "size": self.tr("Size"),
            "context": self.tr("Context"),
            "fit": self.tr("Memory"),
            "token": self.tr("J/token"),
            "speed": self.tr("t/s"),
            "origin": self.tr("From"),
        }
        self._tips = {
            "context": self.tr("The longest context the model was made for, in tokens"),
            "fit": self.tr("Whether it fits into the memory that is free now"),
            "token": self.tr(
                "Decode energy an answer token took on this machine: the newest answers, and every "
                "speed test. The History page goes over all that it shows."
            ),
            "speed": self.tr("Answer tokens a second of decode, over the same"),
            "origin": self.tr("Whose folder it lies in"),
        }

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(KEYS) - 1)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show other models."""
        self._entries = tuple(entries)
        self._arrange()

    def narrow(self, text: str) -> None:
        """Show only models in which all the words of a text occur."""
        self._words = text.casefold().split()
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self._key = KEYS[column]
        self._is_reversed = order == Qt.SortOrder.DescendingOrder
        self._arrange()

    def _arrange(self) -> None:
        self.beginResetModel()
        self._shown = arrange(
            [entry for entry in self._entries if self._is_wanted(entry)],
            self._key,
            self._is_reversed,
        )
        self.endResetModel()

    def _is_wanted(self, entry: Entry) -> bool:
        if not self._words:
            return True
        info = entry.model.info
        told = [entry.model.name, str(entry.model.path), origin_words(entry.model.origin)]
        told += [info.name, info.quantisation, info.architecture] if info else []
        text = "\n".join(told).casefold()
        return all(word in text for word in self._words)

    def entry(self, row: int) -> Entry:
        """Return what a row shows."""
        return self._shown[row]

    def row_of(self, path: Path | None) -> int | None:
        """Return the row of a file, ``None`` if it is not shown."""
        return next((n for n, each in enumerate(self._shown) if each.model.path == path), None)

    # --- what Qt asks --------------------------------------------------------------------

    def rowCount(self, parent: Index = NOWHERE) -> int:
        """A row a model."""
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        """The columns of :data:`KEYS`."""
        return 0 if parent.isValid() else len(KEYS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles of the columns, and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        key = KEYS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.titles[key]
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tips.get(key)
        return self._alignment(key) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What stands in a cell."""
        entry, key = self._shown[index.row()], KEYS[index.column()]
        answers: dict[int, Callable[[], Any]] = {
            Qt.ItemDataRole.DisplayRole: lambda: self._text(entry, key),
            Qt.ItemDataRole.ToolTipRole: lambda: self._tip(entry, key),
            Qt.ItemDataRole.ForegroundRole: lambda: self._color(entry, key),
            Qt.ItemDataRole.TextAlignmentRole: lambda: self._alignment(key),
        }
        return answers[role]() if role in answers else None

    def _text(self, entry: Entry, key: str) -> str:
        info, measured = entry.model.info, entry.figures
        if key == "model":
            return title_of(entry)
        if key == "origin":
            return origin_words(entry.model.origin)
        if info is None or entry.fit is None:
            return self.tr("cannot be used") if key == "fit" else ""
        return {
            "quantisation": info.quantisation,
            "parameters": figures.count(info.parameters),
            "size": figures.size(info.size_bytes),
            "context": str(info.context_length or figures.UNKNOWN),
            "fit": translate(str(entry.fit.verdict)),
            "token": token_energy(measured),
            "speed": figures.significant(measured.tokens_per_s)
            if measured and measured.tokens_per_s
            else figures.UNKNOWN,
        }[key]

    def _tip(self, entry: Entry, key: str) -> str:
        if entry.model.problem:
            return entry.model.problem
        if key == "fit" and entry.fit:
            words = self.tr("At %1 tokens of context: %2")
            return words.replace("%1", str(entry.fit.context)).replace("%2", fit_words(entry.fit))
        if key in ("token", "speed"):
            return measured_words(entry.figures)
        return str(entry.model.path)

    def _color(self, entry: Entry, key: str) -> QColor | None:
        if entry.fit is None:
            return QColor(self._theme.warning if key == "fit" else self._theme.muted)
        if key == "fit" and entry.fit.verdict is not Verdict.FITS:
            return QColor(self._theme.warning)
        return None

    def _alignment(self, key: str) -> Qt.AlignmentFlag:
        side = Qt.AlignmentFlag.AlignRight if key in RIGHT else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter

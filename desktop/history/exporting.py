"""Writing queries to a file, and taking in others'."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop.bridge import Bridge
from desktop.history.report_pdf import write_pdf
from desktop.storage.work import LongWork
from desktop.theme.sums import translate
from monitor.exchange import tables
from monitor.exchange.capsule import capsule_of, write_capsule
from monitor.exchange.capsule_reading import BenchmarkCapsule, read_capsule
from monitor.exchange.codecarbon import write_emissions
from monitor.exchange.codecarbon_import import read_emissions
from monitor.exchange.files import ExchangeError, new_file
from monitor.exchange.html_report import html_report
from monitor.exchange.intake import TakenIn, take_in
from monitor.exchange.model_card import model_card
from monitor.exchange.reading import numbers_of, partly_read_of
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.totals_report import partly_read_note

Numbers = Sequence[int] | None
Write = Callable[[History, Filter, Numbers, Path], str]
"""Returns what is to be said of the file, "" for nothing."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form queries are written in.

    :param words: what the file dialog calls it
    :param suffix: of its files
    :param write: writes the queries of a filter, or some of them by their numbers, into a file
    :param takes_numbers: whether it writes single queries, not their sums
    :param takes_one: whether it writes just one of them
    """

    words: str
    suffix: str
    write: Write
    takes_numbers: bool = False
    takes_one: bool = False

    def can_write(self, numbers: Numbers) -> bool:
        """Whether it can write the queries of a filter, or some by their numbers."""
        if self.takes_one:
            return numbers is not None and len(numbers) == 1
        return numbers is None or self.takes_numbers


def _rows(write: Callable[[History, Sequence[int], TextIO, tables.Told], int]) -> Write:
    def to_file(history: History, chosen: Filter, numbers: Numbers, path: Path) -> str:
        wanted = numbers_of(history, chosen, False) if numbers is None else sorted(numbers)
        with new_file(path, force=True) as file:
            rows = write(history, wanted, file, lambda _rows: None)
        lacking = partly_read_of(history, wanted)
        # CodeCarbon's table has no column that would tell which.
        is_said = lacking and write is write_emissions
        return partly_read_note(lacking, rows, translate) if is_said else ""

    return to_file


def _text(make: Callable[[History, Filter], str]) -> Write:
    def to_file(history: History, chosen: Filter, _numbers: Numbers, path: Path) -> str:
        text = make(history, chosen)
        with new_file(path, force=True) as file:
            file.write(text)
        return ""

    return to_file


def _capsule(history: History, _chosen: Filter, numbers: Numbers, path: Path) -> str:
    """Write all that is known of one query, or of the benchmark it is a run of."""
    (query_id,) = history.browse.ids_of(numbers or ())
    document = capsule_of(history, query_id)
    with new_file(path, force=True) as file:
        write_capsule(document, file)
    return ""


def _as_ending_says(path: Path, chosen: Form, forms: Sequence[Form]) -> Form:
    """Return the form that a file's ending names: it was typed, and the one beside it was not."""
    ending = path.suffix.removeprefix(".").casefold()
    return next((form for form in (chosen, *forms) if form.suffix == ending), chosen)


class Exporter(QObject):
    """Asks for files, and writes and reads them beside the window's thread."""

    said = Signal(str)
    """What is being done, or what came of it."""
    changed = Signal()
    """Queries were taken in."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget) -> None:
        super().__init__(parent)
        self._window, self._history = parent, history
        self._work = LongWork(bridge, self)
        self._work.began.connect(self.said)
        self._work.ended.connect(self.said)
        self._work.refused.connect(self.said)

    def forms(self) -> tuple[Form, ...]:
        """Return the forms there are, in the order the dialog offers them."""
        title = self.tr("Energy of local language models")

        def report(history: History, chosen: Filter) -> str:
            return html_report(history, chosen, title, datetime.now().astimezone())

        def on_paper(history: History, chosen: Filter, _numbers: Numbers, path: Path) -> str:
            write_pdf(report(history, chosen), path)
            return ""

        return (
            Form(self.tr("Report to share"), "html", _text(report)),
            Form(self.tr("Report on paper"), "pdf", on_paper),
            Form(self.tr("Table for spreadsheets"), "csv", _rows(tables.write_csv), True),
            Form(self.tr("JSON Lines with bills"), "jsonl", _rows(tables.write_jsonl), True),
            Form(self.tr("CodeCarbon's emissions"), "csv", _rows(write_emissions), True),
            Form(self.tr("Energy capsule"), "json", _capsule, takes_one=True),
            Form(self.tr("Hugging Face model card"), "md", _text(model_card)),
        )

    def ask(self, chosen: Filter, numbers: Numbers = None) -> None:
        """Ask where to and in which form, then write.

        :param numbers: only these of the filter's queries
        """
        forms = [form for form in self.forms() if form.can_write(numbers)]
        filters = {f"{form.words} (*.{form.suffix})": form for form in forms}
        name, kind = QFileDialog.getSaveFileName(
            self._window, self.tr("Export"), "llamawatt", ";;".join(filters)
        )
        if name:
            path = Path(name)
            form = _as_ending_says(path, filters.get(kind, forms[0]), forms)
            if not path.suffix:
                path = path.with_suffix(f".{form.suffix}")
                if path.exists():  # the dialog asked about another name
                    there = self.tr("%1 is there already. Choose its whole name to replace it.")
                    self.said.emit(there.replace("%1", str(path)))
                    return
            self.write(form, chosen, path, numbers)

    def write(self, form: Form, chosen: Filter, path: Path, numbers: Numbers = None) -> None:
        """Write the queries of a filter; the person was asked whether to replace a file."""
        self._work.run(
            self.tr("Writing %1 …").replace("%1", path.name),
            lambda _progress, _cancelled: form.write(self._history, chosen, numbers, path),
            lambda note: f"{self.tr('Wrote %1.').replace('%1', str(path))} {note}".strip(),
        )

    def ask_import(self) -> None:
        """Ask for a file and take in what it holds."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            self.tr("Import"),
            "",
            self.tr("CodeCarbon emissions, energy capsules (*.csv *.json);;All files (*)"),
        )
        if name:
            self.take_in(Path(name))

    def take_in(self, path: Path) -> None:
        """Take in a CodeCarbon file or the capsule of a query."""
        self._work.run(
            self.tr("Reading %1 …").replace("%1", path.name),
            lambda _progress, _cancelled: self._read(path),
            self._tell,
        )

    def _read(self, path: Path) -> tuple[TakenIn, list[str]]:
        """Return what became of a file's rows, and what was broken."""
        if path.suffix.casefold() == ".json":
            read = read_capsule(path)
            if isinstance(read, BenchmarkCapsule):
                raise ExchangeError(
                    self.tr(
                        "This is the capsule of a benchmark, which is repeated rather than kept: "
                        "llamawatt bench run --replay %1"
                    ).replace("%1", str(path))
                )
            return take_in(self._history.store, [read.arrival()]), []
        emissions = read_emissions(path)
        taken = take_in(self._history.store, emissions.arrivals)
        broken = [f"{each.row}: {each.reason}" for each in emissions.broken]
        return taken, broken

    def _tell(self, read: tuple[TakenIn, list[str]]) -> str:
        taken, broken = read
        self.changed.emit()
        text = self.tr("Queries taken in: %1; here already: %2.")
        if taken.brought_up_to_date:
            text = self.tr("Queries taken in: %1; brought up to date: %3; here already: %2.")
            text = text.replace("%3", f"{taken.brought_up_to_date:,}")
        text = text.replace("%1", f"{taken.stored:,}").replace("%2", f"{taken.known:,}")
        if broken:
            left = self.tr("Rows left out: %1, the first being row %2.")
            text += " " + left.replace("%1", f"{len(broken):,}").replace("%2", broken[0])
        return text

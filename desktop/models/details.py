"""A model in full: what its file says, the memory it needs, what it took here, and its buttons."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.models.rows import title_of
from desktop.models.words import fit_words, largest_words, measured_words, origin_words
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.models.fit import ALL_LAYERS, Fit, fit
from monitor.models.overview import Entry

CONTEXTS = (4096, 8192)
"""Tokens of context whose memory is told, beside the longest one."""

SELECTABLE = (
    Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
)


class ModelDetails(QFrame):
    """Shows an :class:`monitor.models.overview.Entry`."""

    load_wanted = Signal()
    folder_wanted = Signal()
    remove_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._title = label("", "figure")
        self._path = label("", "muted", wrap=True)
        self._problem = label("", "warning", wrap=True)
        for each in (self._title, self._path, self._problem):
            each.setTextInteractionFlags(SELECTABLE)
        self.load = named(QPushButton(self.tr("Load")), "primary")
        self.folder = tool_button(self.tr("Show in folder"))
        self.remove = tool_button(self.tr("Remove from the list …"))
        self.load.clicked.connect(self.load_wanted)
        self.folder.clicked.connect(self.folder_wanted)
        self.remove.clicked.connect(self.remove_wanted)
        self._forms = QWidget()
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        for button in (self.folder, self.remove, self.load):
            head.addWidget(button)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(14, 10, 14, 10)
        self._layout.setSpacing(6)
        self._layout.addLayout(head)
        for widget in (self._path, self._problem, self._forms):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)

    def add(self, widget: QWidget) -> None:
        """Put more that is known of the model below the rest."""
        self._layout.insertWidget(self._layout.count() - 1, widget)

    def text(self) -> str:
        """Return all that is said of the model."""
        labels = self.findChildren(type(self._title))
        return "\n".join(each.text() for each in labels if not each.isHidden())

    def show_entry(self, entry: Entry, why_kept: str) -> None:
        """Show a model.

        :param why_kept: why it cannot be removed from the list, "" if it can
        """
        self._title.setText(title_of(entry))
        self._path.setText(str(entry.model.path))
        self._problem.setText(entry.model.problem)
        self._problem.setVisible(bool(entry.model.problem))
        self.load.setEnabled(entry.model.info is not None)
        self.remove.setEnabled(not why_kept)
        self.remove.setToolTip(why_kept)
        forms = QWidget()
        columns = QHBoxLayout(forms)
        columns.setContentsMargins(0, 2, 0, 0)
        columns.setSpacing(28)
        columns.addLayout(_form(self._about(entry)), 2)
        columns.addLayout(_form(self._memory(entry)), 3)
        self._layout.replaceWidget(self._forms, forms)
        self._forms.deleteLater()
        self._forms = forms

    def _about(self, entry: Entry) -> list[tuple[str, str]]:
        info = entry.model.info
        if info is None:
            return [(self.tr("From"), origin_words(entry.model.origin))]
        template = self.tr("yes") if info.chat_template else self.tr("no: it continues text")
        return [
            (self.tr("Architecture"), f"{info.architecture}, {self._layers(info.layers)}"),
            (
                self.tr("Weights"),
                f"{figures.count(info.parameters)} {info.quantisation}, "
                f"{figures.size(info.size_bytes)}",
            ),
            (self.tr("Chat template"), template),
            (self.tr("Licence"), info.licence or self.tr("not told by the file")),
            (self.tr("From"), origin_words(entry.model.origin)),
        ]

    def _layers(self, count: int) -> str:
        return self.tr("%1 layers").replace("%1", str(count))

    def _memory(self, entry: Entry) -> list[tuple[str, str]]:
        at, on_gpu = self.tr("At %1 tokens"), self.tr("On the GPU, at %1 tokens")
        rows = [
            (
                (on_gpu if each.vram_bytes else at).replace("%1", f"{each.context:,}"),
                fit_words(each),
            )
            for each in self._fits(entry)
        ]
        if entry.fit:
            rows.append((self.tr("Fits up to"), largest_words(entry.fit)))
            if entry.fit.free.gpu_sleeps:
                sleeps = self.tr("asleep; it is not woken to tell how much of its memory is free")
                rows.append((self.tr("GPU"), sleeps))
            rows.append((self.tr("Measured here"), measured_words(entry.figures)))
        return rows

    def _fits(self, entry: Entry) -> list[Fit]:
        """What it needs at some contexts, and with all layers on the GPU where there is one."""
        info = entry.model.info
        if info is None or entry.fit is None:
            return []
        longest = info.context_length or max(CONTEXTS)
        contexts = sorted({min(each, longest) for each in (*CONTEXTS, longest)})
        free = entry.fit.free
        found = [fit(info, free, each) for each in contexts]
        if free.vram_bytes is not None:
            found.append(fit(info, free, entry.fit.context, gpu_layers=ALL_LAYERS))
        return found


def _form(rows: list[tuple[str, str]]) -> QFormLayout:
    form = QFormLayout()
    form.setHorizontalSpacing(12)
    form.setVerticalSpacing(3)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name, value in rows:
        told = label(value, wrap=True)
        told.setTextInteractionFlags(SELECTABLE)
        form.addRow(label(name, "muted"), told)
    return form

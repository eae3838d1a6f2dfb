"""The presets of one model: chosen, saved under a name, forgotten."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QWidget

from desktop.bridge import Bridge
from desktop.theme.widgets import ChoiceBox, label, tool_button
from monitor.load_presets import forget_preset, keep_preset, presets_for
from monitor.loading import LoadOptions
from monitor.store.history import History


class Presets(QWidget):
    """Offers the options that a person named for a model.

    :param model: its file
    """

    chosen = Signal(object)
    """The options of the preset that was chosen."""

    def __init__(
        self, bridge: Bridge, history: History, model: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._model = bridge, history, model
        self._presets: dict[str, LoadOptions] = {}
        self._options = LoadOptions()
        self.box = ChoiceBox()
        self.box.setAccessibleName(self.tr("Presets of this model"))
        self.box.setMinimumWidth(200)
        self.box.activated.connect(self._choose)
        self.save = tool_button(self.tr("Save as …"))
        self.save.clicked.connect(self._ask_name)
        self.forget = tool_button(self.tr("Forget"))
        self.forget.setToolTip(self.tr("Forget the chosen preset"))
        self.forget.clicked.connect(self._forget)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (label(self.tr("Preset")), self.box, self.save, self.forget):
            row.addWidget(widget)
        self._show({})
        bridge.read(lambda: presets_for(history, model), self._show)

    def follow(self, options: LoadOptions) -> None:
        """Name the preset that is what is chosen now, if one is."""
        self._options = options
        kept = [*self._presets.values()]
        self.box.setCurrentIndex(kept.index(options) + 1 if options in kept else 0)
        self.forget.setEnabled(options in kept)

    def save_as(self, name: str) -> None:
        """Keep what is chosen now under a name."""
        if name := name.strip():
            options = self._options
            self._change(lambda history, model: keep_preset(history, model, name, options))

    def _show(self, presets: dict[str, LoadOptions]) -> None:
        self._presets = presets
        self.box.clear()
        self.box.addItem(self.tr("none chosen") if presets else self.tr("none yet"))
        self.box.addItems(list(presets))
        self.box.setEnabled(bool(presets))
        self.follow(self._options)

    def _choose(self, at: int) -> None:
        if at > 0:
            self.chosen.emit(self._presets[self.box.itemText(at)])

    def _ask_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(self.tr("Save a preset"))
        dialog.setLabelText(self.tr("What this model's preset is called:"))
        dialog.textValueSelected.connect(self.save_as)
        dialog.open()

    def _forget(self) -> None:
        name = self.box.currentText()
        self._change(lambda history, model: forget_preset(history, model, name))

    def _change(self, change: Callable[[History, Path], None]) -> None:
        history, model = self._history, self._model

        def changed() -> dict[str, LoadOptions]:
            change(history, model)
            return presets_for(history, model)

        self._bridge.change(changed, self._show)

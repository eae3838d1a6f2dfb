"""How a conversation is led: its system prompt and sampling, and the presets of both."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QInputDialog,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.chat.preset_fields import SamplingFields
from desktop.theme.widgets import label, named, tool_button
from monitor.presets import (
    Preset,
    PresetError,
    checked,
    default_preset,
    forget_preset,
    keep_preset,
    own_presets,
    rename_preset,
    set_default,
    shipped_presets,
)
from monitor.store.history import History

Known = tuple[tuple[Preset, ...], str]
"""A person's own presets, and the name of the one new chats begin with."""


class PresetDialog(QDialog):
    """Lets a person choose and change how a conversation is led.

    :attr:`preset` is the result once the dialog is accepted; its name is "" if no preset is
    exactly like it.

    :param current: what the conversation has now
    """

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        current: Preset,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("System prompt and sampling"))
        self.resize(820, 590)
        self._bridge, self._history = bridge, history
        self.preset = replace(current, sampling=checked(current.sampling))
        self._known: tuple[Preset, ...] = shipped_presets()
        self._default = self._known[0].name
        self._shown = self._settled = self.preset
        self._draft: Preset | None = None
        self._forgotten: Preset | None = None
        self._is_warned = False
        self._build()
        self._show_fields(self.preset)
        self._settle(self._known)
        self._list_presets(self._shown)
        bridge.read(self._read_known, self._on_read)

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        self.list = QListWidget()
        self.list.ensurePolished()  # rows marked before have the height of no style
        self.list.setFixedWidth(188)
        self.list.setAccessibleName(self.tr("Presets"))
        self.list.currentRowChanged.connect(self._on_chosen)
        self.system = QPlainTextEdit()
        self.system.setPlaceholderText(
            self.tr("What the model is told before the first question: who it is, how it answers")
        )
        self.system.setAccessibleName(self.tr("System prompt"))
        self.system.setTabChangesFocus(True)
        self.system.setFixedHeight(92)
        self.system.textChanged.connect(self._on_edited)
        self.fields = SamplingFields()
        self.fields.changed.connect(self._on_edited)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.fields)
        self._told = label("", "muted", wrap=True)
        right = QVBoxLayout()
        right.setSpacing(6)
        for widget in (label(self.tr("System prompt")), self.system, label(self.tr("Sampling"))):
            right.addWidget(widget)
        right.addWidget(scroll, 1)
        right.addLayout(self._own_row())
        middle = QHBoxLayout()
        middle.setSpacing(14)
        middle.addWidget(self.list)
        middle.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(middle, 1)
        layout.addLayout(self._bottom())

    def _own_row(self) -> QHBoxLayout:
        self.save = tool_button(self.tr("Save"))
        self.save_as = tool_button(self.tr("Save as …"))
        self.rename = tool_button(self.tr("Rename …"))
        self.delete = tool_button(self.tr("Delete"))
        self.undo = tool_button(self.tr("Undo delete"))
        self.is_default = QCheckBox(self.tr("New chats begin with it"))
        self.save.clicked.connect(lambda: self.keep(self._shown.name))
        self.save_as.clicked.connect(
            lambda: self._ask_name(self.tr("Save as a preset"), "", self.keep)
        )
        self.rename.clicked.connect(
            lambda: self._ask_name(
                self.tr("Rename the preset"), self._shown.name, self.rename_shown
            )
        )
        self.delete.clicked.connect(self._delete)
        self.undo.clicked.connect(self._undo_delete)
        self.is_default.clicked.connect(self._make_default)
        row = QHBoxLayout()
        row.setSpacing(6)
        for widget in (self.save, self.save_as, self.rename, self.delete, self.undo):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.is_default)
        return row

    def _bottom(self) -> QHBoxLayout:
        cancel = QPushButton(self.tr("Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        use = named(QPushButton(self.tr("Use in this chat")), "primary")
        use.setDefault(True)
        use.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self._told, 1)
        row.addWidget(cancel)
        row.addWidget(use)
        return row

    # --- which presets there are ---------------------------------------------------------

    def _read_known(self) -> Known:
        return own_presets(self._history), default_preset(self._history).name

    def _on_read(self, known: Known) -> None:
        own, _default = known
        if self._shown is self._settled:  # none was chosen meanwhile
            self._settle((*shipped_presets(), *own))
        self._on_known(known)

    def _settle(self, known: Sequence[Preset]) -> None:
        """Find out which preset the conversation has; what is like none is listed beside them."""
        self._shown = self._settled = self._like(self.preset, known)
        self._draft = None if self._shown.name else self._shown

    def _like(self, wanted: Preset, known: Sequence[Preset]) -> Preset:
        """Return the preset that leads a conversation so, else what is wanted without a name."""
        like = [preset for preset in known if _alike(preset, wanted)]
        like.sort(key=lambda preset: preset.name != self._shown.name)
        return like[0] if like else replace(wanted, name="", is_own=False)

    def _on_known(self, known: Known) -> None:
        own, self._default = known
        self._known = (*shipped_presets(), *own)
        self._list_presets(self._shown)

    def _list_presets(self, shown: Preset) -> None:
        """List what there is; what the conversation has of its own stands first."""
        self._presets = [*([self._draft] if self._draft else []), *self._known]
        names = [preset.name for preset in self._presets]
        with QSignalBlocker(self.list):
            self.list.clear()
            for name in names:
                text = name or self.tr("This chat")
                mark = self.tr("%1 · new chats").replace("%1", text)
                self.list.addItem(mark if name == self._default else text)
            self.list.setCurrentRow(names.index(shown.name) if shown.name in names else -1)
        self._update()

    def _on_chosen(self, row: int) -> None:
        if row < 0:
            return
        chosen = self._presets[row]
        if self._is_changed():
            try:
                self._draft = self._written()
            except PresetError as problem:
                self._tell(str(problem), is_problem=True)
                self._list_presets(self._shown)
                return
            if not chosen.name:
                chosen = self._draft
        self._tell("")
        self._show_fields(chosen)
        self._list_presets(chosen)

    # --- what is shown -------------------------------------------------------------------

    def _show_fields(self, preset: Preset) -> None:
        self._shown = preset
        with QSignalBlocker(self.system), QSignalBlocker(self.fields):
            self.system.setPlainText(preset.system)
            self.fields.show_sampling(preset.sampling)

    def _written(self) -> Preset:
        """Return what the fields say.

        :raises PresetError: if that cannot be
        """
        system = self.system.toPlainText().strip()
        return Preset("", system, self.fields.sampling())

    def _is_changed(self) -> bool:
        try:
            return not _alike(self._written(), self._shown)
        except PresetError:
            return True

    def _on_edited(self) -> None:
        self._is_warned = False
        self._tell("")
        self._update()

    def _update(self) -> None:
        changed, is_own = self._is_changed(), self._shown.is_own
        self.save.setVisible(is_own)
        self.save.setEnabled(changed)
        self.rename.setVisible(is_own)
        self.delete.setVisible(is_own)
        self.undo.setVisible(self._forgotten is not None)
        self.is_default.setEnabled(bool(self._shown.name) and not changed)
        self.is_default.setChecked(self._shown.name == self._default)
        if changed and self._shown.name and not self._told.text():
            self._tell(self.tr("Changed from “%1”.").replace("%1", self._shown.name))

    def _tell(self, text: str, is_problem: bool = False) -> None:
        named(self._told, "warning" if is_problem else "muted")
        self._told.style().polish(self._told)
        self._told.setText(text)

    # --- changing presets ----------------------------------------------------------------

    def _ask_name(self, title: str, name: str, does: Callable[[str], None]) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        dialog.setLabelText(self.tr("Name:"))
        dialog.setTextValue(name)
        dialog.textValueSelected.connect(does)
        dialog.open()

    def keep(self, name: str) -> None:
        """Keep what the fields say as one's own preset of this name."""
        try:
            written = replace(self._written(), name=name)
        except PresetError as problem:
            self._tell(str(problem), is_problem=True)
            return
        self._change(partial(keep_preset, self._history, written))

    def rename_shown(self, name: str) -> None:
        """Give one's own preset that is shown another name."""
        self._change(partial(rename_preset, self._history, self._shown.name, name))

    def _delete(self) -> None:
        self._forgotten = gone = self._shown
        # Its figures stay shown as the chat's own, until another one is chosen.
        self._shown = self._draft = replace(gone, name="", is_own=False)
        self._change(lambda: forget_preset(self._history, gone.name))

    def _undo_delete(self) -> None:
        if gone := self._forgotten:
            self._forgotten = None
            if self._draft and _alike(self._draft, gone):
                self._draft = None
            self._change(partial(keep_preset, self._history, gone))

    def _make_default(self, wanted: bool) -> None:
        name = self._shown.name if wanted else shipped_presets()[0].name
        self._change(lambda: set_default(self._history, name))

    def _change(self, does: Callable[[], Preset | None]) -> None:
        def attempt() -> tuple[Preset | str | None, Known]:
            try:
                result: Preset | str | None = does()
            except PresetError as problem:
                result = str(problem)
            return result, self._read_known()

        self._bridge.change(attempt, self._on_changed)

    def _on_changed(self, answer: tuple[Preset | str | None, Known]) -> None:
        result, known = answer
        if isinstance(result, Preset):
            is_changed, self._shown = self._is_changed(), result
            if not is_changed:
                self._show_fields(result)
        self._on_known(known)
        if isinstance(result, str):
            self._tell(result, is_problem=True)

    # --- the end -------------------------------------------------------------------------

    def accept(self) -> None:
        """Take what the fields say."""
        try:
            written = self._written()
        except PresetError as problem:
            self._tell(str(problem), is_problem=True)
            return
        self.preset = self._like(written, self._known)
        super().accept()

    def reject(self) -> None:
        """Leave it as it was; what was changed here is not thrown away at the first Esc."""
        if self._is_changed() and not self._is_warned:
            self._is_warned = True
            self._tell(
                self.tr("Your changes are not used yet. Cancel once more to drop them."),
                is_problem=True,
            )
            return
        super().reject()


def _alike(one: Preset, other: Preset) -> bool:
    """Whether two presets lead a conversation the same way, whatever they are called."""
    return one.system.strip() == other.system.strip() and one.sampling == other.sampling

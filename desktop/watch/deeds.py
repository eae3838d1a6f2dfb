"""What the Monitor page does beyond itself: keys, files, undo, the small window, the mark."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from desktop.bridge import Bridge
from desktop.live.moments import Moments
from desktop.navigation import Navigation
from desktop.notice import Notice
from desktop.services import Services
from desktop.theme.palette import Theme
from desktop.watch.clock import clock
from desktop.watch.floating import FloatingMeter, is_wayland
from desktop.watch.model import WatchModel
from desktop.watch.page import WatchPage
from monitor.recorded import Recording


class WatchDeeds(QObject):
    """Holds the page, its model and the small window.

    :param moments: the present watts, for the small window
    :param navigation: shows that something is recorded, whatever the page
    :param notice: where what came of it is said
    :param window: what dialogs belong to
    """

    wanted = Signal()
    """The page is to be shown."""

    def __init__(
        self,
        bridge: Bridge,
        services: Services,
        moments: Moments,
        navigation: Navigation,
        notice: Notice,
        theme: Theme,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._services, self._theme = bridge, services, theme
        self._moments = moments
        self._navigation, self._notice, self._window = navigation, notice, window
        self._told_of_wayland = False
        self.meter: FloatingMeter | None = None
        self.model = WatchModel(bridge, services, self)
        self.page = WatchPage(self.model, theme)
        self.page.floating_wanted.connect(self.open_meter)
        self.page.shown.rename_wanted.connect(self._ask_name)
        self.page.shown.note_wanted.connect(self._ask_note)
        self.page.shown.export_wanted.connect(self._ask_file)
        self.model.said.connect(notice.say)
        self.model.deleted.connect(self._on_deleted)
        self.model.changed.connect(self._show_mark)
        self.model.progressed.connect(lambda _recording: self._show_mark())
        navigation.mark_pressed.connect(self.wanted)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.page.set_theme(theme)
        if self.meter:
            self.meter.set_theme(theme)

    # --- keys ----------------------------------------------------------------------------

    def record_or_stop(self) -> None:
        """Begin to record and show the page, or end the recording from wherever one is."""
        if not self.model.is_recording:
            self.wanted.emit()
        self.page.record_or_stop()

    def mark(self) -> None:
        """Mark this moment of the running recording."""
        if self.model.is_recording:
            self.page.mark()
        else:
            self._notice.say(
                self.tr("Nothing is recorded that a moment could be marked in."),
                self.tr("Record"),
                self.record_or_stop,
            )

    def toggle_meter(self) -> None:
        """Show the small window, or close it if it is shown."""
        if self.meter and self.meter.isVisible():
            self.meter.close()
        else:
            self.open_meter()

    def open_meter(self) -> None:
        """Show the small window."""
        if self.meter is None:
            self.meter = FloatingMeter(
                self._services.sampler, self._moments, self._bridge.read, self._theme
            )
        self.meter.open()
        if is_wayland() and not self._told_of_wayland:
            self._told_of_wayland = True
            self._notice.say(
                self.tr(
                    "Wayland lets no program place a window or keep it on top. If the small "
                    "window is covered, choose “Always on Top” in the menu that a right click "
                    "or Alt+Space opens on it, where your desktop has that."
                )
            )

    def close(self) -> None:
        """Keep what is recorded and close the small window, as the main window closes."""
        self.model.close()
        if self.meter:
            self.meter.close()
            self.meter.deleteLater()
            self.meter = None

    def _show_mark(self) -> None:
        """Tell beside the pages that something is recorded, and since when."""
        elapsed = clock(self.model.elapsed_s) if self.model.is_recording else ""
        self._navigation.show_recording(elapsed)

    # --- recordings ----------------------------------------------------------------------

    def _on_deleted(self, recording: Recording) -> None:
        def undo() -> None:
            self.model.restore(recording)

        self._notice.say(self.tr("The recording was deleted."), self.tr("Undo"), undo)

    def _ask_name(self, recording: Recording) -> None:
        words = self.tr("What is this recording of?")
        dialog = self._dialog(self.tr("Rename"), words, recording.name)
        dialog.textValueSelected.connect(partial(self.model.rename, recording))
        dialog.open()

    def _ask_note(self, recording: Recording) -> None:
        dialog = self._dialog(self.tr("Note"), self.tr("Note:"), recording.note)
        dialog.setOption(QInputDialog.InputDialogOption.UsePlainTextEditForTextInput)
        dialog.textValueSelected.connect(partial(self.model.note, recording))
        dialog.open()

    def _dialog(self, title: str, words: str, text: str) -> QInputDialog:
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle(title)
        dialog.setLabelText(words)
        dialog.setTextValue(text)
        dialog.resize(420, dialog.sizeHint().height())
        dialog.finished.connect(lambda _result: dialog.deleteLater())
        return dialog

    def _ask_file(self, recording: Recording) -> None:
        dialog = QFileDialog(self._window, self.tr("Export the recording"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        filters = [self.tr("Curve (*.csv)"), self.tr("Bills (*.json)")]
        suffixes = dict(zip(filters, ("csv", "json"), strict=True))
        dialog.setNameFilters(filters)
        dialog.setDefaultSuffix("csv")
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(suffixes[chosen]))
        safe = "".join(sign if sign.isalnum() else "-" for sign in recording.name).strip("-")
        dialog.selectFile(safe or "recording")
        dialog.fileSelected.connect(lambda path: self.model.export(recording, Path(path)))
        dialog.finished.connect(lambda _result: dialog.deleteLater())
        dialog.open()

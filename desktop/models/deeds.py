"""What is done with models: chosen, opened, loaded otherwise, found and fetched."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop.bridge import Bridge
from desktop.engine import EngineModel
from desktop.models.dialog import ModelsDialog
from desktop.models.download import DownloadPane
from desktop.models.load_options import LoadOptionsDialog
from desktop.models.load_texts import remedy_text
from desktop.notice import BUSY, Notice
from desktop.services import Services
from desktop.strip import StatusStrip
from desktop.theme.palette import Theme
from monitor.engine.client import EngineError
from monitor.engine.gguf import ModelFileError, ModelInfo, read_model_info
from monitor.engine.messages import Hello
from monitor.load_presets import options_for
from monitor.loading import LoadOptions, Remedy
from monitor.models.chosen import remember_file
from monitor.models.library import Found, list_models, model_places

MODEL_PREFERENCE = "model"


class ModelDeeds(QObject):
    """Joins the engine, the model menu and the dialogs of models.

    :param window: above which dialogs are opened
    """

    listed = Signal(object)
    """The models of the library, as :class:`Found`."""

    def __init__(
        self,
        engine: EngineModel,
        strip: StatusStrip,
        notice: Notice,
        bridge: Bridge,
        services: Services,
        theme: Theme,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._engine, self._strip, self._notice = engine, strip, notice
        self._bridge, self._services, self._theme = bridge, services, theme
        self._history, self._window = services.history, window
        self.models: list[Found] = []
        self._by_file: dict[str, Found] = {}
        self._library: ModelsDialog | None = None
        self._downloads: DownloadPane | None = None
        strip.menu_wanted.connect(self.refresh)
        strip.model_chosen.connect(self.choose)
        strip.file_wanted.connect(self.ask_file)
        strip.unload_wanted.connect(self.unload)
        strip.library_wanted.connect(self.open_library)
        strip.options_wanted.connect(self.open_options)
        engine.model_changed.connect(self._show)
        engine.noted.connect(notice.say)
        bridge.stuck.connect(self.offer)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        if self._library and self._downloads:
            self._library.set_theme(theme)
            self._downloads.set_theme(theme)

    # --- the list ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look for models beside the window's thread."""
        history = self._history

        def look() -> tuple[list[Found], dict[str, Found], str | None]:
            models = list_models(*model_places(history))
            by_file = {os.path.realpath(model.path): model for model in models}
            return models, by_file, history.preference(MODEL_PREFERENCE)

        self._bridge.work(look, self._take)

    def _take(self, found: tuple[list[Found], dict[str, Found], str | None]) -> None:
        self.models, self._by_file, preferred = found
        if self._engine.model is None:
            usable = [model for model in self.models if model.info]
            chosen = [model for model in usable if str(model.path) == preferred] or usable
            if chosen:
                self._use(chosen[0].path, load=False, then=self._tell)
                return
        self._tell()

    def _tell(self) -> None:
        """Show the library everywhere, now that it is known which of it is in use."""
        self._strip.show_models(self.models, self._engine.model, self._engine.is_loaded)
        self.listed.emit(self.models)
        self._show()

    def _show(self) -> None:
        path = self._engine.model
        chosen = self._by_file.get(os.path.realpath(path)) if path else None
        self._strip.show_model(chosen, self._engine.place if self._engine.is_loaded else "")

    # --- choosing ------------------------------------------------------------------------

    def choose(self, path: Path) -> None:
        """Use a model from now on, and load it as it was loaded last."""
        if self._engine.busy:
            words = self.tr("Stop what is running first; then another model can be chosen.")
            self._notice.say(words, topic=BUSY)
            return
        self._notice.settle("")
        history = self._history
        self._bridge.change(lambda: history.set_preference(MODEL_PREFERENCE, str(path)))
        self._use(path, load=True)

    def unload(self) -> None:
        """Give back the memory of the model, unless it is at work."""
        if self._engine.busy:
            words = self.tr("Stop what is running first; then the model can be unloaded.")
            self._notice.say(words, topic=BUSY)
        else:
            self._engine.unload()

    def _use(self, path: Path, load: bool, then: Callable[[], None] = lambda: None) -> None:
        history = self._history

        def take(options: LoadOptions) -> None:
            self._engine.choose_model(path, load=load, options=options)
            then()

        self._bridge.read(lambda: options_for(history, path), take)

    def ask_file(self) -> None:
        """Let the person choose a model file."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            self.tr("Open a model"),
            "",
            self.tr("GGUF models (*.gguf);;All files (*)"),
        )
        if name:
            self.open_file(Path(name))

    def open_file(self, path: Path) -> None:
        """Take a model file into the library and load it, or say why not."""
        history = self._history

        def look() -> str:
            try:
                read_model_info(path)
            except ModelFileError as error:
                return str(error)
            remember_file(history, path)
            return ""

        def go_on(problem: str) -> None:
            if problem:
                self._notice.say(problem)
            else:
                self.choose(path)
                self.refresh()

        self._bridge.work(look, go_on)

    def drop(self, paths: Sequence[Path]) -> None:
        """Take what was dropped on the window: one model is loaded, of others the list is shown."""
        if len(paths) == 1 and paths[0].is_file():
            self.open_file(paths[0])
            return
        self.open_library()
        assert self._library is not None
        self._library.add_paths(paths)

    # --- loading otherwise ---------------------------------------------------------------

    def offer(self, problem: str, remedies: Sequence[Remedy]) -> None:
        """Say why a model could not be loaded, with a button for each way out."""
        self._notice.offer(
            problem,
            [(remedy_text(each), partial(self._try, each)) for each in remedies],
        )

    def _try(self, remedy: Remedy) -> None:
        if self._engine.model and not self._engine.busy:
            self._engine.choose_model(
                self._engine.model, load=True, options=remedy.options, insist=True
            )

    def open_options(self) -> None:
        """Let the person choose how the model is loaded."""
        path = self._engine.model
        if path is None:
            self._notice.say(self.tr("Choose a model first; then its options can be set."))
            return

        def look() -> tuple[ModelInfo, Hello | None] | str:
            try:
                info = read_model_info(path)
            except ModelFileError as error:
                return str(error)
            try:
                return info, self._services.engine.hello()
            except EngineError:
                return info, None

        self._bridge.work(look, self._ask_options)

    def _ask_options(self, found: tuple[ModelInfo, Hello | None] | str) -> None:
        if isinstance(found, str):
            self._notice.say(found)
            return
        info, hello = found
        dialog = LoadOptionsDialog(
            self._bridge,
            self._history,
            self._theme,
            info,
            self._engine.options,
            hello,
            self._window,
            (self._services.engine.memory_bytes or 0) if self._engine.is_loaded else 0,
        )
        dialog.load_wanted.connect(lambda options: self._load_with(info.path, options))
        dialog.kept.connect(lambda options: self._engine.set_options(info.path, options))
        dialog.finished.connect(lambda _result: dialog.deleteLater())
        dialog.open()

    def _load_with(self, path: Path, options: LoadOptions) -> None:
        if self._engine.busy:
            self._engine.set_options(path, options)
            self._notice.say(self.tr("The options are kept; they count from the next load on."))
        else:
            self._engine.choose_model(path, load=True, options=options, insist=True)

    # --- the library ---------------------------------------------------------------------

    def open_library(self) -> None:
        """Show the models on this machine, and where more can be fetched."""
        if self._library is None:
            self._library = self._make_library()
            # In a turn of its own: together they would hold the window up.
            QTimer.singleShot(0, self, self._add_downloads)
        if self._library.isVisible():
            self._library.raise_()
            self._library.activateWindow()
        else:
            self._library.show()

    def _make_library(self) -> ModelsDialog:
        """Make the dialog once: a download goes on while it is closed."""
        library = ModelsDialog(self._bridge, self._history, self._theme, self._window)
        library.chosen.connect(self.choose)
        library.changed.connect(self.refresh)
        return library

    def _add_downloads(self) -> None:
        library = self._library
        assert library is not None
        self._downloads = DownloadPane(self._bridge, self._history, self._theme, library)
        library.add_tab(self._downloads, self.tr("Download"))

        def on_downloaded(_path: Path) -> None:
            library.refresh()
            self.refresh()

        self._downloads.downloaded.connect(on_downloaded)

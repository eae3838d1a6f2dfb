"""How one model is to be loaded, with the memory that takes beside it."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.models.load_texts import about_kv_type, about_memory_map
from desktop.models.memory_bar import MemoryBar, Part
from desktop.models.presets import Presets
from desktop.models.stepped import SteppedNumber
from desktop.theme.palette import Theme
from desktop.theme.widgets import ChoiceBox, label, named, tool_button
from monitor.engine.gguf import ModelInfo
from monitor.engine.memory import (
    KV_SHARE,
    MemoryNeed,
    free_ram_bytes,
    gpu_room_bytes,
    gpus_of,
    largest_context,
    layers_that_fit,
    memory_need,
)
from monitor.engine.messages import AUTO, F16, FLASH_ATTENTION, MEMORY_MAPS, Hello
from monitor.load_presets import keep_options
from monitor.loading import DEFAULT_CONTEXT, LEAST_CONTEXT, LoadOptions
from monitor.power.cpu import this_processor
from monitor.store.history import History

AUTOMATIC, ALL_THAT_FIT = 0, -1

MOST_THREADS = 512

SHORTEST = 512
"""Tokens at the context slider's second stop; they double from there to the model's limit."""


class LoadOptionsDialog(QDialog):
    """Chooses :class:`LoadOptions` for a model.

    :param current: what it is loaded with, or would be
    :param hello: what the engine said of its build, ``None`` if it did not start yet
    :param held_bytes: memory of the model that is loaded now, which makes room for this one
    """

    load_wanted = Signal(object)
    """The options to load the model with now; they are kept for it as well."""
    kept = Signal(object)
    """The options the model is loaded with from now on."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        theme: Theme,
        info: ModelInfo,
        current: LoadOptions,
        hello: Hello | None = None,
        parent: QWidget | None = None,
        held_bytes: int = 0,
    ) -> None:
        super().__init__(parent)
        self._held_bytes = held_bytes
        self._bridge, self._history, self._info, self._hello = bridge, history, info, hello
        self.setWindowTitle(self.tr("How %1 is loaded").replace("%1", info.name))
        self.resize(800, 460)
        self._make_fields(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(12)
        layout.addLayout(self._top())
        layout.addLayout(self._grid())
        layout.addStretch(1)
        layout.addLayout(self._buttons())
        self.set_options(current)

    # --- building ------------------------------------------------------------------------

    def _make_fields(self, theme: Theme) -> None:
        tr = self.tr
        self.context = SteppedNumber(tr("Context in tokens"), self._contexts(), LEAST_CONTEXT)
        self.context.field.setSingleStep(LEAST_CONTEXT)
        usual = f"{self._usual_context:,}"
        self.context.set_automatic(tr("automatic (%1)").replace("%1", usual))
        self.ram = MemoryBar(tr("memory"), theme)
        self.vram = MemoryBar(tr("GPU memory"), theme)
        cores, logical = this_processor().physical_cores, this_processor().threads
        self.threads = SteppedNumber(
            tr("Processor threads"), (*range(logical + 1), MOST_THREADS), 1
        )
        self.threads.slider.setMaximum(logical)
        self.threads.set_automatic(tr("automatic (%1 cores)").replace("%1", str(cores)))
        steps = range(ALL_THAT_FIT, self._info.layers + 2)
        self.layers = SteppedNumber(tr("Layers on the GPU"), steps, 0)
        can_offload = self._hello is None or self._hello.offload
        self.layers.setEnabled(can_offload)
        self.flash = _box(
            tr("Flash attention"), FLASH_ATTENTION, (tr("automatic"), tr("on"), tr("off"))
        )
        self.kv_type = _box(
            tr("Keys and values"),
            tuple(KV_SHARE),
            (tr("16 bits (f16)"), tr("8 bits (q8_0)"), tr("4 bits (q4_0)")),
        )
        self.memory_map = _box(
            tr("Weights in memory"),
            MEMORY_MAPS,
            (tr("mapped from the file"), tr("mapped and locked"), tr("read into memory")),
        )
        for field in (self.context, self.threads, self.layers):
            field.changed.connect(self._follow)
        self.kv_type.currentIndexChanged.connect(self._on_kv_type)
        self.flash.currentIndexChanged.connect(self._follow)
        self.memory_map.currentIndexChanged.connect(self._follow)

    def _contexts(self) -> list[int]:
        """Nothing chosen, then powers of two up to the model's limit, and that."""
        limit = self._info.context_length or 4 * DEFAULT_CONTEXT
        powers = [SHORTEST << n for n in range(32) if SHORTEST << n < limit]
        return [AUTOMATIC, *powers, limit]

    def _top(self) -> QHBoxLayout:
        self.presets = Presets(self._bridge, self._history, self._info.path)
        self.presets.chosen.connect(self.set_options)
        self.automatic = tool_button(self.tr("Automatic for all"))
        self.automatic.clicked.connect(lambda: self.set_options(LoadOptions()))
        row = QHBoxLayout()
        row.addWidget(self.presets)
        row.addStretch(1)
        row.addWidget(self.automatic)
        return row

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        self._says: dict[QWidget, QLabel] = {}
        self._add(grid, self.tr("Con&text"), self.context)
        self._says[self.context].setText(self._about_context())
        bars = QVBoxLayout()
        bars.setSpacing(6)
        bars.addWidget(self.ram)
        bars.addWidget(self.vram)
        self._warning = label("", "warning", wrap=True)
        bars.addWidget(self._warning)
        grid.addLayout(bars, grid.rowCount(), 1, 1, 2)
        self._add(grid, self.tr("T&hreads"), self.threads)
        self._add(grid, self.tr("&GPU layers"), self.layers)
        self._add(grid, self.tr("&Flash attention"), self.flash)
        self._add(grid, self.tr("Keys and &values"), self.kv_type)
        self._add(grid, self.tr("&Weights"), self.memory_map)
        return grid

    def _about_context(self) -> str:
        if limit := self._info.context_length:
            return self.tr("Tokens the model can see at once; it was made for up to %1.").replace(
                "%1", f"{limit:,}"
            )
        return self.tr("Tokens the model can see at once.")

    def _add(self, grid: QGridLayout, text: str, field: QWidget) -> None:
        row = grid.rowCount()
        name = label(text)
        name.setBuddy(field)
        self._says[field] = label("", "muted", wrap=True)
        self._says[field].setFixedWidth(250)
        grid.addWidget(name, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(self._says[field], row, 2)

    def _buttons(self) -> QHBoxLayout:
        self.load = named(QPushButton(self.tr("Load")), "primary")
        self.load.setDefault(True)
        self.load.clicked.connect(lambda: self._end(True))
        self.keep = QPushButton(self.tr("Keep"))
        self.keep.setToolTip(self.tr("Load the model like this from the next time on"))
        self.keep.clicked.connect(lambda: self._end(False))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        for button in (self.cancel, self.keep, self.load):
            row.addWidget(button)
        return row

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme's colours."""
        self.ram.set_theme(theme)
        self.vram.set_theme(theme)

    # --- what is chosen ------------------------------------------------------------------

    @property
    def options(self) -> LoadOptions:
        """What is chosen."""
        return LoadOptions(
            context=self.context.value or None,
            threads=self.threads.value or None,
            gpu_layers=self.layers.value,
            flash_attention=self.flash.currentData(),
            kv_type=self.kv_type.currentData(),
            memory_map=self.memory_map.currentData(),
        )

    def set_options(self, options: LoadOptions) -> None:
        """Show some options."""
        self.context.set_value(options.context or AUTOMATIC)
        self.threads.set_value(options.threads or AUTOMATIC)
        self.layers.set_value(options.gpu_layers)
        self.kv_type.setCurrentIndex(self.kv_type.findData(options.kv_type))
        self.flash.setCurrentIndex(self.flash.findData(options.flash_attention))
        self.memory_map.setCurrentIndex(self.memory_map.findData(options.memory_map))
        self._follow()

    def _on_kv_type(self) -> None:
        """Leave flash attention to llama.cpp where it must not be off."""
        if self.kv_type.currentData() != F16 and self.flash.currentData() == "off":
            self.flash.setCurrentIndex(self.flash.findData(AUTO))
        self._follow()

    def _end(self, is_loading: bool) -> None:
        """Keep what is chosen, and have the model loaded if that is wanted."""
        options = self.options
        path = self._info.path
        self._bridge.change(lambda: keep_options(self._history, path, options))
        self.kept.emit(options)
        if is_loading:
            self.load_wanted.emit(options)
        self.accept()

    # --- what it means -------------------------------------------------------------------

    def _follow(self) -> None:
        """Say what the choice means."""
        options = self.options
        need = memory_need(self._info, options.context or self._usual_context, options.kv_type)
        offloaded = self._offloaded(need, options.gpu_layers)
        self._show_memory(need, min(offloaded / (self._info.layers + 1), 1.0))
        self._say_layers(offloaded)
        self._say_threads(options.threads or 0)
        self._says[self.flash].setText(self._about_flash(options.kv_type))
        self._says[self.kv_type].setText(about_kv_type(options.kv_type))
        self._says[self.memory_map].setText(about_memory_map(options.memory_map))
        self.presets.follow(options)

    @property
    def _usual_context(self) -> int:
        return min(DEFAULT_CONTEXT, self._info.context_length or DEFAULT_CONTEXT)

    @staticmethod
    def _can_use_gpu(hello: Hello) -> bool:
        """Whether llama.cpp was built for GPUs and has found one."""
        return hello.offload and bool(gpus_of(hello.devices))

    def _offloaded(self, need: MemoryNeed, asked: int) -> int:
        """How many layers would be put on GPUs."""
        if self._hello is None or not self._can_use_gpu(self._hello):
            return 0
        room_bytes = gpu_room_bytes(self._hello.devices)
        if asked != ALL_THAT_FIT:
            return asked
        if room_bytes is None:
            return self._info.layers + 1
        return layers_that_fit(self._info, need, room_bytes)

    def _show_memory(self, need: MemoryNeed, on_gpu: float) -> None:
        """Lay what is needed beside what is free; ``on_gpu`` is the share that GPUs take."""
        ram = _scaled(need, 1 - on_gpu, need.overhead_bytes)
        free_bytes = free_ram_bytes() + self._held_bytes
        self.ram.show_parts(self._parts(ram), free_bytes)
        hello = self._hello
        room_bytes = gpu_room_bytes(hello.devices) if hello and hello.offload else None
        self.vram.setVisible(room_bytes is not None)
        if room_bytes is not None:
            self.vram.show_parts(self._parts(_scaled(need, on_gpu, 0)), room_bytes)
        lack = self._lack(ram, free_bytes)
        self._warning.setText(lack)
        self._warning.setVisible(bool(lack))

    def _parts(self, need: MemoryNeed) -> list[Part]:
        parts = [
            Part(self.tr("model"), need.weights_bytes),
            Part(self.tr("context"), need.cache_bytes),
        ]
        if need.overhead_bytes:
            parts.append(Part(self.tr("llama.cpp"), need.overhead_bytes))
        return parts

    def _lack(self, ram: MemoryNeed, free_bytes: int) -> str:
        if self.ram.is_too_small:
            context = self.options.context or self._usual_context
            if fits := largest_context(ram, context, free_bytes):
                return self.tr(
                    "This needs more memory than is free. A context of up to %1 tokens would fit."
                ).replace("%1", f"{fits:,}")
            return self.tr(
                "The model needs more memory than is free. Close other programs, or choose a "
                "smaller model."
            )
        if self.vram.isVisibleTo(self) and self.vram.is_too_small:
            return self.tr(
                "These layers need more memory than the GPU has free. Let as many as fit be put "
                "there, or choose a smaller context."
            )
        return ""

    def _say_layers(self, offloaded: int) -> None:
        if self._hello is None:
            automatic = self.tr("as many as fit, if there is a GPU")
            says = self.tr("How many fit is known once the engine has started.")
        elif not self._hello.offload:
            automatic = self.tr("none")
            says = self.tr("This llama.cpp cannot use a GPU: the processor computes all of it.")
        elif not self._can_use_gpu(self._hello):
            automatic = self.tr("none")
            says = self.tr("There is no GPU that it can use: the processor computes all of it.")
        else:
            automatic = self.tr("as many as fit (%1 of %2)")
            says = self.tr("The more of the model is on the GPU, the faster it answers.")
            if self.layers.value != ALL_THAT_FIT:
                automatic = self.tr("as many as fit")
        layers = str(self._info.layers + 1)
        self.layers.set_automatic(automatic.replace("%1", str(offloaded)).replace("%2", layers))
        self._says[self.layers].setText(says)

    def _say_threads(self, threads: int) -> None:
        logical = this_processor().threads
        is_too_many = threads > logical
        says = self.tr("One for each physical core is fastest as a rule.")
        if is_too_many:
            says = self.tr(
                "This processor runs %1 threads at once; more of them wait for each other and are "
                "slower."
            ).replace("%1", str(logical))
        _set_text(self._says[self.threads], says, "warning" if is_too_many else "muted")

    def _about_flash(self, kv_type: str) -> str:
        is_needed = kv_type != F16
        box = self.flash.model()
        assert isinstance(box, QStandardItemModel)
        box.item(self.flash.findData("off")).setEnabled(not is_needed)
        if is_needed:
            return self.tr("Keys and values of fewer bits need it.")
        return self.tr("Long contexts take less memory. Automatic uses it wherever it works.")


def _scaled(need: MemoryNeed, share: float, overhead_bytes: int) -> MemoryNeed:
    """Return a share of the model and its context, with an overhead of its own."""
    return MemoryNeed(
        round(need.weights_bytes * share), round(need.cache_bytes * share), overhead_bytes
    )


def _set_text(shown: QLabel, text: str, name: str) -> None:
    shown.setText(text)
    if shown.objectName() != name:
        shown.setObjectName(name)
        shown.style().polish(shown)


def _box(name: str, values: tuple[str, ...], texts: tuple[str, ...]) -> QComboBox:
    box = ChoiceBox()
    box.setAccessibleName(name)
    for value, text in zip(values, texts, strict=True):
        box.addItem(text, value)
    return box

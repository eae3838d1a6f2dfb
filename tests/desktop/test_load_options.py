"""The dialog about how a model is loaded. No engine is started."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QStandardItemModel
from PySide6.QtWidgets import QApplication, QInputDialog, QLabel
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.models.load_options import LoadOptionsDialog
from desktop.models.load_texts import remedy_text
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT, Theme
from desktop.theme.style import apply_theme
from monitor.engine.gguf import ModelInfo
from monitor.engine.messages import Device, Hello
from monitor.load_presets import keep_preset, options_for, presets_for
from monitor.loading import LoadOptions, Remedy
from monitor.power.cpu import this_processor
from tests.unit.builders import model_info

GIB = 1 << 30
CPU_ONLY = Hello("0.3.36", False, ())
WITH_CARD = Hello("0.3.36", True, (Device("CUDA0", "a card", "gpu", 8 * GIB, 5 * GIB),))

Open = Callable[..., LoadOptionsDialog]


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    """A model of 4 GiB in 32 layers, whose token of context takes 128 KiB."""
    path = tmp_path / "model.gguf"
    path.touch()
    return replace(
        model_info(path),
        size_bytes=4 * GIB,
        layers=32,
        kv_bytes_per_token=128 << 10,
        context_length=131072,
    )


@pytest.fixture
def opened(
    qtbot: QtBot,
    bridge: Bridge,
    services: Services,
    info: ModelInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> Open:
    """Open the dialog on a machine with 12 GiB free."""
    monkeypatch.setattr("desktop.models.load_options.free_ram_bytes", lambda: 12 * GIB)

    def open_dialog(
        current: LoadOptions = LoadOptions(),  # noqa: B008
        hello: Hello | None = CPU_ONLY,
        theme: Theme = LIGHT,
    ) -> LoadOptionsDialog:
        dialog = LoadOptionsDialog(bridge, services.history, theme, info, current, hello)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return open_dialog


def texts(dialog: LoadOptionsDialog) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel) if label.isVisible())


EVERYTHING = LoadOptions(10_000, 1, 7, "on", "q4_0", "mlock")


def test_what_is_shown_is_what_is_chosen(opened: Open) -> None:
    assert opened(LoadOptions()).options == LoadOptions()
    dialog = opened(EVERYTHING, WITH_CARD)
    assert dialog.options == EVERYTHING
    dialog.automatic.click()
    assert dialog.options == LoadOptions()


def test_slider_and_field_of_the_context_follow_each_other(opened: Open) -> None:
    dialog = opened()
    context = dialog.context
    assert "4,096" in context.field.text()
    context.slider.setValue(context.slider.maximum())
    assert dialog.options.context == 131072
    context.field.setValue(5000)
    assert dialog.options.context == 5000
    assert context.field.value() == 5000
    context.field.setValue(3)
    assert dialog.options.context == 256, "less than llama.cpp's least is raised to it"
    context.slider.setValue(0)
    assert dialog.options.context is None


def test_memory_follows_context_and_type_and_warns_where_it_does_not_fit(opened: Open) -> None:
    dialog = opened()
    assert "4.29 GB" in dialog.ram.text
    assert "context 537 MB" in dialog.ram.text
    assert "12.9 GB free" in dialog.ram.text
    dialog.context.set_value(8192)
    assert "context 1.07 GB" in dialog.ram.text
    dialog.kv_type.setCurrentIndex(dialog.kv_type.findData("q8_0"))
    assert "context 570 MB" in dialog.ram.text
    dialog.kv_type.setCurrentIndex(0)
    dialog.context.set_value(131072)
    assert dialog.ram.is_too_small
    assert "up to 63,744 tokens would fit" in texts(dialog)
    dialog.context.set_value(63_744)
    assert not dialog.ram.is_too_small
    assert "would fit" not in texts(dialog)


def test_as_many_layers_as_fit_depend_on_the_context(opened: Open) -> None:
    dialog = opened(LoadOptions(2048), WITH_CARD)
    assert dialog.layers.field.text() == "as many as fit (30 of 33)"
    assert dialog.vram.isVisible()
    dialog.context.set_value(131072)
    assert dialog.layers.field.text() == "as many as fit (6 of 33)"
    dialog.layers.set_value(33)
    assert dialog.vram.is_too_small
    dialog.context.set_value(2048)
    assert "more memory than the GPU has free" in texts(dialog)


def test_where_no_gpu_can_be_used_the_reason_is_said(opened: Open) -> None:
    dialog = opened()
    assert not dialog.layers.isEnabled()
    assert "cannot use a GPU" in texts(dialog)
    assert not dialog.vram.isVisible()
    unknown = opened(hello=None)
    assert unknown.layers.isEnabled()
    assert unknown.layers.field.text() == "as many as fit, if there is a GPU"
    without_card = opened(hello=replace(WITH_CARD, devices=()))
    assert without_card.layers.field.text() == "none"
    assert "There is no GPU that it can use" in texts(without_card)
    assert "once the engine has started" in texts(unknown)


def test_more_threads_than_the_processor_runs_are_warned_of(opened: Open) -> None:
    dialog = opened()
    logical = this_processor().threads
    dialog.threads.set_value(logical)
    assert "wait for each other" not in texts(dialog)
    dialog.threads.set_value(logical + 1)
    assert dialog.options.threads == logical + 1
    assert f"runs {logical} threads at once" in texts(dialog)


def test_quantised_keys_and_values_bring_flash_attention_back(
    opened: Open, info: ModelInfo
) -> None:
    dialog = opened(LoadOptions(flash_attention="off"))
    dialog.kv_type.setCurrentIndex(dialog.kv_type.findData("q8_0"))
    assert dialog.options.flash_attention == "auto"
    assert "fewer bits need it" in texts(dialog)
    items = dialog.flash.model()
    assert isinstance(items, QStandardItemModel)
    assert not items.item(dialog.flash.findData("off")).isEnabled()
    dialog.options.for_model(info)
    dialog.kv_type.setCurrentIndex(0)
    assert items.item(dialog.flash.findData("off")).isEnabled()


def test_load_and_keep_keep_the_options_and_cancel_does_not(
    qtbot: QtBot, opened: Open, services: Services, info: ModelInfo
) -> None:
    def kept() -> LoadOptions:
        return options_for(services.history, info.path)

    dialog = opened()
    dialog.context.set_value(8192)
    dialog.cancel.click()
    assert not dialog.isVisible()
    dialog = opened()
    dialog.context.set_value(8192)
    with qtbot.waitSignal(dialog.load_wanted) as wanted:
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert wanted.args == [LoadOptions(8192)]
    qtbot.waitUntil(lambda: kept() == LoadOptions(8192))
    dialog = opened(LoadOptions(8192))
    dialog.automatic.click()
    with (
        qtbot.assertNotEmitted(dialog.load_wanted),
        qtbot.waitSignal(dialog.kept) as told,
    ):
        dialog.keep.click()
    assert told.args == [LoadOptions()]
    qtbot.waitUntil(lambda: kept() == LoadOptions())


def test_presets_are_saved_chosen_and_forgotten(
    qtbot: QtBot, opened: Open, services: Services, info: ModelInfo
) -> None:
    keep_preset(services.history, info.path, "fast", LoadOptions(2048))
    dialog = opened()
    box = dialog.presets.box
    qtbot.waitUntil(lambda: box.count() == 2)
    assert not dialog.presets.forget.isEnabled()
    dialog.set_options(EVERYTHING)
    dialog.presets.save.click()
    asking = dialog.presets.findChild(QInputDialog)
    assert asking
    asking.setTextValue("  long ")
    asking.accept()
    qtbot.waitUntil(lambda: box.currentText() == "long")
    assert presets_for(services.history, info.path)["long"] == EVERYTHING
    box.setCurrentIndex(box.findText("fast"))
    box.activated.emit(box.currentIndex())
    assert dialog.options == LoadOptions(2048)
    dialog.presets.forget.click()
    qtbot.waitUntil(lambda: box.findText("fast") < 0)
    assert list(presets_for(services.history, info.path)) == ["long"]
    assert dialog.options == LoadOptions(2048), "what is chosen stays"


def test_everything_is_reached_by_keyboard_and_named(opened: Open) -> None:
    dialog = opened(hello=WITH_CARD)
    reached = []
    widget = dialog.presets.box
    for _ in range(40):
        reached.append(widget)
        widget = widget.nextInFocusChain()
    for field in (
        dialog.context.slider, dialog.context.field, dialog.threads.field, dialog.layers.field,
        dialog.flash, dialog.kv_type, dialog.memory_map,
    ):  # fmt: skip
        assert field in reached
        assert field.accessibleName()
    assert "GPU memory" in dialog.vram.accessibleName()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_dialog_fits_small_screens_and_shows_what_is_too_much(opened: Open, theme: Theme) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)
    dialog = opened(LoadOptions(131072, 600), WITH_CARD, theme)
    dialog.layers.set_value(0)
    least = dialog.minimumSizeHint()
    assert least.width() <= 1024
    assert least.height() <= 600
    picture: QImage = dialog.ram.grab().toImage()
    apply_theme(app, LIGHT)
    colors = {picture.pixelColor(x, 5).name() for x in range(picture.width())}
    assert QColor(theme.warning).name() in colors


def test_every_way_out_has_a_button_s_words() -> None:
    options = LoadOptions(context=4096)
    kinds = ("again", "cpu", "context", "kv_type", "f16", "flash_attention", "no_mlock")
    words = [remedy_text(Remedy(kind, options)) for kind in kinds]
    assert len(set(words)) == len(kinds)
    assert "Try with 4k context" in words
    assert remedy_text(Remedy("context", LoadOptions(3328))) == "Try with 3,328 context"

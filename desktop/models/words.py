"""The library in words of the window's language."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.engine.messages import Loaded
from monitor.models import report
from monitor.models.fit import Fit
from monitor.store.model_figures import ModelFigures

TEXTS = (
    QT_TRANSLATE_NOOP("Models", "LlamaWatt"),
    QT_TRANSLATE_NOOP("Models", "LlamaWatt's folder"),
    QT_TRANSLATE_NOOP("Models", "added"),
    QT_TRANSLATE_NOOP("Models", "fits"),
    QT_TRANSLATE_NOOP("Models", "tight"),
    QT_TRANSLATE_NOOP("Models", "too large"),
    QT_TRANSLATE_NOOP("Models", "%1 of %2 free"),
    QT_TRANSLATE_NOOP("Models", "%1 of the GPU's %2 free"),
    QT_TRANSLATE_NOOP("Models", "no context: the weights alone are too large"),
    QT_TRANSLATE_NOOP("Models", "%1 tokens"),
    QT_TRANSLATE_NOOP("Models", "nothing yet: it has not answered here"),
    QT_TRANSLATE_NOOP("Models", "%1 answers"),
    QT_TRANSLATE_NOOP("Models", "1 answer"),
    QT_TRANSLATE_NOOP("Models", "%1 of them beside other programs"),
    QT_TRANSLATE_NOOP("Models", "%1/token"),
    QT_TRANSLATE_NOOP("Models", "GPU %1 of %2 layers"),
    QT_TRANSLATE_NOOP("Models", "CPU 1 thread"),
    QT_TRANSLATE_NOOP("Models", "CPU %1 threads"),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of this module in the window's language."""
    return QCoreApplication.translate("Models", text)


def origin_words(origin: str) -> str:
    """Say whose a model is; see :func:`monitor.models.report.origin_words`."""
    return report.origin_words(origin, translate)


def fit_words(fit: Fit) -> str:
    """Say what a model needs; see :func:`monitor.models.report.fit_words`."""
    return report.fit_words(fit, translate)


def largest_words(fit: Fit) -> str:
    """Say how long a context fits; see :func:`monitor.models.report.largest_words`."""
    return report.largest_words(fit, translate)


def measured_words(measured: ModelFigures | None) -> str:
    """Say what a model took here; see :func:`monitor.models.report.measured_words`."""
    return report.measured_words(measured, translate)


def place_words(loaded: Loaded) -> str:
    """Say what a model really runs on, whatever was asked for."""
    if loaded.layers_offloaded:
        words = translate("GPU %1 of %2 layers").replace("%1", str(loaded.layers_offloaded))
        return words.replace("%2", str(loaded.layers))
    if loaded.threads == 1:
        return translate("CPU 1 thread")
    return translate("CPU %1 threads").replace("%1", str(loaded.threads))

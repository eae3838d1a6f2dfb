"""Gauges in the window's language: a source names them, and why something is held back, in English.

A gauge's label is its device's name and what is told of it, ``GPU 0 temperature``: the name stays,
the rest is translated. See :class:`monitor.power.gauge.Gauge`.
"""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.power.gauge import Gauge

TEXTS = (
    QT_TRANSLATE_NOOP("Gauges", "Memory in use"),
    QT_TRANSLATE_NOOP("Gauges", "Engine CPU use"),
    QT_TRANSLATE_NOOP("Gauges", "Engine memory"),
    QT_TRANSLATE_NOOP("Gauges", "LlamaWatt CPU use"),
    QT_TRANSLATE_NOOP("Gauges", "%1 memory in use"),
    QT_TRANSLATE_NOOP("Gauges", "%1 use"),
    QT_TRANSLATE_NOOP("Gauges", "%1 load"),
    QT_TRANSLATE_NOOP("Gauges", "%1 temperature"),
    QT_TRANSLATE_NOOP("Gauges", "%1 clock"),
    QT_TRANSLATE_NOOP("Gauges", "%1 memory"),
    QT_TRANSLATE_NOOP("Gauges", "%1 throttled"),
    QT_TRANSLATE_NOOP("Gauges", "%1 throttling"),
)
"""What labels are made of; of two that fit one label, the longer stands first."""

NOTES = (
    QT_TRANSLATE_NOOP("Gauges", "power cap"),
    QT_TRANSLATE_NOOP("Gauges", "current limit"),
    QT_TRANSLATE_NOOP("Gauges", "another limit"),
    QT_TRANSLATE_NOOP("Gauges", "temperature"),
    QT_TRANSLATE_NOOP("Gauges", "temperature (emergency slowdown)"),
    QT_TRANSLATE_NOOP("Gauges", "power brake of the supply"),
    QT_TRANSLATE_NOOP("Gauges", "kept at the pace of other GPUs (sync boost)"),
    QT_TRANSLATE_NOOP("Gauges", "hardware slowdown"),
    QT_TRANSLATE_NOOP("Gauges", "too hot"),
)
"""What devices are held back by, for Qt's tools to find. Intel's drivers name theirs in sysfs."""


def gauge_name(gauge: Gauge) -> str:
    """Return a gauge's label in the window's language."""
    device, text = _parts(gauge.label)
    return QCoreApplication.translate("Gauges", text).replace("%1", device)


def device_name(gauge: Gauge) -> str:
    """Return the name of a gauge's device, ``GPU 0``; the whole label where it names none."""
    return _parts(gauge.label)[0] or gauge_name(gauge)


def note_words(note: str) -> str:
    """Return what a throttle's reading says in the window's language; "" if it says nothing.

    :param note: of a :class:`monitor.power.gauge.GaugeReading`
    """
    each = filter(None, note.split(", "))
    return ", ".join(QCoreApplication.translate("Gauges", reason) for reason in each)


def _parts(label: str) -> tuple[str, str]:
    """Return a label's device, "" where it names none, and the text that makes the label of it."""
    for text in map(str, TEXTS):
        names_device, ending = "%1" in text, text.removeprefix("%1")
        if label.endswith(ending) if names_device else label == text:
            return label.removesuffix(ending), text
    return "", label

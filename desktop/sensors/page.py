"""The sensors page: which sources there are, what they say, and how to mend those denied."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop.live.model import recent_power_w
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.engine.messages import Hello
from monitor.power.channel import Channel, Probe, ProbeState, Role
from monitor.power.sampler import Sampler

REFRESH_MS = 1000


class SensorsPage(QWidget):
    """Shows a sampler's probes and channels while it is visible."""

    engine_wanted = Signal()
    """The page is seen for the first time; :meth:`set_engine` should follow."""
    baseline_wanted = Signal()
    calibration_wanted = Signal()

    def __init__(self, sampler: Sampler, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sampler, self._theme = sampler, theme
        self._engine = ""
        self._advice = ""
        self._shown: object = None
        self._watts: dict[str, QLabel] = {}
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme, self._shown = theme, None
        self.refresh()

    def set_engine(self, hello: Hello, advice: str | None) -> None:
        """Show what llama.cpp computes on, and how to have it use an idle GPU."""
        devices = ", ".join(f"{device.name} ({device.description})" for device in hello.devices)
        self._engine = (
            self.tr("llama-cpp-python %1 computes on %2.")
            .replace("%1", hello.llama_cpp)
            .replace("%2", devices)
        )
        self._advice = advice or ""
        self._shown = None
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the sampler while visible."""
        super().showEvent(event)
        self._timer.start()
        self.refresh()
        if not self._engine:
            self.engine_wanted.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def refresh(self) -> None:
        """Show what has changed: the watts always, the rest only if it is new."""
        probes, channels = self._sampler.probes(), self._sampler.channels()
        if (probes, channels) != self._shown:
            self._shown = (probes, channels)
            self._rebuild(probes, channels)
        for channel in channels:
            power_w = recent_power_w(self._sampler, channel.key)
            text = figures.marked(channel.kind, figures.power(power_w))
            self._watts[channel.key].setText(text)

    def _rebuild(self, probes: tuple[Probe, ...], channels: tuple[Channel, ...]) -> None:
        page = named(QWidget(), "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addLayout(self._head())
        column.addWidget(self._channels(channels))
        column.addWidget(label(self.tr("Where it could come from"), "title"))
        for probe in probes:
            column.addWidget(self._probe(probe))
        if self._engine:
            column.addWidget(label(self.tr("What models run on"), "title"))
            column.addWidget(_selectable_card(self._engine, self._advice))
        column.addStretch(1)
        self._scroll.setWidget(page)

    def _head(self) -> QHBoxLayout:
        baseline = tool_button(self.tr("Idle baseline …"))
        baseline.setToolTip(self.tr("What this machine draws when it does nothing"))
        baseline.clicked.connect(self.baseline_wanted)
        calibration = tool_button(self.tr("Wall calibration …"))
        calibration.setToolTip(self.tr("How the wall's watts follow from the sensors'"))
        calibration.clicked.connect(self.calibration_wanted)
        row = QHBoxLayout()
        row.addWidget(label(self.tr("What is measured"), "title"), 1)
        row.addWidget(baseline)
        row.addWidget(calibration)
        return row

    def _channels(self, channels: tuple[Channel, ...]) -> QFrame:
        card = named(QFrame(), "card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(14, 10, 14, 10)
        self._watts = {}
        roles = {
            Role.PART: self.tr("added to the total"),
            Role.INSIDE: self.tr("inside a part, not added"),
            Role.WHOLE: self.tr("the whole machine, a cross-check, not added"),
        }
        for channel in channels:
            row = QHBoxLayout()
            watts = label("")
            watts.setMinimumWidth(90)
            watts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._watts[channel.key] = watts
            accuracy = channel.accuracy
            doubt = f"−{accuracy.below:.0%} / +{accuracy.above:.0%}"
            if accuracy.offset_w:
                doubt += f", ±{accuracy.offset_w:g} W"
            note = label(f"{roles[channel.role]} · {doubt}", "muted")
            note.setToolTip(accuracy.source)
            row.addWidget(label(channel.label))
            row.addStretch(1)
            row.addWidget(note)
            row.addWidget(watts)
            layout.addLayout(row)
        if not self._watts:
            layout.addWidget(label(self.tr("No source has answered yet."), "muted"))
        return card

    def _probe(self, probe: Probe) -> QFrame:
        card = named(QFrame(), "card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(14, 10, 14, 10)
        names = {
            "rapl": self.tr("Processor's energy counters (RAPL)"),
            "nvml": self.tr("NVIDIA GPUs (NVML)"),
            "model": self.tr("Model of the processor's power"),
        }
        states = {
            ProbeState.AVAILABLE: self.tr("available"),
            ProbeState.DENIED: self.tr("denied"),
            ProbeState.ABSENT: self.tr("absent"),
        }
        row = QHBoxLayout()
        row.addWidget(label(names.get(probe.source, probe.source)))
        row.addStretch(1)
        is_denied = probe.state is ProbeState.DENIED
        row.addWidget(label(states[probe.state], "warning" if is_denied else "muted"))
        layout.addLayout(row)
        layout.addWidget(label(probe.reason, "muted", wrap=True))
        if probe.mend:
            layout.addWidget(_selectable(probe.mend))
        return card


def _selectable(text: str) -> QWidget:
    made = label(text, wrap=True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _selectable_card(*texts: str) -> QFrame:
    card = named(QFrame(), "card")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(14, 10, 14, 10)
    for text in filter(None, texts):
        layout.addWidget(_selectable(text))
    return card

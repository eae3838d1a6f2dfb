"""The sensors' self-test in the window: once by itself, and on demand."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication, QLocale, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from desktop.bridge import Bridge
from desktop.sensors.words import source_name
from desktop.theme.bill import local_time
from desktop.theme.one_line import OneLineLabel
from desktop.theme.widgets import tool_button
from monitor.power.channel import Channel
from monitor.power.sampler import Sampler
from monitor.power.selftest import SECONDS, Traits, fits
from monitor.sensor_testing import SensorTest, untested
from monitor.store.errors import StoreError
from monitor.store.history import History
from monitor.store.sensor_traits import SensorTraits

translate = QCoreApplication.translate

LOOK_MS = 500

FIRST_MS = 20_000
"""By itself it waits until the window is there and the models are listed."""


def no_sensor_words() -> str:
    """Say why nothing can be tested; a wall plug may measure all the same."""
    return translate("Sensors", "There is no sensor to test: none in this machine can be read.")


def rest_words(channels: Sequence[Channel], known: Mapping[str, Traits] | None) -> str:
    """Say whether the sensors are tested, and when.

    :param channels: those of the sampler, none as long as it has not opened any
    :param known: what is known of them, by their keys; ``None`` as long as that is not read
    """
    if known is None or not channels:
        return translate("Sensors", "A test learns in a minute how often each sensor refreshes.")
    if not untested(channels, ()):
        return no_sensor_words()
    of_these = {
        channel.key: known[channel.key]
        for channel in channels
        if channel.key in known and fits(channel, known[channel.key])
    }
    if not of_these:
        return translate(
            "Sensors", "Not tested on this machine yet: refresh times are as documented."
        )
    when = local_time(max(traits.measured_at for traits in of_these.values()))
    day = QLocale().toString(when.date(), "d MMM yyyy")
    clock = QLocale().toString(when.time(), QLocale.FormatType.ShortFormat)
    told = translate("Sensors", "Tested on %1.").replace("%1", f"{day}, {clock}")
    if left := untested(channels, of_these):
        names = ", ".join(channel.label for channel in left)
        told += " " + translate("Sensors", "Not tested yet: %1.").replace("%1", names)
    return told


class SelfTestRow(QWidget):
    """Progress of the self-test and what came of it; at rest, when the sensors were tested.

    It is always as high: a test that begins by itself moves nothing below it that somebody is about
    to click on. What came of a test is said until the page has been left.

    A test gives way to a model: its readings would come on top of the query's own, and what they
    tell would not be of a machine at rest. What was begun by itself is begun again later.

    :param seconds: how long a test takes
    """

    learned = Signal(object)
    """What is known of the sensors now: traits by the channels' keys."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        sampler: Sampler,
        parent: QWidget | None = None,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._sampler, self._seconds = bridge, sampler, seconds
        self._traits = SensorTraits(history.store)
        self._test: SensorTest | None = None
        self._gave_way = False
        self._share = 0.0
        self._channels: Sequence[Channel] = ()
        self._known: Mapping[str, Traits] | None = None
        self._news = ""
        self._busy_words = self.tr("A model is at work. Wait until it has ended.")
        bridge.idle.connect(self._forget_that_it_is_busy)
        self.begin = tool_button(self.tr("Test the sensors"))
        """Begins a test; to be put where the other deeds of the page are."""
        self.begin.setParent(self)
        self.begin.setToolTip(
            self.tr("Learn how often each refreshes, in what steps, and how quietly it rests")
        )
        self.begin.clicked.connect(self.start)
        self.told = OneLineLabel("muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(160)
        self.bar.setAccessibleName(self.tr("Progress of the sensors' test"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.clicked.connect(self.stop)
        room = self.cancel.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.cancel.setSizePolicy(room)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.told, 1)
        row.addWidget(self.bar)
        row.addWidget(self.cancel)
        self._look = QTimer(self, interval=LOOK_MS)
        self._look.timeout.connect(self._follow)
        self._first = QTimer(self, interval=FIRST_MS)
        self._first.timeout.connect(self.start_first)
        self._begins_itself = not history.store.is_read_only
        if self._begins_itself:
            self._first.start()
        self._say("")

    @property
    def is_running(self) -> bool:
        """Whether a test is under way."""
        return self._test is not None

    def read(self) -> None:
        """Ask what is known; :attr:`learned` follows."""
        self._bridge.read(self._traits.all, self._tell)

    def _tell(self, known: dict[str, Traits]) -> None:
        self._known = known
        self._show_words()
        self.learned.emit(known)

    def show_channels(self, channels: Sequence[Channel]) -> None:
        """Say of a sampler's channels whether they are tested."""
        self._channels = channels
        self._show_words()

    def hideEvent(self, event: QHideEvent) -> None:
        """Forget what came of a test when somebody has seen it and goes elsewhere."""
        super().hideEvent(event)
        if not self.is_running and not event.spontaneous():
            self._say("")

    def start_first(self) -> None:
        """Test by itself if there is a sensor of which nothing is known, and no model at work."""
        if not self._bridge.busy and not self.is_running:
            # Asked once: where it cannot be read, that is told, and is not to be told for ever.
            self._first.stop()
            self._bridge.read(self._traits.all, self._start_unless_known)

    def _start_unless_known(self, known: dict[str, Traits]) -> None:
        if self.is_running:
            return  # a person was quicker
        if self._bridge.busy:
            self._first.start()
        elif untested(self._sampler.channels(), known):
            self.start()

    def start(self) -> None:
        """Begin a test, unless one is under way or a model is at work."""
        if self.is_running:
            return
        if self._bridge.busy:
            self._say(self._busy_words)
            return
        # One that a person stops is not begun again; one that gives way is.
        self._first.stop()
        test = self._test = SensorTest(self._seconds)
        self._share, self._gave_way = 0.0, False
        self._say(self.tr("Looking how often each sensor refreshes, for a minute …"))
        self._look.start()
        self._bridge.transfer(lambda: self._run(test), self._end)

    def _follow(self) -> None:
        """Show how far the test is, and end it if a model has come to work."""
        self.bar.setValue(round(1000 * self._share))
        if self._bridge.busy and self._test and not self._test.is_cancelled:
            self._gave_way = True
            self.stop()

    def stop(self) -> None:
        """End the test; nothing of it is kept."""
        if self._test:
            self._test.cancel()
            self._give_keys_back()
            self.cancel.setEnabled(False)

    def _run(self, test: SensorTest) -> str:
        """Test and keep what is found, beside the window's thread; return what to say of it."""

        def told(share: float) -> None:
            self._share = share
            if self._bridge.is_closed:
                test.cancel()

        findings = test.run(told)
        if test.is_cancelled:
            if self._gave_way:
                return self.tr("Stopped, because a model began to work; nothing was kept.")
            return self.tr("Stopped; nothing was kept.")
        names = ", ".join(map(source_name, test.unanswered))
        unanswered = self.tr("Not tested, because it did not answer: %1.").replace("%1", names)
        if not findings:
            return unanswered if names else no_sensor_words()
        try:
            self._traits.keep(finding.traits for finding in findings)
        except StoreError as problem:
            return str(problem)
        if names:
            others = self.tr(
                "The others are tested: what was learned widens or narrows the intervals from the "
                "next start on."
            )
            return f"{unanswered} {others}"
        return self.tr(
            "Tested. What was learned widens or narrows the intervals from the next start on."
        )

    def _end(self, words: str) -> None:
        self._test = None
        self._look.stop()
        if self._gave_way and self._begins_itself:
            self._first.start()
        self._say(words)
        self.read()

    def _give_keys_back(self) -> None:
        """Let the keys stay near as the button that has them goes: the page follows them."""
        if self.cancel.hasFocus():
            self.begin.setFocus()

    def _forget_that_it_is_busy(self) -> None:
        if self._news == self._busy_words:
            self._say("")

    def _say(self, news: str) -> None:
        """Say what happens or came of it; if nothing did, what is true at rest."""
        if not self.is_running:
            self._give_keys_back()
        self._news = news
        self._show_words()
        self.bar.setValue(0)
        for widget in (self.bar, self.cancel):
            widget.setVisible(self.is_running)
        self.cancel.setEnabled(True)

    def _show_words(self) -> None:
        self.told.setText(self._news or rest_words(self._channels, self._known))

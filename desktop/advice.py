"""What llama.cpp leaves unused on this machine, said until it was read."""

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.notice import Notice
from desktop.services import Services
from monitor.engine.backends import gpus_present, offload_advice
from monitor.engine.messages import Hello
from monitor.power.channel import ProbeState

ADVICE_PREFERENCE = "advice_read"

UNUSED = "unused"
"""What is said of it covers what else is to be read; see :class:`desktop.notice.Notice`."""


class Advice(QObject):
    """Looks whether a GPU lies idle, and shows how to use it.

    :param notice: where it is said
    """

    wanted = Signal()
    """A person wants to see how."""

    def __init__(
        self, bridge: Bridge, services: Services, notice: Notice, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._services, self._notice = bridge, services, notice
        self._said = ""
        notice.closed.connect(self._keep_read)

    def look(self) -> None:
        """Ask llama.cpp, beside the window's thread."""
        self._bridge.work(self._find, self._show)

    def describe_engine(self) -> tuple[Hello, str | None]:
        """Return what llama.cpp can compute on, and what it leaves unused; takes a while."""
        hello = self._services.engine.hello()
        return hello, offload_advice(hello, self._has_nvidia())

    def _has_nvidia(self) -> bool:
        self._services.sampler.wait_ready()
        nvml = [p for p in self._services.sampler.probes() if p.source == "nvml"]
        return any(p.state is ProbeState.AVAILABLE for p in nvml)

    def _find(self) -> str | None:
        """Ask llama.cpp whether it leaves a GPU idle; not at all where there is none.

        Advice that was read and closed is not given again.
        """
        if not gpus_present() and not self._has_nvidia():
            return None
        advice = (self.describe_engine()[1] or "").partition("\n")[0]
        is_read = self._services.history.preference(ADVICE_PREFERENCE) == advice
        return None if is_read else advice

    def _show(self, advice: str | None) -> None:
        if advice:
            self._said = advice
            self._notice.say(advice, self.tr("Show how"), self.wanted.emit, UNUSED)

    def _keep_read(self, closed: str) -> None:
        """Remember that the advice was closed (the notice may have said something else since)."""
        history, said = self._services.history, self._said
        if said and closed == said:
            self._bridge.change(lambda: history.set_preference(ADVICE_PREFERENCE, said))

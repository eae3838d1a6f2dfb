"""Whether another window has the same history open."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLockFile, QTimer

from desktop.notice import Notice

RETRY_MS = 2000
"""So soon after the first window the second is the one that a third is told of."""


class WindowLock:
    """Held as long as this process runs; what a crash leaves behind is not believed.

    Taken later, from the event loop, where another window has it.

    :param folder: the data folder both windows work in
    """

    def __init__(self, folder: Path) -> None:
        self._lock = QLockFile(str(folder / "window.lock"))
        self._lock.setStaleLockTime(0)  # however old: only whether its process runs counts
        self.holder: int | None = None
        """Number of the process whose window was there first; ``None`` without one."""
        self._retry = QTimer(interval=RETRY_MS)
        self._retry.timeout.connect(self._take)
        self._take()
        if self.holder is not None:
            self._retry.start()

    def _take(self) -> None:
        is_taken = not self._lock.tryLock(0)
        if is_taken and self._lock.error() is QLockFile.LockError.LockFailedError:
            self.holder = self._lock.getLockInfo()[0]
        else:
            self.holder = None
            self._retry.stop()


def tell_of_another(notice: Notice, lock: WindowLock) -> None:
    """Say that another window is open, behind what is said already."""
    if lock.holder is None:
        return
    words = QCoreApplication.translate(
        "OtherWindow",
        "LlamaWatt is open in another window as well (process %1). Both show the same history and "
        "can be used; what both compute at once is in the bills of both, and they say so.",
    ).replace("%1", str(lock.holder))
    notice.say(" ".join(filter(None, [notice.text(), words])))

"""Processor load of a known size: processes that spin, and never outlive the program.

Run as ``python -m monitor.burn`` this is one of them. It spins until its standard input ends, which
the system sees to when the program dies, however that comes about.
"""

import os
import subprocess
import sys
import threading
from types import TracebackType


class Burner:
    """Keeps some cores busy for the length of a block.

    :param cores: how many
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._spinning: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Burner":
        # -P: a folder named monitor where the program was started must not be taken for us.
        command = [sys.executable, "-P", "-m", "monitor.burn"]
        try:
            for _ in range(self._cores):
                self._spinning.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        except OSError:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that spin."""
        return tuple(process.pid for process in self._spinning)

    def _end(self) -> None:
        for process in self._spinning:
            process.kill()
        for process in self._spinning:
            process.communicate()
        self._spinning.clear()


def _spin_until_orphaned() -> None:
    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    while True:
        pass


if __name__ == "__main__":
    _spin_until_orphaned()

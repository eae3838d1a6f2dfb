"""The engine's process: reads requests from standard input, answers on standard output.

Started by :mod:`monitor.engine.client`. llama.cpp's log goes to standard error. The process
ends when its input closes, so it never outlives the program that started it.
"""

import ctypes
import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import llama_cpp as llama

from monitor.engine.decode import Session
from monitor.engine.devices import list_devices
from monitor.engine.exercise import exercise
from monitor.engine.load_log import PLACED
from monitor.engine.messages import (
    Answer,
    Cancel,
    Complete,
    Done,
    Exercise,
    Failed,
    Hello,
    Hold,
    Load,
    Measure,
    Request,
    Score,
    Work,
)
from monitor.engine.plain import PLAIN
from monitor.engine.runtime import Abort, Cancelled, LoadFailed, Runtime
from monitor.engine.score import Scorer

LOG_DEBUG, LOG_CONTINUES = 1, 5
"""enum ggml_log_level in ggml.h."""


class Worker:
    """Serves one client over two streams of pickles.

    :param is_plain: see :mod:`monitor.engine.plain`
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO, is_plain: bool) -> None:
        self._requests, self._answers = requests, answers
        self._is_plain = is_plain
        self._abort = Abort()
        self._gate = threading.Event()
        self._gate.set()
        self._todo: queue.SimpleQueue[Load | Work] = queue.SimpleQueue()
        self._lines: deque[str] = deque(maxlen=2000)
        self._runtime: Runtime | None = None
        self._log_callback = llama.llama_log_callback(self._on_log)
        self._level = LOG_DEBUG

    def run(self) -> None:
        """Greet, then answer until the input closes."""
        llama.llama_log_set(self._log_callback, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self._send(_hello(self._is_plain))
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        while True:
            request = self._todo.get()
            if isinstance(request, Load):
                self._load(request)
            else:
                self._work(request)

    def _listen(self) -> None:
        try:
            while True:
                request: Request = pickle.load(self._requests)
                if isinstance(request, Cancel):
                    self._abort.set()
                    self._gate.set()
                elif isinstance(request, Hold):
                    # After a cancel there is nothing to hold.
                    is_held = request.is_held and not self._abort
                    (self._gate.clear if is_held else self._gate.set)()
                else:
                    # Here and not when it is begun: a cancel may follow at once.
                    self._abort.clear()
                    self._todo.put(request)
        except EOFError:
            os._exit(0)

    def _load(self, request: Load) -> None:
        if self._runtime:
            self._send(Failed("A model is loaded already; each model gets an engine of its own."))
            return
        try:
            self._runtime = Runtime(
                request,
                self._abort,
                self._gate,
                self._send,
                lambda: "\n".join(self._lines),
                self._is_plain,
            )
        except Cancelled:
            self._send(Failed("Loading was cancelled."))
        except LoadFailed as error:
            self._send(Failed(str(error)))
        else:
            self._send(self._runtime.loaded)

    def _work(self, request: Work) -> None:
        if not self._runtime:
            self._send(Failed("No model is loaded."))
            return
        for answer in _answers(self._runtime, request):
            self._send(answer)
            if isinstance(answer, Done):
                self._abort.clear()

    def _send(self, answer: Answer) -> None:
        try:
            pickle.dump(answer, self._answers)
            self._answers.flush()
        except BrokenPipeError:
            os._exit(0)

    def _on_log(self, level: int, text: bytes, _data: object) -> None:
        self._level = self._level if level == LOG_CONTINUES else level
        if self._level > LOG_DEBUG:
            line = text.decode("utf-8", errors="replace")
            self._lines.append(line.rstrip("\n"))
            sys.stderr.write(line)
            sys.stderr.flush()
        elif PLACED.encode() in text:
            self._lines.append(text.decode("utf-8", errors="replace").rstrip("\n"))


def _answers(runtime: Runtime, request: Work) -> Iterator[Answer]:
    match request:
        case Score():
            return Scorer(runtime).score(request)
        case Exercise():
            return exercise(runtime, request)
        case Complete():
            return Session(runtime).complete(request)
        case Measure():
            return Session(runtime).measure(request)
        case _:
            return Session(runtime).generate(request)


def _hello(is_plain: bool) -> Hello:
    version = f"{llama.__version__} (plain)" if is_plain else llama.__version__
    return Hello(version, bool(llama.llama_supports_gpu_offload()), list_devices())


def main() -> None:
    """Serve on the standard streams, which are kept clear of anything a library prints."""
    faulthandler.enable()
    # Ctrl-C reaches the whole terminal group; only the program decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        # When memory runs out, Linux ends this process rather than the window.
        Path("/proc/self/oom_score_adj").write_text("500")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Worker(sys.stdin.buffer, answers, PLAIN in sys.argv[1:]).run()


if __name__ == "__main__":
    main()

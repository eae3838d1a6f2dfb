"""The program's side of the engine: starts the process, asks it, and survives its end."""

import logging
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from importlib.metadata import version
from typing import BinaryIO, cast

import psutil

from monitor.engine.gguf import ModelFileError, ModelInfo
from monitor.engine.messages import (
    Answer,
    Cancel,
    ChatMessage,
    Done,
    Failed,
    Hello,
    Hold,
    Load,
    Loaded,
    LoadProgress,
    Measure,
    Measured,
    Request,
    Scored,
    Text,
    Work,
)
from monitor.engine.plain import BINDING, PLAIN, remember_plain, starts_plain
from monitor.problem import Problem

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
"""Importing llama.cpp's libraries, a GPU's among them, from a cold disk."""


class EngineError(Problem):
    """The engine could not do what was asked; the message says why and what to do."""


class EngineDied(EngineError):
    """The engine's process ended by itself. The next request starts a new one."""


class IllegalInstruction(EngineDied):
    """It met an instruction the processor does not run."""


ILLEGAL_INSTRUCTION = (-signal.SIGILL, 0xC000001D)
"""Exit codes for it: the signal, and Windows' STATUS_ILLEGAL_INSTRUCTION (ntstatus.h)."""


class _Process:
    """One engine process and the two threads that read from it.

    :param is_plain: without what llama.cpp does for this processor's matrix units
    """

    def __init__(self, is_plain: bool) -> None:
        # -P: a folder named monitor where the program was started must not be taken for us.
        command = [sys.executable, "-P", "-m", "monitor.engine.worker"]
        self._is_plain = is_plain
        self._popen = subprocess.Popen(
            [*command, PLAIN] if is_plain else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self._popen.pid
        self.answers: queue.SimpleQueue[Answer | EngineDied] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=60)
        self._sending = threading.Lock()
        self._has_ended = False
        self._errors = threading.Thread(target=self._read_log, name="engine-log", daemon=True)
        self._errors.start()
        self._reader = threading.Thread(target=self._read, name="engine-answers", daemon=True)
        self._reader.start()

    def send(self, request: Request) -> None:
        assert self._popen.stdin
        try:
            # A cancel comes from another thread than what it cancels.
            with self._sending:
                pickle.dump(request, self._popen.stdin)
                self._popen.stdin.flush()
        except (BrokenPipeError, ValueError):
            log.debug("The engine has ended; its reader will say so")

    def is_alive(self) -> bool:
        # While another thread waits for the process, poll cannot tell and says it lives.
        return self._popen.poll() is None and not self._has_ended

    def kill(self) -> None:
        """End the process at once and wait until its memory is given back."""
        self._popen.kill()
        self._popen.wait()
        self._reader.join(timeout=5)
        self._errors.join(timeout=5)
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    log.debug("A request was still unread")

    def _read(self) -> None:
        stream = cast(BinaryIO, self._popen.stdout)
        try:
            while True:
                self.answers.put(pickle.load(stream))
        except (EOFError, pickle.UnpicklingError, ValueError):
            self._has_ended = True
            code = self._popen.wait()
            self._errors.join(timeout=2)
            died = IllegalInstruction if code in ILLEGAL_INSTRUCTION else EngineDied
            self.answers.put(died(_cause_of_death(code, list(self._last_lines), self._is_plain)))

    def _read_log(self) -> None:
        assert self._popen.stderr
        for line in self._popen.stderr:
            text = line.decode("utf-8", errors="replace").rstrip()
            if text:
                self._last_lines.append(text)
                log.info("engine: %s", text)


def _cause_of_death(code: int, lines: list[str], is_plain: bool) -> str:
    said = next((line for line in reversed(lines) if "GGML_ASSERT" in line or "error" in line), "")
    quoted = f" It said: {said}" if said else ""
    if code == -signal.SIGKILL:
        return (
            "The engine was ended from outside, as the system does when memory runs out. "
            "A smaller model, a smaller context or fewer programs beside it help." + quoted
        )
    if code in ILLEGAL_INSTRUCTION:
        remedy = (
            f"Build {BINDING} on this very machine: `pip install --force-reinstall --no-deps "
            f"--no-cache-dir --no-binary {BINDING} {BINDING}=={version(BINDING)}`."
            if is_plain
            else "The next prompt starts it without such instructions."
        )
        return (
            "llama.cpp crashed at an instruction that this processor does not run (SIGILL). "
            f"{remedy}"
        )
    if code < 0:
        name = signal.Signals(-code).name
        return (
            f"llama.cpp crashed ({name}).{quoted} The next prompt starts it again; if that "
            "crashes too, try another file of the model."
        )
    return f"The engine ended unexpectedly (exit code {code}).{quoted}"


class Engine:
    """llama.cpp in its own process, with at most one model loaded.

    Requests are made from one thread at a time; :meth:`cancel` and :meth:`stop` from any.
    """

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._hello: Hello | None = None
        self._starting, self._exchanging = threading.Lock(), threading.Lock()
        self._closed = False
        self._is_plain = starts_plain()
        self.model: Load | None = None
        self.loaded: Loaded | None = None

    @property
    def pid(self) -> int | None:
        """Process number of the running engine."""
        return self._process.pid if self._process else None

    @property
    def memory_bytes(self) -> int | None:
        """Resident memory of the engine's process; ``None`` where it cannot be told."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid else None
        except psutil.Error:
            return None

    def has(self, request: Load) -> bool:
        """Whether exactly this is loaded, in a process that still lives."""
        if self._process and not self._process.is_alive():
            self.stop()
        return self.model == request

    def hello(self) -> Hello:
        """Return what this llama.cpp build is and can use, starting the engine if need be.

        :raises EngineError: if it does not start
        """
        with self._starting:
            if self._process and not self._process.is_alive():
                self.stop()
            if self._process is None:
                self._start()
            if self._hello is None:
                raise EngineError("The engine was stopped while it started.")
            return self._hello

    def _start(self) -> None:
        if self._closed:
            raise EngineError("LlamaWatt is closing.")
        # Known from here on, so that it can be stopped while it starts.
        process = self._process = _Process(self._is_plain)
        try:
            first = process.answers.get(timeout=START_TIMEOUT_S)
        except queue.Empty:
            self.stop()
            raise EngineError("llama.cpp did not start within a minute.") from None
        if isinstance(first, EngineDied):
            self.stop()
            raise first
        assert isinstance(first, Hello)
        self._hello = first

    def load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        """Load a model, after unloading the one before; the last message is ``Loaded``.

        :raises EngineError: if it does not load
        """
        self.unload()
        try:
            yield from self._load(request)
        except IllegalInstruction:
            if self._is_plain:
                raise
            self._become_plain()
            yield from self._load(request)

    def _load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        self.hello()
        try:
            for answer in self._exchange(request):
                if isinstance(answer, Loaded):
                    self.model, self.loaded = request, answer
                yield cast(LoadProgress | Loaded, answer)
        except EngineError:
            # What a failed load has allocated goes with its process.
            self.stop()
            raise

    def _become_plain(self) -> None:
        log.warning("llama.cpp goes on without what it does for this processor's matrix units")
        self._is_plain = True
        remember_plain()

    def work(self, request: Work) -> Iterator[Answer]:
        """Have the loaded model answer, score or exercise; the last message is ``Done``.

        Where a processor does not run what llama.cpp takes it to run (:mod:`monitor.engine.plain`)
        the model is loaded again without that, and the request begins anew unless some of its
        answer has been given.

        :raises EngineError: if it fails; :class:`EngineDied` if the process ended
        """
        model, is_told = self.model, False
        try:
            for answer in self._exchange(request):
                is_told = is_told or isinstance(answer, Text | Scored)
                yield answer
        except IllegalInstruction:
            if self._is_plain or model is None:
                raise
            self._become_plain()
            if is_told:
                raise
            for _progress in self._load(model):
                pass
            yield from self._exchange(request)

    def measure(self, messages: tuple[ChatMessage, ...]) -> Measured | None:
        """Return what a conversation would take of the context; from any thread.

        :return: ``None`` while no model is loaded, or the loaded one is at work
        :raises EngineError: if the model's template refuses it, or the process ended
        """
        if self.model is None or not self._exchanging.acquire(blocking=False):
            return None
        try:
            return cast(Measured, list(self._talk(Measure(messages)))[-1])
        finally:
            self._exchanging.release()

    def _exchange(self, request: Request) -> Iterator[Answer]:
        with self._exchanging:
            yield from self._talk(request)

    def _talk(self, request: Request) -> Iterator[Answer]:
        process = self._process
        if process is None:
            raise EngineError("No model is loaded.")
        process.send(request)
        ended = False
        try:
            while not ended:
                answer = process.answers.get()
                ended = isinstance(answer, Done | Loaded | Measured | Failed | EngineDied)
                if isinstance(answer, EngineDied):
                    if process is self._process:
                        self.stop()
                    raise answer
                if isinstance(answer, Failed):
                    raise EngineError(answer.reason)
                yield answer
        finally:
            if not ended:
                # Nobody listens any more: what still came would be taken for a later answer.
                self.stop()

    def cancel(self) -> None:
        """Stop what is being done; the request then ends as cancelled."""
        if process := self._process:
            process.send(Cancel())

    def hold(self, is_held: bool) -> None:
        """Pause the scoring in progress before its next batch, or let it go on."""
        if process := self._process:
            process.send(Hold(is_held))

    def unload(self) -> None:
        """Give the model's memory back, if one is loaded."""
        if self.model:
            self.stop()

    def stop(self) -> None:
        """End the process: the only sure way to give memory back."""
        process, self._process = self._process, None
        self.model = self.loaded = self._hello = None
        if process:
            process.kill()

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        self.stop()


def check_context(info: ModelInfo, context: int) -> None:
    """Refuse a context the model was not made for.

    :raises ModelFileError: naming the longest one
    """
    if info.context_length and context > info.context_length:
        raise ModelFileError(
            f"{info.name} was trained on contexts of up to {info.context_length} tokens; "
            f"{context} is more than it can use. Choose {info.context_length} or less."
        )

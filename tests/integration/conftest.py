"""The command as a person runs it, and an engine shared by the tests that only ask it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli import main
from monitor.engine.client import Engine
from monitor.engine.messages import Load
from tests.integration.shallow import write_shallow

COMMAND = Path(sys.executable).parent / "llamawatt"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def llamawatt() -> Command:
    """Run the installed command to its end; keyword arguments are added to its environment."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            env={**os.environ, "COLUMNS": "120", **environment},
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def here() -> Command:
    """Run the same command in this process, where a process of its own is no part of the test:
    Python and what the command imports start once."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        ran = CliRunner().invoke(main, arguments)
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return subprocess.CompletedProcess(arguments, ran.exit_code, ran.stdout, ran.stderr)

    return run


@pytest.fixture
def start_llamawatt() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command and leave it running; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="session")
def shallow(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model of the starter's first layers, for tests that do not read its answers."""
    path = tmp_path_factory.mktemp("shallow") / "Shallow-Q4_1.gguf"
    write_shallow(starter, path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def engine(starter: Path) -> Iterator[Engine]:
    """An engine with the starter model loaded."""
    engine = Engine()
    for _ in engine.load(Load(str(starter), context=2048, threads=2)):
        pass
    yield engine
    engine.stop()

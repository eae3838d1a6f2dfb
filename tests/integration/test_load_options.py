"""Loading the real starter model in every way, and what is said when it cannot be had."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.engine.client import Engine, EngineError
from monitor.engine.gguf import read_model_info
from monitor.engine.messages import ChatMessage, Generate, Load, Loaded, Request, Sampling, Text
from monitor.loading import CrashedBefore, Loader, LoadOptions, LoadProblem
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.store.history import History
from tests.integration.conftest import Command

SMALL = LoadOptions(context=512, threads=2)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.stop()


@pytest.fixture
def loader(home: Path, engine: Engine) -> Iterator[Loader]:
    history = History(database_path())
    with Sampler() as sampler:
        yield Loader(sampler, engine, history)
    history.close()


def load(engine: Engine, starter: Path, **options: object) -> Loaded:
    *_, loaded = engine.load(Load(str(starter), 512, 2, **options))  # type: ignore[arg-type]
    assert isinstance(loaded, Loaded)
    return loaded


def answer(engine: Engine) -> str:
    request = Generate(
        (ChatMessage("user", "What is a watt?"),), Sampling(temperature=0, max_tokens=24)
    )
    return "".join(said.text for said in engine.work(request) if isinstance(said, Text))


def mapped_kb(engine: Engine, starter: Path) -> int:
    """The model's part of the engine's memory that is mapped from its file."""
    found, at_file = 0, False
    for line in Path(f"/proc/{engine.pid}/smaps").read_text().splitlines():
        if "-" in line.split()[0] and ":" not in line.split()[0]:
            at_file = line.endswith(starter.name)
        elif at_file and line.startswith("Size:"):
            found += int(line.split()[1])
    return found


def test_keys_and_values_of_fewer_bits_still_answer(engine: Engine, starter: Path) -> None:
    loaded = load(engine, starter, kv_type="q8_0")
    assert loaded.note == ""
    assert "watt" in answer(engine).lower()


def test_layers_are_counted_and_what_cannot_be_offloaded_is_said(
    engine: Engine, starter: Path
) -> None:
    if engine.hello().offload:
        pytest.skip("this llama.cpp can offload")
    layers = read_model_info(starter).layers + 1
    loaded = load(engine, starter)
    assert (loaded.layers_offloaded, loaded.layers, loaded.note) == (0, layers, "")
    loaded = load(engine, starter, gpu_layers=5)
    assert loaded.layers_asked == 5
    assert f"5 of {layers} layers were to be on a GPU" in loaded.note
    assert answer(engine)


@pytest.mark.skipif(sys.platform != "linux", reason="maps are read from /proc")
def test_weights_are_mapped_or_read_as_asked(engine: Engine, starter: Path) -> None:
    load(engine, starter)
    assert mapped_kb(engine, starter) > 10_000
    mapped = answer(engine)
    load(engine, starter, memory_map="none")
    assert mapped_kb(engine, starter) == 0
    assert answer(engine) == mapped


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_lock_the_system_refuses_is_said(starter: Path) -> None:
    """In a program that may lock 64 kB and has lost root's right to lock more."""
    script = (
        "import ctypes, os, resource, sys\n"
        "if sys.argv[2:]:\n"
        "    ctypes.CDLL(None).prctl(24, 14)  # PR_CAPBSET_DROP, CAP_IPC_LOCK: lost with exec\n"
        "    resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, 1 << 16))\n"
        "    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1]])\n"
        "from monitor.engine.client import Engine\n"
        "from monitor.engine.messages import Load\n"
        "engine = Engine()\n"
        "*_, loaded = engine.load(Load(sys.argv[1], 512, 2, memory_map='mlock'))\n"
        "print(loaded.note)\n"
        "engine.stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(starter), "confined"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "did not allow all of the model to be locked" in done.stdout


def test_options_that_llama_cpp_refuses_are_told_in_its_words(
    engine: Engine, starter: Path
) -> None:
    with pytest.raises(EngineError, match="requires flash_attn"):
        load(engine, starter, kv_type="q8_0", flash_attention="off")


def test_a_context_that_cannot_be_had_fails_with_a_smaller_one(
    loader: Loader, starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before is passed by; the engine may not have more than two gigabytes."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("monitor.loading.check_context", lambda _info, _context: None)
    monkeypatch.setattr("monitor.loading.free_ram_bytes", lambda: 1 << 40)
    info = read_model_info(starter)
    request = loader.prepare(info, LoadOptions(context=1 << 19, threads=2))
    pid = loader._engine.pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_AS, (2 << 30, 2 << 30))
    with pytest.raises(LoadProblem) as failed:
        list(loader.load(request))
    assert [remedy.kind for remedy in failed.value.remedies] == ["context"]
    smaller = failed.value.remedies[0].options
    assert smaller == LoadOptions(context=4096, threads=2)
    *_, loaded = loader.load_file(starter, smaller)
    assert isinstance(loaded, Loaded)


def test_a_load_that_killed_the_engine_is_only_repeated_on_request(
    loader: Loader, starter: Path
) -> None:
    with pytest.raises(LoadProblem, match="ended from outside"):
        kill_while_loading(loader, starter)
    with pytest.raises(CrashedBefore, match="crash last time") as asked:
        list(loader.load_file(starter, SMALL, insist=False))
    again = asked.value.remedies[0]
    assert (again.kind, again.options) == ("again", SMALL)
    otherwise = LoadOptions(context=1024, threads=2)
    assert isinstance([*loader.load_file(starter, otherwise, insist=False)][-1], Loaded)
    assert isinstance([*loader.load_file(starter, again.options)][-1], Loaded)
    loader._engine.stop()
    assert isinstance([*loader.load_file(starter, SMALL, insist=False)][-1], Loaded)


def kill_while_loading(loader: Loader, starter: Path) -> None:
    """Stop the engine in the middle of a load, and kill it there."""
    info = read_model_info(starter)
    request = loader.prepare(info, SMALL)
    pid = loader._engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    process = loader._engine._process
    assert process is not None
    send = process.send

    def send_and_kill(sent: Request) -> None:
        send(sent)
        if isinstance(sent, Load):
            os.kill(pid, signal.SIGKILL)

    process.send = send_and_kill  # type: ignore[method-assign]
    for _ in loader.load(request):
        pass


def test_the_command_loads_as_it_is_told(here: Command) -> None:
    done = here(
        "ask", "What is a watt?", "--max-tokens", "8", "--ctx", "512", "--threads", "2",
        "--flash-attn", "on", "--kv-type", "q8_0", "--no-mmap", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"]
    for wrong in (("--mlock", "--no-mmap"), ("--kv-type", "q9_9")):
        assert here("ask", "Hello?", *wrong).returncode == 2
    refused = here("ask", "Hello?", "--kv-type", "q4_0", "--flash-attn", "off")
    assert refused.returncode == 1
    assert "only with flash attention" in refused.stderr

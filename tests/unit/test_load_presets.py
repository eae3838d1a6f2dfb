"""What is remembered of loads: those that crashed, and how each model is to be loaded."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor import load_presets as presets
from monitor.engine.client import EngineDied, EngineError
from monitor.engine.messages import Load
from monitor.load_guard import LoadGuard
from monitor.loading import LoadOptions
from monitor.paths import database_path
from monitor.store.history import History


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    opened = History(database_path())
    yield opened
    opened.close()


# --- loads that crashed ------------------------------------------------------------------

REQUEST = Load("/models/tiny.gguf", 4096, 2, modified_ns=5)


def never() -> bool:
    return False


def test_a_load_that_ends_in_order_leaves_nothing(history: History) -> None:
    guard = LoadGuard(history)
    with guard.watching(REQUEST, never):
        assert not guard.has_crashed(REQUEST), "it is still under way"
    assert not guard.has_crashed(REQUEST)
    with pytest.raises(EngineError), guard.watching(REQUEST, never):
        raise EngineError("There is not enough memory.")
    assert not guard.has_crashed(REQUEST)


def test_a_crash_of_the_engine_is_remembered_until_it_loads(history: History) -> None:
    guard = LoadGuard(history)
    with pytest.raises(EngineDied), guard.watching(REQUEST, never):
        raise EngineDied("llama.cpp crashed (SIGSEGV).")
    assert guard.has_crashed(REQUEST)
    assert not guard.has_crashed(replace(REQUEST, gpu_layers=0)), "other options may do"
    assert not guard.has_crashed(replace(REQUEST, modified_ns=6)), "another file is in its place"
    with guard.watching(replace(REQUEST, gpu_layers=0), never):
        pass
    assert guard.has_crashed(REQUEST), "that other options do proves nothing"
    with guard.watching(REQUEST, never):
        pass
    assert not guard.has_crashed(REQUEST)


def test_an_engine_ended_to_cancel_is_no_crash(history: History) -> None:
    guard = LoadGuard(history)
    with pytest.raises(EngineDied), guard.watching(REQUEST, lambda: True):
        raise EngineDied("The engine was ended from outside.")
    assert not guard.has_crashed(REQUEST)


def test_a_program_that_dies_while_loading_is_remembered(history: History) -> None:
    script = (
        "import os, sys\n"
        "from monitor.engine.messages import Load\n"
        "from monitor.load_guard import LoadGuard\n"
        "from monitor.paths import database_path\n"
        "from monitor.store.history import History\n"
        f"request = {REQUEST!r}\n"
        "with LoadGuard(History(database_path())).watching(request, lambda: False):\n"
        "    print('loading', flush=True)\n"
        "    sys.stdin.read(1)\n"
        "    os._exit(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        assert program.stdout.readline() == "loading\n"
        assert not LoadGuard(history).has_crashed(REQUEST), "another program is at it"
        program.communicate("x")
    assert LoadGuard(history).has_crashed(REQUEST)


# --- presets -----------------------------------------------------------------------------


def test_options_are_kept_for_each_model(history: History) -> None:
    one, other = Path("/models/one.gguf"), Path("/models/other.gguf")
    assert presets.options_for(history, one) == LoadOptions()
    presets.keep_options(history, one, LoadOptions(8192, kv_type="q8_0"))
    presets.keep_options(history, other, LoadOptions(threads=1))
    assert presets.options_for(history, one) == LoadOptions(8192, kv_type="q8_0")
    presets.forget_options(history, one)
    assert presets.options_for(history, one) == LoadOptions()
    assert presets.options_for(history, other) == LoadOptions(threads=1)


def test_presets_have_names_and_leave_the_options_in_use_alone(history: History) -> None:
    path = Path("/models/one.gguf")
    presets.keep_options(history, path, LoadOptions(512))
    presets.keep_preset(history, path, "long", LoadOptions(32768, kv_type="q8_0"))
    presets.keep_preset(history, path, "fast", LoadOptions(2048))
    assert list(presets.presets_for(history, path)) == ["fast", "long"]
    presets.keep_preset(history, path, "fast", LoadOptions(1024))
    presets.forget_preset(history, path, "long")
    assert presets.presets_for(history, path) == {"fast": LoadOptions(1024)}
    presets.forget_options(history, path)
    assert presets.presets_for(history, path) == {"fast": LoadOptions(1024)}
    assert presets.presets_for(history, Path("/models/other.gguf")) == {}


def test_a_model_left_to_the_automatics_takes_no_room(history: History) -> None:
    path = Path("/models/one.gguf")
    presets.keep_options(history, path, LoadOptions(512))
    presets.keep_options(history, path, LoadOptions())
    assert history.preference(presets.PREFERENCE) == {}

"""What every test relies on: no screen, a data folder of its own, and the real starter model."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Of what is imported and collected nothing is garbage: see pytest_collection_finish.
gc.disable()
os.environ["QT_QPA_PLATFORM"] = "offscreen"
if "PYTEST_XDIST_WORKER" in os.environ:
    # The threads of a step of llama.cpp wait for each other spinning: two of them on two
    # processors that run other workers as well take ten times as long as one.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
# llama.cpp's threads spin at each step until all have come; beside other workers of the tests
# that takes several times as long as to sleep soon (GNU OpenMP's own count is 300,000).
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
# So do OpenBLAS's after each product of numpy's, none of which is large here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _is_virtual_with_matrix_units() -> bool:
    """Whether llama.cpp may crash here at any moment: see :mod:`monitor.engine.plain`."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return {"hypervisor", "amx_tile"} <= set(told.split())


if _is_virtual_with_matrix_units():
    os.environ.setdefault("LLAMAWATT_PLAIN", "1")

OTHER_PROGRAMS = (
    "OLLAMA_MODELS",
    "HF_HOME",
    "HF_HUB_CACHE",
    "LLAMA_CACHE",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
)
"""Variables that say where other programs keep models."""


TOGETHER = {
    "engine-alone": (
        "integration/test_bench.py",
        "integration/test_engine",
        "integration/test_load_options",
        "integration/test_meter",
        "integration/test_repeat",
        "integration/test_scoring",
    ),
    "engine-asked": (
        "desktop/test_bench_page",
        "desktop/test_bench_running",
        "desktop/test_chat.py",
        "desktop/test_conversations",
        "desktop/test_measuring",
        "integration/test_commands",
    ),
    "many-queries": ("unit/test_browse",),
    "styles": ("desktop/test_style",),
    "truth": ("unit/test_truth",),
}
"""Beginnings of files in groups of one worker each: tests that compute with llama.cpp, so that no
more than two do at a time, and tests that share what takes long to make."""


class Sharing(LoadScopeScheduling):
    """Keeps a group to one worker, and shares out the other tests one by one.

    By the files' names: pytest 9.2 knows nothing of the names that xdist 3.8 gives groups' tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.removeprefix("tests/")
        return next((name for name, files in TOGETHER.items() if path.startswith(files)), nodeid)


def pytest_collection_finish() -> None:
    """Leave what was made by now, which lasts to the end, out of each later look for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """Have the tests shared out so, unless the command line says how."""
    return Sharing(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session", autouse=True)
def _history_files_cost_little() -> Iterator[None]:
    """Have new history files copied from one that was migrated once, at a tenth of the cost, and
    wait for no disk: no test cuts the power, and what a killed process wrote is there all the same.

    Files that hold something already are migrated as ever; what other processes open is as ever.
    """
    import sqlite3

    from sqlite_utils import Database

    from monitor.store import database

    class Unsynchronised(Database):
        def execute(self, sql: str, parameters: Any = None) -> sqlite3.Cursor:
            asked = sql.replace("synchronous = FULL", "synchronous = OFF")
            return super().execute(asked, parameters)

    made = Database(sqlite3.connect(":memory:", check_same_thread=False))
    really_migrate = database.migrate
    really_migrate(made, Path("a new file"))

    def migrate(db: Database, path: Path) -> None:
        if db.table_names():
            really_migrate(db, path)
        else:
            made.conn.backup(db.conn)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "migrate", migrate)
        patched.setattr(database, "Database", Unsynchronised)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test, and what it starts, an empty data folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LLAMAWATT_HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # What other programs have downloaded on this machine is no part of a test.
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    for name in OTHER_PROGRAMS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("LLAMAWATT_SYSFS", raising=False)
    return folder


@pytest.fixture
def own_settings(tmp_path: Path) -> None:
    """Give each test a window's settings of its own, and leave those of whoever runs it alone.

    Qt asks once a process where settings lie, before any test says so.
    """
    from PySide6.QtCore import QSettings

    for form in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(form, QSettings.Scope.UserScope, str(tmp_path / "config"))


@pytest.fixture(scope="session")
def starter() -> Path:
    """Return the starter model's file."""
    from monitor.engine.gguf import ModelFileError
    from monitor.models.starter import starter_path

    try:
        return starter_path()
    except ModelFileError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a compiled fake NVML library."""
    from tests.hardware.nvml import build_library, find_compiler

    if not find_compiler():
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    build_library(folder)
    return folder

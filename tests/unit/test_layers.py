"""Who may know whom: monitor serves a command without Qt, desktop touches no sensor or file."""

import ast
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

from tests.unit.builders import REPOSITORY

SOURCES = {folder: sorted((REPOSITORY / folder).rglob("*.py")) for folder in ("monitor", "desktop")}

OF_MONITOR_ALONE = {"sqlite3", "sqlite_utils", "llama_cpp", "pynvml", "jinja2"}
OF_DESKTOP_ALONE = {"PySide6", "pyqtgraph", "desktop"}


def imported(path: Path) -> set[str]:
    """Return the top-level packages a file imports, at its top or anywhere inside."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
            case ast.Call(
                func=ast.Name("__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(str(name)), *_],
            ):
                names.add(name.partition(".")[0])
    return names


def printed_by(code: str) -> str:
    """Return what a fresh interpreter prints, which has imported nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_walk_sees_every_way_to_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b as c\nfrom d.e import f\nfrom . import own\n"
        "def g():\n    import h\n    importlib.import_module('i.j')\n    __import__('k')\n"
    )
    assert imported(path) == {"a", "d", "h", "i", "k"}
    assert all(len(paths) > 10 for paths in SOURCES.values())


def test_monitor_knows_neither_the_window_nor_qt() -> None:
    found = {path: imported(path) & OF_DESKTOP_ALONE for path in SOURCES["monitor"]}
    assert {path: names for path, names in found.items() if names} == {}


def test_nothing_that_measures_keeps_or_shows_knows_a_command() -> None:
    commands = REPOSITORY / "monitor" / "commands"
    rooms = [path for paths in SOURCES.values() for path in paths if path.parent != commands]
    knowing = [path.name for path in rooms if "monitor.commands" in path.read_text("utf-8")]
    assert knowing == ["cli.py"]


def test_the_window_opens_no_database_sensor_or_engine_itself() -> None:
    found = {path: imported(path) & OF_MONITOR_ALONE for path in SOURCES["desktop"]}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_whole_of_monitor_is_imported_without_qt() -> None:
    code = (
        "import importlib, pkgutil, sys, monitor\n"
        "names = [m.name for m in pkgutil.walk_packages(monitor.__path__, 'monitor.')]\n"
        "for name in names:\n"
        "    if not name.endswith(('__main__', 'windows_meters')): importlib.import_module(name)\n"
        "assert 'monitor.meter' in sys.modules and len(names) > 30, names\n"
        "found = {m.partition('.')[0] for m in sys.modules}\n"
        "print(sorted(found & {'PySide6', 'shiboken6', 'pyqtgraph', 'desktop'}))\n"
    )
    assert printed_by(code) == "[]\n"


def test_every_resource_is_where_the_program_looks_for_it() -> None:
    """What lies in the folder must be reachable as package data, whatever its suffix."""
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    patterns = declared["tool"]["setuptools"]["package-data"]["resources"]
    folder = REPOSITORY / "resources"
    shipped = {path for pattern in patterns for path in folder.glob(pattern)}
    lying = {
        path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    # The README's picture is for the repository.
    assert lying - set((folder / "screenshots").iterdir()) == shipped
    assert files("resources").joinpath("grid_intensity.csv").is_file()


def test_a_command_reads_only_what_it_needs() -> None:
    """What the shell waits for: the version needs no benchmark, and no one command needs all."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from monitor.cli import COMMANDS, main\n"
        "done = CliRunner().invoke(main, ['sensors', '--help'])\n"
        "assert done.exit_code == 0, done.output\n"
        "modules = {place.partition(':')[0] for place in COMMANDS.values()}\n"
        "print(sorted(modules & set(sys.modules)))\n"
    )
    assert printed_by(code) == "['monitor.commands.sensors']\n"
